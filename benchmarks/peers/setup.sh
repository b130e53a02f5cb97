#!/bin/sh
# Put the libraries that Vitrina is measured against into environments of their own, so that they can't touch ours.
# Usage: sh benchmarks/peers/setup.sh [rectools] [irspack] [rectools-torch] [pyversity]      (all by default; an environment that exists is kept)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

requirements() {
    case "$1" in
    rectools) echo "rectools==0.19.* implicit==0.7.* polars" ;;
    rectools-torch) echo "rectools[torch]==0.19.* torch==2.13.0 polars" ;;
    irspack) echo "irspack==0.5.* polars" ;;
    pyversity) echo "pyversity==0.2.*" ;;
    *) echo "There is no peer '$1'. Known: rectools, rectools-torch, irspack, pyversity." >&2 && exit 2 ;;
    esac
}

[ $# -gt 0 ] || set -- rectools rectools-torch irspack pyversity
for peer in "$@"; do
    packages=$(requirements "$peer")
    folder="$here/../.cache/venvs/$peer"
    [ -x "$folder/bin/python" ] && [ -f "$folder/ready" ] && continue
    mkdir -p "$here/../.cache/venvs"
    "$python" -m venv "$folder"
    # shellcheck disable=SC2086
    "$folder/bin/pip" install --quiet $packages
    "$folder/bin/pip" freeze >"$folder/ready"
done
