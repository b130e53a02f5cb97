"""What the scripts that run over several logs take on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence


def log_options(doc: str | None, known: Iterable[str], seeds: Sequence[int] = (), *, finished: bool = False) -> argparse.Namespace:
    """`logs` (all where none is named), `epochs` and `resume`; `seeds` where there are usual ones; `finished` where it may be asked for."""
    known = list(known)
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", metavar="LOG", help=f"one or more of {', '.join(known)}; all where none is named")
    if seeds:
        parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    parser.add_argument("--epochs", type=int, help="at most so many, for a quick try")
    parser.add_argument("--resume", action="store_true", help="take finished runs of older code too")
    if finished:
        parser.add_argument("--finished", action="store_true", help="fit nothing: take the runs that are kept")
    options = parser.parse_args()
    unknown = set(options.logs) - set(known)
    if unknown:
        parser.error(f"There is no log {', '.join(sorted(unknown))}. Known: {', '.join(known)}.")
    options.logs = options.logs or known
    return options
