"""Every benchmark of speed and memory in turn: `bench_*.py` and `load_100m.py`. Their rows go into `benchmarks/RESULTS.md`.

    python benchmarks/run.py [NAME ...]

A script's rows stand between `<!-- begin NAME -->` and `<!-- end NAME -->`; what is written around them by hand stays.
"""

from __future__ import annotations

import argparse

from common import HERE, finish, run_all


def main() -> None:
    scripts = {script.stem: script for script in (*sorted(HERE.glob("bench_*.py")), HERE / "load_100m.py")}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(scripts)}; all where none is named")
    names = parser.parse_args().names
    unknown = set(names) - set(scripts)
    if unknown:
        parser.error(f"There is no benchmark {', '.join(sorted(unknown))}. Known: {', '.join(scripts)}.")
    finish(run_all([scripts[name] for name in names or scripts]))


if __name__ == "__main__":
    main()
