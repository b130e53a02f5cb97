"""Every benchmark of speed and memory in turn; the rows of each go into its block of `benchmarks/RESULTS.md`.

    python -m benchmarks.speed [NAME ...]

A script's rows stand between `<!-- begin speed.NAME -->` and `<!-- end speed.NAME -->`; what is written around them by hand stays.
"""

from __future__ import annotations

import argparse

from benchmarks.kit.pages import finish, run_all, scripts


def main() -> None:
    known = {name.partition(".")[2]: name for name in scripts("speed")}
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(known)}; all where none is named")
    names = parser.parse_args().names
    unknown = set(names) - set(known)
    if unknown:
        parser.error(f"There is no benchmark {', '.join(sorted(unknown))}. Known: {', '.join(known)}.")
    finish(run_all([known[name] for name in names or known]))


if __name__ == "__main__":
    main()
