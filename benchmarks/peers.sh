#!/bin/sh
# Put the libraries that Vitrina is measured against into environments of their own, so that they can't touch ours.
# Usage: sh benchmarks/peers.sh [rectools] [irspack]      (both by default; an environment that exists is kept)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

requirements() {
    case "$1" in
    rectools) echo "rectools==0.19.* implicit==0.7.* polars" ;;
    irspack) echo "irspack==0.5.* polars" ;;
    *) echo "There is no peer '$1'. Known: rectools, irspack." >&2 && exit 2 ;;
    esac
}

[ $# -gt 0 ] || set -- rectools irspack
for peer in "$@"; do
    packages=$(requirements "$peer")
    folder="$here/.venvs/$peer"
    [ -x "$folder/bin/python" ] && [ -f "$folder/ready" ] && continue
    "$python" -m venv "$folder"
    # shellcheck disable=SC2086
    "$folder/bin/pip" install --quiet $packages
    "$folder/bin/pip" freeze >"$folder/ready"
done
