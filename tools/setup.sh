#!/bin/sh
# Makes .venv with everything pinned, and installs through apt what the system misses.
#   sh tools/setup.sh [REQUIREMENTS.txt ...]        (default: requirements.txt)
# PYTHON=... chooses the interpreter (UV_PYTHON=... where uv has to find one), VENV=... the folder. SET=gpu installs the
# set of `make gpu`, and this environment keeps it.
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
[ $# -gt 0 ] || set -- requirements.txt
lock=requirements/lock.txt
oldest=10
newest=13
if [ "${SET:-}" = gpu ] || [ -e "$venv/.gpu" ]; then
    set -- requirements/gpu-base.txt
    lock=requirements/gpu-lock.txt
    oldest=11
    newest=11
fi
versions="Python 3.$oldest to 3.$newest"
[ "$oldest" != "$newest" ] || versions="Python 3.$oldest"
stamp=$venv/.installed-$(cat "$@" "$lock" | cksum | tr -d ' ')
[ ! -f "$stamp" ] || [ ! -x "$venv/bin/python" ] || exit 0

# --- what the system must have ------------------------------------------------------------------------
supported="import sys; sys.exit(not (3, $oldest) <= sys.version_info[:2] <= (3, $newest))"
if [ -n "${PYTHON:-}" ] && ! "$PYTHON" -c "$supported" 2>/dev/null; then
    echo "setup: PYTHON=$PYTHON is not $versions" >&2
    exit 1
fi
find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3.10 python3 /usr/bin/python3; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$supported" >/dev/null 2>&1; then
            command -v "$candidate"; return
        fi
    done
}
python=$(find_python)
missing=
has_apt=$(command -v apt-get || true)
uv=
[ -n "$python" ] || uv=$(command -v uv || true)
if [ -z "$python$uv" ] && ! command -v python3 >/dev/null 2>&1; then
    missing=" python3 python3-venv python3-dev"
elif [ -n "$python" ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' || missing="$missing python3-dev"
fi
command -v g++ >/dev/null 2>&1 || missing="$missing g++"
if [ -n "$missing" ]; then
    as_root=
    [ "$(id -u)" = 0 ] || as_root='sudo -n'
    if [ -n "$has_apt" ] && { [ -z "$as_root" ] || sudo -n true 2>/dev/null; }; then
        echo "setup: installing with apt:$missing"
        $as_root apt-get update -qq || echo "setup: apt-get update failed, trying with the lists that are there"
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
            echo "setup: apt could not install:$missing"
        python=$(find_python)
    else
        echo "setup: missing on this system:$missing (Debian: sudo apt-get install$missing); going on where possible"
    fi
fi
if [ -z "$python$uv" ]; then
    echo "setup: found no $versions: install uv (https://docs.astral.sh/uv), which brings one, or set PYTHON=/path/to/python" >&2
    exit 1
fi

# --- the environment ----------------------------------------------------------------------------------
echo "setup: making $venv with ${python:-the Python ${UV_PYTHON:-3.$newest} of $uv}"
# one without pip was left half made
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c "import pip; $supported" 2>/dev/null; then
    rm -rf "$venv"
    if [ -n "$python" ]; then
        "$python" -m venv "$venv"
    else
        wanted=${UV_PYTHON:-3.$newest}
        if ! "$uv" venv -q --seed --python "$wanted" "$venv" || ! "$venv/bin/python" -c "$supported"; then
            echo "setup: uv could not make $venv with Python $wanted, expected $versions: set UV_PYTHON=/path/to/python" >&2
            exit 1
        fi
    fi
fi
[ "${SET:-}" != gpu ] || touch "$venv/.gpu"
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$venv/bin/python" -m pip install -q -c "$lock" 'setuptools<81' wheel
# Theano and Lasagne have source packages only: they are built with the setuptools they know, and, for the time of this
# call, with what Theano's setup.py misses since Python 3.12 (tools/old_builds/sitecustomize.py)
for requirements in "$@"; do
    PYTHONPATH=$PWD/tools/old_builds "$venv/bin/python" -m pip install -q --no-build-isolation -c "$lock" -r "$requirements"
done
touch "$stamp"
echo "setup: done"
