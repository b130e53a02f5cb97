"""Recall@20 and nDCG@20 on Gowalla of a blend of two closed forms: the sharpened filter of the graph and EASE's sparse inverse.

    python -m benchmarks.quality.gowalla_blend [--search 2500]

Protocol of `benchmarks.quality.gowalla`. The two models are those that their own scripts chose in validation. Which share SANSA has in the sum of scores between 0 and 1 was chosen by
nDCG@20 of some people of a random tenth of each person's training items: `--search` does it again with so many people, and judges what it finds. The test part is looked at once.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import redirect_stdout

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.runs import card
from benchmarks.quality.gowalla import METRICS, K, gowalla, judged
from benchmarks.quality.gowalla_filters import CHOSEN as FILTER
from benchmarks.quality.gowalla_filters import row, some
from vitrina.evaluate.run import evaluate
from vitrina.forms.blended import Blended

MODELS = (FILTER, vt.SANSA(l2=50, dropout=0.5, neighbours=60))
SHARES = (0.25, 0.5, 1.0, 2.0)
CHOSEN, CHOSEN_BY = 1.0, "best of 4 by nDCG@20 of 2,500 people of validation"


def blend(share: float) -> vt.Blend:
    return vt.Blend(models=MODELS, weights=(1, share), scale=vt.scale.MinMax())


def found(validation: vt.split.Split) -> float:
    """The best share in validation; the models are fitted once."""
    members = tuple(model.fit(validation.train) for model in MODELS)
    values = {}
    for share in SHARES:
        tried = Blended(validation.train.items, validation.train.catalogue, members, (1, share), vt.scale.MinMax())
        lists = tried.recommend(validation.queries, K, eligible=validation.eligible)
        numbers = dict(evaluate(lists, validation, METRICS, intervals=False).numbers.select("metric", "value").iter_rows())
        print(f"    {share}: {numbers}", flush=True)
        values[share] = numbers["nDCG@20"]
    return max(values, key=values.__getitem__)


def main() -> None:
    """What is on the way goes to the standard error, so that what is printed is the block."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search", type=int, default=0, help="people of validation who are asked in a new search; 0 takes what was found")
    people, limits, split, begin = parser.parse_args().search, machine(), gowalla(), time.perf_counter()
    with redirect_stdout(sys.stderr):
        share, note = CHOSEN, CHOSEN_BY
        if people:
            share = found(some(split.train.holdout(), people))
            note = f"best of {len(SHARES)} by nDCG@20 of {people:,} people of validation"
        model = blend(share)
        line = row("sharpened GF-CF and SANSA", model, judged(model, split, intervals=True), note)
    text = (
        f"{limits}.\n\n{card(split, metric='nDCG@20')} {(time.perf_counter() - begin) / 60:.1f} min in all.\n\n"
        f"| blend | model | Recall@20 | nDCG@20 | fit + recommend, s | share chosen |\n|---|---|---|---|---|---|\n{line}"
    )
    keep(RESULTS, "quality.gowalla_blend", text)
    print(text)


if __name__ == "__main__":
    main()
