#!/usr/bin/env bash
# Run one benchmark: bench/NAME.py, with cairn and its peers on this machine, in one run. The peers come from PyPI into
# build/bench-venv, where other measuring programs find NumPy too. Usage: scripts/bench.sh NAME | --script FILE.py
set -euo pipefail
cd "$(dirname "$0")/.."
program=bench/${1//-/_}.py
[ "$1" = --script ] && program=$2
[ -f "$program" ] || { echo "bench: there is no $program" >&2; exit 1; }
venv=$PWD/build/bench-venv
if [ "$venv/done" -ot bench/requirements.txt ]; then
	echo "bench: fetching the peers from PyPI into build/bench-venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install -q --disable-pip-version-check -r bench/requirements.txt
	touch "$venv/done"
fi
export CAIRN_DATA="${CAIRN_DATA:-$PWD/../shared/data}" CAIRN_BUILD=$PWD/build
# Peers choose their own kernels, unless others are faster here.
unset OPENBLAS_CORETYPE
core=$("$venv/bin/python" bench/fastest_blas.py)
if [ -n "$core" ]; then
	echo "bench: OpenBLAS of the peers does not know this processor; kernels of $core are faster and are taken"
	export OPENBLAS_CORETYPE=$core
fi
exec "$venv/bin/python" "$program"
