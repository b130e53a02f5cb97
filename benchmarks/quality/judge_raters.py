"""What the three raters of chorus-electronics are worth, and whether a consensus is nearer to held-out labels than a majority.

    python -m benchmarks.quality.judge_raters

Three people labelled 3,188 query-product pairs of 135 queries on a scale of 0 to 3 and somebody settled a final label. The final label is not a function of the three: it differs from a majority of two in 8.5% of the pairs, and in 86 pairs where all three said 0 it is 1. Whoever
settled it had seen the three, though. So there are two tests of a consensus, none of which it could learn from:

1. the final label, which no method sees;
2. each rater in turn is held out: the two others' labels make the consensus of each pair, in ten folds of whole queries, and the held-out rater's label of the test fold is what is to be told. Errors of raters are learned in the training folds from all three; in the test fold the method sees two.

Differences are by query, paired.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl

from benchmarks.kit.machine import machine
from benchmarks.kit.places import data_folder
from vitrina.base.printing import short_interval
from vitrina.judge import CrowdKit, DawidSkene, Majority, Scale, annotators
from vitrina.judge.clusters import Estimate, mean_of

SCALE = Scale(grades=("not relevant", "hardly", "mostly", "exactly"))
RATERS = ("agent_1", "agent_2", "agent_3")
METHODS = {
    "majority": Majority(),
    "Dawid-Skene": DawidSkene(),
    "MACE": CrowdKit(method="MACE"),
    "GLAD": CrowdKit(method="GLAD"),
    "one coin": CrowdKit(method="OneCoinDawidSkene"),
}
FOLDS = 10


def load() -> tuple[pl.DataFrame, pl.DataFrame]:
    table = pl.read_parquet(data_folder() / "chorus-electronics" / "raters.parquet")
    labels = pl.concat([table.select("query", item="doc_id", rater=pl.lit(r), label=f"{r}_rating") for r in RATERS])
    return labels, table.select("query", item="doc_id", label="final_rating")


def gain(found: pl.DataFrame, base: pl.DataFrame, truth: pl.DataFrame) -> tuple[Estimate, Estimate]:
    """The share of right labels, and that minus the base's."""
    both = found.join(base, on=["query", "item"], suffix="_base").join(truth, on=["query", "item"], suffix="_true")
    right, other = ((both[name] == both["label_true"]).cast(pl.Float64) for name in ("label", "label_base"))
    return mean_of(right, both["query"]), mean_of(right - other, both["query"])


def told(name: str, test: str, pair: tuple[Estimate, Estimate]) -> str:
    right, difference = pair
    verdict = (
        "–" if name == "majority" else "above" if difference.low > 0 else "below" if difference.high < 0 else "no measurable difference"
    )
    shown = "–" if name == "majority" else short_interval(difference.value, difference.low, difference.high)
    return f"| {name} | {test} | {short_interval(right.value, right.low, right.high)} | {shown} | {verdict} |"


def held_out(labels: pl.DataFrame, rater: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Labels of the two others put together, by majority and by errors that were learned in other queries."""
    queries = labels["query"].unique(maintain_order=True).sort().to_list()
    fold = dict(zip(np.random.default_rng(0).permutation(queries).tolist(), np.arange(len(queries)) % FOLDS, strict=True))
    folds = labels.with_columns(fold=pl.col("query").replace_strict(fold, return_dtype=pl.Int64))
    two = folds.filter(pl.col("rater") != rater)
    learned = []
    for at in range(FOLDS):
        fitted = DawidSkene().fit(folds.filter(pl.col("fold") != at), SCALE)
        learned.append(fitted.labelled(two.filter(pl.col("fold") == at)).table)
    return Majority().fit(two, SCALE).table, pl.concat(learned)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    labels, final = load()
    found = annotators(labels, SCALE, known=final)
    print(
        "Protocol: chorus-electronics, 3 raters, 3,188 pairs of 135 queries; intervals of 95% by query. Agreement: kappa with quadratic weights with the two others. Final: share of labels that are the settled one, which had seen them.\n"
    )
    print(
        "| rater | agreement with the others | minus the others' among themselves | final | grades above the others | verdict |\n|---|---|---|---|---|---|"
    )
    for row in found.table.iter_rows(named=True):
        agreed, gap = short_interval(row["agreement"], row["low"], row["high"]), short_interval(row["gap"], row["gap_low"], row["gap_high"])
        print(f"| {row['rater']} | {agreed} | {gap} | {row['known']:.3f} | {row['leaning']:+.3f} | {row['verdict']} |")
    copied = (found.copying["verdict"] == "copied").sum()
    print(f"\n{copied} of {len(found.copying)} pairs of raters are more alike than independent ones would be.\n")
    print("| consensus | held out | right | minus majority | verdict |\n|---|---|---|---|---|")
    base = Majority().fit(labels, SCALE).table
    for name, method in METHODS.items():
        print(told(name, "final label", gain(method.fit(labels, SCALE).table, base, final)))
    for rater in RATERS:
        truth = labels.filter(pl.col("rater") == rater)
        majority, learned = held_out(labels, rater)
        print(told("majority", rater, gain(majority, majority, truth)))
        print(told("Dawid-Skene", rater, gain(learned, majority, truth)))
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
