"""Everything that is claimed of quality, made anew: the boards of `docs/boards.md`, each `reproduce_*.py` into `benchmarks/RESULTS.md`, and the
tables of `docs/sequence.md`.

    python benchmarks/reproduce.py [--page] [--resume]

Half an hour on two cores for the boards; the sequence models take many hours (`docs/sequence.md` says how many for each log), and go on where they were
interrupted. `--page` runs nothing and writes `docs/boards.md` from the last boards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from beside import HERE
from boards import JOBS, OUT, SEED
from boards import compare as run_board
from common import finish, run, run_all
from lessons import LESSONS

PAGE = HERE.parent / "docs" / "boards.md"
SEQUENCE = HERE.parent / "docs" / "sequence.md"
HEAD = f"""# Boards on public data

Three logs of three trades, each compared in full by `make reproduce` ([what is run](../benchmarks/boards.py)). The baseline of each board was
named before anything was run. Every search of a board has one budget, named in its last line, drawn at random with the seed {SEED} and judged on
the end of the training part; smaller spaces are tried in full, a fixed model is not tuned. Names of models: *as it comes* is the
default; *weighting*, *fading* (old events of the history count less), *order* (pairs count less the further apart they are, perhaps in one
direction only, and the history fades) and *content* (the likeness of descriptions is added) are searches of that one thing. Intervals and
verdicts are drawn over people, and verdicts are corrected for the number of models (Holm). Times are of this machine with whatever
else it had to do (its load is in the line), without compiling; the peak is that of the model's own process, of which about 200 MB are the
interpreter and its libraries."""


def page() -> str:
    """The whole page, from the tables of the last runs."""
    return "\n\n".join(parts()) + "\n"


def parts() -> Iterator[str]:
    yield HEAD
    for name, job in JOBS.items():
        table = OUT / name / "table.md"
        if not table.exists():
            sys.exit(f"The board {name} has not been run. Run: python benchmarks/boards.py {name}")
        about, _, rest = table.read_text(encoding="utf-8").strip().partition("\n\n")
        yield f"## {job.title}\n\n{about}\n\n**What it teaches.** {LESSONS[name]}\n\n{rest}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="run nothing, write the page from the last boards")
    parser.add_argument("--resume", action="store_true", help="keep the finished models of interrupted boards")
    options = parser.parse_args()
    if not options.page:
        for name in JOBS:
            print(run_board(name, resume=options.resume), flush=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE.name}.")
    if not options.page:
        failed = run_all(sorted(HERE.glob("reproduce_*.py")))
        failed += run_all([HERE / "sequence_repeats.py", HERE / "sequence_cold.py", HERE / "sequence_tuned.py"], SEQUENCE)
        failed += [] if run(HERE / "ablation.py") is not None else ["ablation"]
        finish(failed)


if __name__ == "__main__":
    main()
