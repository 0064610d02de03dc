#!/bin/sh
# Lets .venv, which tools/setup.sh made, use an NVIDIA GPU, on Debian 12; says in one line what is missing.
# Debian's pygpu is compiled for Debian's Python 3.11. VENV=... chooses the folder.
set -eu
cd "$(dirname "$0")/.."
python=${VENV:-.venv}/bin/python
packages='python3-pygpu libgpuarray-dev'
debian=/usr/lib/python3/dist-packages

if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    echo "gpu: $python is $("$python" --version), but Debian's pygpu is for Python 3.11: make clean, and PYTHON=/usr/bin/python3.11 make gpu" >&2
    exit 1
fi
if [ ! -d $debian/pygpu ] || [ ! -e /usr/include/gpuarray/array.h ]; then
    as_root=
    [ "$(id -u)" = 0 ] || as_root='sudo -n'
    echo "gpu: installing with apt: $packages"
    if ! { $as_root apt-get update -qq &&
           $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages; } >/dev/null
    then
        echo "gpu: apt could not install $packages: run sudo apt-get install $packages" >&2
        exit 1
    fi
fi
# this one package alone: beside it lies another NumPy
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["platlib"])')
ln -sfn $debian/pygpu "$site/pygpu"

export PIP_DISABLE_PIP_VERSION_CHECK=1
if "$python" -c 'import sys; from deepconvsep.backend.gpu import find_library
sys.exit(not (find_library("nvrtc") and find_library("cublas")))'; then
    "$python" -m pip install -q --no-deps $(grep -o "^ma[a-z]*==[^ ]*" requirements/gpu.txt)
else
    echo 'gpu: installing NVRTC and cuBLAS (0.7 GB) with pip'
    "$python" -m pip install -q --no-deps -r requirements/gpu.txt
fi
exec "$python" -m deepconvsep.backend.gpu --links
