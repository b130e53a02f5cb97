"""Everything that is claimed of quality, made anew: the boards of `docs/boards.md`, the tables of `docs/sequence.md`, `docs/metrics.md` and `benchmarks/RESULTS.md`.

    python -m benchmarks.quality [--resume]

Half an hour on two cores for the boards; the sequence models take many hours (`docs/sequence.md` says how many for each log), and go on where they were
interrupted.
"""

from __future__ import annotations

import argparse

from benchmarks.kit.pages import finish, run, run_all, scripts
from benchmarks.kit.places import ROOT
from benchmarks.quality.boards import JOBS
from benchmarks.quality.boards import compare as run_board

SEQUENCE, BOARDS, METRICS, VALUES = (ROOT / "docs" / name for name in ("sequence.md", "boards.md", "metrics.md", "policy-values.md"))
ON_THE_SEQUENCE_PAGE = ("quality.sequence_repeats", "quality.sequence_rare_items", "quality.sequence_tuned", "quality.sequence_times")
ON_THE_PAGE_OF_BOARDS = ("quality.ties",)
ON_THE_PAGE_OF_METRICS = ("quality.verdicts",)
ON_THE_PAGE_OF_VALUES = ("quality.policy_intervals",)
WRITES_ITS_OWN = ("quality.boards", "quality.two_stage", "quality.sequence_parts", "quality.family")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--resume", action="store_true", help="keep the finished models of interrupted boards")
    options = parser.parse_args()
    for name in JOBS:
        print(run_board(name, resume=options.resume), flush=True)
    failed = run_all(
        [
            name
            for name in scripts("quality")
            if name not in ON_THE_SEQUENCE_PAGE + ON_THE_PAGE_OF_BOARDS + ON_THE_PAGE_OF_METRICS + ON_THE_PAGE_OF_VALUES + WRITES_ITS_OWN
        ]
    )
    failed += run_all(ON_THE_SEQUENCE_PAGE, SEQUENCE)
    failed += run_all(ON_THE_PAGE_OF_BOARDS, BOARDS)
    failed += run_all(ON_THE_PAGE_OF_METRICS, METRICS)
    failed += run_all(ON_THE_PAGE_OF_VALUES, VALUES)
    failed += [name for name in WRITES_ITS_OWN[1:] if run(name) is None]
    finish(failed)


if __name__ == "__main__":
    main()
