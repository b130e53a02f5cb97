"""Every benchmark of stock, price and plan in turn; what each prints goes into its block of `benchmarks/RESULTS.md`.

    python -m benchmarks.plan [NAME ...]

Some minutes for each.
"""

from __future__ import annotations

import argparse

from benchmarks.kit.pages import finish, run_all, scripts


def main() -> None:
    known = {name.partition(".")[2]: name for name in scripts("plan")}
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(known)}; all by default")
    finish(run_all([known[name] for name in parser.parse_args().names or known]))


if __name__ == "__main__":
    main()
