"""Recall@20 and nDCG@20 on Gowalla of filters of the graph: GF-CF as published, and sharpened, on the split of LightGCN.

    python -m benchmarks.quality.gowalla_filters [--search 2000]

Protocol of `benchmarks.quality.gowalla`. Dimensions, the weight of the ideal low-pass filter and the sharpening were chosen by nDCG@20 of some people of a random tenth of each person's training items,
with many configurations of one decomposition: `--search` does it again with so many people, and judges what it finds. The test part is looked at once for each row.
Published: GF-CF .1849 / .1518 ([Shen et al. 2021](https://arxiv.org/abs/2108.07567)), BSPM .1920 / .1597 ([Choi et al. 2023](https://arxiv.org/abs/2211.09324)).
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from contextlib import redirect_stdout
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.runs import card
from benchmarks.quality.gowalla import METRICS, K, gowalla, judged
from vitrina.evaluate.run import evaluate
from vitrina.models.graph_filter import Spectrum

DIMS, ALPHAS, SHARPENINGS = (256, 448), (0.1, 0.2, 0.3), (0, 0.5, 1, 2)
PUBLISHED = vt.GFCF(dim=256, alpha=0.3, sharpening=0)
CHOSEN = vt.GFCF(dim=448, alpha=0.2, sharpening=1)
CHOSEN_BY = "best of 14 by nDCG@20 of 2,500 people of validation"


def some(split: vt.split.Split, people: int) -> vt.split.Split:
    """The split with so many of its questions."""
    asked = np.sort(np.random.default_rng(0).choice(len(split.queries), min(people, len(split.queries)), replace=False))
    return vt.split.Split(split.train, split.queries[asked], split.truth.take(asked), eligible=split.eligible)


def tried(validation: vt.split.Split) -> dict[vt.GFCF, float]:
    """nDCG@20 in validation of each configuration, of one decomposition."""
    spectrum, found = Spectrum.of(validation.train, max(DIMS), seed=0), {}
    for dim, alpha, sharpening in itertools.product(DIMS, ALPHAS, SHARPENINGS):
        model = vt.GFCF(dim=dim, alpha=alpha, sharpening=sharpening)
        lists = model.of_spectrum(validation.train, spectrum.first(dim)).recommend(validation.queries, K, eligible=validation.eligible)
        values = dict(evaluate(lists, validation, METRICS, intervals=False).numbers.select("metric", "value").iter_rows())
        found[model] = values["nDCG@20"]
        print(f"    {model!r}: {values}", flush=True)
    return found


def row(name: str, model: Any, found: dict[str, Any], note: str) -> str:
    cells = (f"{found[m]['value']:.4f} [{found[m]['low']:.4f}, {found[m]['high']:.4f}]" for m in METRICS)
    return f"| {name} | `{model!r}` | {' | '.join(cells)} | {found['seconds'][0]:.1f} + {found['seconds'][1]:.1f} | {note} |"


def main() -> None:
    """What is on the way goes to the standard error, so that what is printed is the block."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search", type=int, default=0, help="people of validation who are asked in a new search; 0 takes what was found")
    people, limits, split, begin = parser.parse_args().search, machine(), gowalla(), time.perf_counter()
    with redirect_stdout(sys.stderr):
        best, note = CHOSEN, CHOSEN_BY
        if people:
            found = tried(some(split.train.holdout(), people))
            best = max(found, key=found.__getitem__)
            note = f"best of {len(found)}, {people:,} people of validation, {time.perf_counter() - begin:.0f} s"
        rows = [
            row("GF-CF as published", PUBLISHED, judged(PUBLISHED, split, intervals=True), "nothing"),
            row("GF-CF sharpened (BSPM)", best, judged(best, split, intervals=True), note),
        ]
    text = (
        f"{limits}.\n\n{card(split, metric='nDCG@20')} {(time.perf_counter() - begin) / 60:.1f} min in all.\n\n"
        "| filter | model | Recall@20 | nDCG@20 | fit + recommend, s | chosen |\n|---|---|---|---|---|---|\n"
    ) + "\n".join(rows)
    keep(RESULTS, "quality.gowalla_filters", text)
    print(text)


if __name__ == "__main__":
    main()
