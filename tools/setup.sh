#!/bin/sh
# Makes .venv with everything pinned, and installs through apt what the system misses.
#   sh tools/setup.sh [REQUIREMENTS.txt ...]        (default: requirements.txt)
# PYTHON=... chooses the interpreter, VENV=... the folder.
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
[ $# -gt 0 ] || set -- requirements.txt
stamp=$venv/.installed-$(cat "$@" requirements/lock.txt | cksum | tr -d ' ')
[ ! -f "$stamp" ] || [ ! -x "$venv/bin/python" ] || exit 0

# --- what the system must have ------------------------------------------------------------------------
supported='import sys; sys.exit(not (3, 8) <= sys.version_info[:2] <= (3, 11))'
if [ -n "${PYTHON:-}" ] && ! "$PYTHON" -c "$supported" 2>/dev/null; then
    echo "setup: PYTHON=$PYTHON is not a Python 3.8 to 3.11, which Theano 1.0.5 needs" >&2
    exit 1
fi
find_python() {
    for candidate in ${PYTHON:-} python3.11 python3.10 python3.9 python3.8 python3 /usr/bin/python3; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$supported" >/dev/null 2>&1; then
            command -v "$candidate"; return
        fi
    done
}
python=$(find_python)
missing=
has_apt=$(command -v apt-get || true)
if [ -z "$python" ]; then
    missing="python3 python3-venv python3-dev"
else
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
if [ -z "$python" ]; then
    echo "setup: found no Python 3.8 to 3.11, which Theano 1.0.5 needs: install python3.11, or set PYTHON=/path/to/python" >&2
    exit 1
fi

# --- the environment ----------------------------------------------------------------------------------
echo "setup: making $venv with $("$python" --version 2>&1), $python"
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c "$supported"; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
constraints=
"$venv/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' && constraints="-c requirements/lock.txt"
export PIP_DISABLE_PIP_VERSION_CHECK=1
# Theano and Lasagne have source packages only: build them with the setuptools they know
"$venv/bin/python" -m pip install -q 'setuptools<81' wheel
for requirements in "$@"; do
    "$venv/bin/python" -m pip install -q --no-build-isolation $constraints -r "$requirements"
done
touch "$stamp"
echo "setup: done"
