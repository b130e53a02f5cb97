"""TIGER on the given codes of amazon-beauty, beside published numbers of the same protocol: prints a table in Markdown.

    python -m benchmarks.quality.semantic_tiger [--seeds 0 1 2] [--epochs N] [--codes rqvae] [--resume] [--keep]

Strict: trained without everybody's last two items, stopped by the last but one (`validation`), asked for the last, all items ranked; once with the items
of the history left out and once with nothing left out, as the papers ask. Finished runs are kept in `benchmarks/.cache/sequence`, so an interrupted script goes on, and
an interrupted fit after its last epoch; `--resume` takes those of older code too. `--keep` writes the block of RESULTS.md. Half an hour of one core per seed.

Published: [TIGER](https://arxiv.org/abs/2305.05065), and two implementations of it by others: tiger-cf, which says that its numbers are of the test part, and
phonism/genrec, whose table is headed as of the validation part.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import UNFILTERED, Run, capped, card, leave_one_out, measured, spread, when_and_where

LOG, METRICS = "amazon-beauty", ("Recall@10", "nDCG@10")
BARE = f"nDCG@10, {UNFILTERED}"
PUBLISHED = {
    "TIGER, the paper": {f"Recall@10, {UNFILTERED}": 0.0648, BARE: 0.0384},
    "TIGER by others, tiger-cf": {f"Recall@10, {UNFILTERED}": 0.0582, BARE: 0.0319},
    "TIGER by others, genrec (of the validation part)": {f"Recall@10, {UNFILTERED}": 0.0721, BARE: 0.0378},
}


def model_of(column: str, seed: int) -> vt.TIGER:
    return vt.TIGER(codes=vt.sequence.GivenCodes(path=str(data_folder() / LOG / "semantic_ids.parquet"), column=column), seed=seed)


def runs_of(options: argparse.Namespace) -> list[Run]:
    """One per seed."""
    split, found = leave_one_out(LOG, strict=True), []
    for seed in options.seeds:
        run = measured(capped(model_of(options.codes, seed), options.epochs), split, METRICS, resume=options.resume, unfiltered=True)
        print(f"seed {seed}: {run.numbers}, {run.fit:.0f} s, {run.notes}", file=sys.stderr, flush=True)
        found.append(run)
    return found


def page(split: vt.split.Split, runs: Sequence[Run], name: str, published: Mapping[str, Mapping[str, float]]) -> str:
    """The block of a generative model: its runs, one per seed, and what is published of it, by column."""
    columns = [*METRICS, *(f"{metric}, {UNFILTERED}" for metric in METRICS)]
    seconds = [f"{sum(getattr(run, part) for run in runs) / len(runs):.0f}" for part in ("fit", "answer")]
    epochs = ", ".join(f"{run.best_epoch} of {run.epochs}" for run in runs)
    heads = ["model", "seeds", *columns, "fit, s", "answer, s", "best epoch"]
    rows = [[name, str(len(runs)), *(spread([run[column] for run in runs]) for column in columns), *seconds, epochs]]
    rows += [
        [f"{paper}, published", "", *(f"{numbers[c]:.4f}" if c in numbers else "" for c in columns), *[""] * 3]
        for paper, numbers in published.items()
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]
    return "\n".join([card(split, LOG), "", *lines, "", f"{machine()}. Runs: {when_and_where(runs)}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="at most so many, for a quick try")
    parser.add_argument("--codes", default="rqvae", help="column of semantic_ids.parquet: rqvae or rqkmeans")
    parser.add_argument("--resume", action="store_true", help="take finished runs of older code too")
    parser.add_argument("--keep", action="store_true", help="write the block of RESULTS.md")
    options = parser.parse_args()
    runs = runs_of(options)
    text = page(leave_one_out(LOG, strict=True), runs, f"`TIGER`, codes {options.codes}", PUBLISHED)
    print(text)
    if options.keep:
        keep(RESULTS, "quality.semantic_tiger", text)


if __name__ == "__main__":
    main()
