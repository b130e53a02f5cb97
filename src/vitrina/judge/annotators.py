"""What each rater's labels are worth: agreement with the others, known answers, speed, copying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.printing import short, short_interval
from vitrina.judge.agreement import agreement, counts_by, difference
from vitrina.judge.clusters import NAN, Estimate, mean_of
from vitrina.judge.consensus import Consensus, DawidSkene, Rated
from vitrina.judge.gold import Gold, cells
from vitrina.judge.scale import Scale
from vitrina.types import Float64

CHANCE = 0.2  # agreement with the others, below which labels are hardly better than drawn ones
KNOWN = 0.7  # of known answers right: the least
COPIED = 0.1  # share of equal labels beyond what independent raters would have
HURRIED = 0.25  # of the median time of all: quicker is not read
ENOUGH = 4  # raters, from whom on each pair can be judged by errors that were found without one of them
OFTEN = 0.2  # share of labels given in a hurry that is too much


@final
@dataclass(frozen=True, eq=False, repr=False)
class Annotators:
    """Raters with a verdict each.

    Args:
        table: rater, labels, agreement (kappa with quadratic weights with the other raters' labels) with low and high, gap (that minus the others' among themselves), known (share of known answers right), hurried, leaning (grades
            above the others on the same items), commonest (share of the most frequent label), verdict ("fine", "look", "leave out"), why.
        copying: rater, other, items, same (share of equal labels), expected (of independent raters as good as they are), excess with low and high, verdict.
        consensus: by Dawid and Skene's method.
    """

    table: pl.DataFrame
    copying: pl.DataFrame
    consensus: Consensus

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each rater."""
        rows = self.table.iter_rows(named=True)
        return tuple(f"{r['rater']}: {r['verdict']}. {r['why']}" for r in rows)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """By name, for pages."""
        return {"raters": self.table, "copying": self.copying}

    def __repr__(self) -> str:
        return f"Annotators({', '.join(f'{rater}: {verdict}' for rater, verdict in self.table.select('rater', 'verdict').iter_rows())})"

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def annotators(labels: pl.DataFrame, scale: Scale, *, known: pl.DataFrame | None = None, confidence: float = 0.95) -> Annotators:
    """Look at each rater.

    Args:
        labels: query, item, rater, label; with `seconds`, the time that each took, hurry is looked at.
        scale: of the labels.
        known: query, item, label of questions with known answers.
        confidence: of the intervals, by query.
    Raises:
        DataError: see `Gold.of`.
    Cost: a consensus for each rater.

    Of three raters two who copy can't be told from two who are good: known answers tell.
    """
    gold = Gold.of(labels, scale)
    consensus = DawidSkene().fit(gold, scale)
    copying = _copying(gold, consensus, confidence)
    right = None if known is None else gold.table.join(Gold.of(known, scale).table, on=["query", "item"], suffix="_known")
    hurried = _hurried(labels)
    rows = [_row(rater, gold, right, hurried, copying, confidence) for rater in gold.raters]
    return Annotators(pl.DataFrame(rows, schema=COLUMNS), copying, consensus)


COLUMNS = {
    "rater": pl.String, "labels": pl.Int64, "agreement": pl.Float64, "low": pl.Float64, "high": pl.Float64, "gap": pl.Float64, "gap_low": pl.Float64, "gap_high": pl.Float64,
    "known": pl.Float64, "known_high": pl.Float64, "hurried": pl.Float64, "leaning": pl.Float64, "commonest": pl.Float64, "verdict": pl.String, "why": pl.String,
}  # fmt: skip


def _row(
    rater: str, gold: Gold, right: pl.DataFrame | None, hurried: Mapping[str, float], copying: pl.DataFrame, confidence: float
) -> dict[str, Any]:
    own, others = gold.table.filter(pl.col("rater") == rater), gold.table.filter(pl.col("rater") != rater)
    pairs = own.join(others, on=["query", "item"], suffix="_other")
    with_others = _kappa(pairs, "code", "code_other", len(gold.scale), confidence)
    gap = _gap(pairs, Gold(others, gold.scale).pairs, len(gold.scale), confidence)
    answers = Estimate(NAN, NAN, NAN, NAN, NAN, 0, 0)
    if right is not None:
        mine = right.filter(pl.col("rater") == rater)
        answers = mean_of((mine["code"] == mine["code_known"]).cast(pl.Float64), mine["query"], confidence)
    apart = (pairs["code"] - pairs["code_other"]).to_numpy()
    row: dict[str, Any] = {
        "rater": rater, "labels": len(own), "agreement": with_others.value, "low": with_others.low, "high": with_others.high,
        "gap": gap.value, "gap_low": gap.low, "gap_high": gap.high, "known": answers.value, "known_high": answers.high, "hurried": hurried.get(rater, NAN),
        "leaning": float(apart.mean()) if len(apart) else NAN, "commonest": float(np.bincount(own["code"].to_numpy()).max() / len(own)),
    }  # fmt: skip
    row["verdict"], row["why"] = _verdict(row, copying)
    return row


def _verdict(row: Mapping[str, Any], copying: pl.DataFrame) -> tuple[str, str]:
    """The worst that is seen comes first."""
    mine = copying.filter((pl.col("verdict") == "copied") & ((pl.col("rater") == row["rater"]) | (pl.col("other") == row["rater"])))
    seen = f"Agreement with the others is {short_interval(row['agreement'], row['low'], row['high'])}"
    if row["high"] < CHANCE:
        return "leave out", f"{seen}: hardly more than labels drawn by chance."
    if row["known_high"] < KNOWN or (row["known"] == row["known_high"] and row["known"] < KNOWN):
        return "leave out", f"{short(row['known'])} of the known answers are right, and {KNOWN} is the least."
    if len(mine):
        pair = mine.row(0, named=True)
        return "look", (
            f"Labels like those of {pair['other'] if pair['rater'] == row['rater'] else pair['rater']!r} in {pair['same']:.0%} of {pair['items']:,} items, where independent raters as good "
            f"as they are would be alike in {pair['expected']:.0%}: ask whether one saw the other's."
        )
    if row["hurried"] > OFTEN:
        return "look", f"{row['hurried']:.0%} of the labels came in less than a quarter of the usual time. {seen}."
    if row["gap_high"] < 0:
        return "look", f"{seen}, which is {short(-row['gap'])} below that of the others among themselves."
    lean = (
        f", {'above' if row['leaning'] > 0 else 'below'} the others by {short(abs(row['leaning']))} grades on average"
        if abs(row["leaning"]) >= 0.05
        else ""
    )
    return "fine", f"{seen}{lean}."


def _kappa(table: pl.DataFrame, one: str, other: str, grades: int, confidence: float) -> Estimate:
    if not len(table):
        return Estimate(NAN, NAN, NAN, NAN, NAN, 0, 0, confidence)
    return agreement("kappa_quadratic", counts_by(*cells(table, one, other), table["query"], grades), confidence)


def _gap(mine: pl.DataFrame, others: pl.DataFrame, grades: int, confidence: float) -> Estimate:
    if not len(mine) or not len(others):
        return Estimate(NAN, NAN, NAN, NAN, NAN, 0, 0, confidence)
    ours = mine.select("query", one="code", other="code_other")
    return difference("kappa_quadratic", ours, others, grades, confidence)


def _hurried(labels: pl.DataFrame) -> dict[str, float]:
    """rater -> the share of labels that took less than a quarter of the median of all."""
    if "seconds" not in labels.columns:
        return {}
    usual = labels["seconds"].median()
    shares = labels.group_by("rater").agg((pl.col("seconds") < HURRIED * pl.lit(usual)).mean().alias("share"))
    return dict(shares.iter_rows())


def _copying(gold: Gold, consensus: Consensus, confidence: float) -> pl.DataFrame:
    """For each pair of raters how often they say the same, beside what is expected of independent ones: sum_z p(z | the others' labels) sum_l e_r[z, l] e_s[z, l].

    Two who copy look reliable to a method that sees both, so the errors of each are found without the other; of three raters two are too few for that, and all are looked at together.
    """
    rated = Rated.of(gold)
    errors = _errors_without(gold, consensus, rated.raters)
    said = np.full((len(rated.items), len(rated.raters)), -1)
    said[rated.at, rated.by] = rated.code
    rows = []
    for r, s in combinations(range(len(rated.raters)), 2):
        both = (said[:, r] >= 0) & (said[:, s] >= 0)
        if not both.any():
            continue
        chances = rated.chances(consensus.priors, errors[s], (r, s))[both]
        expected = chances @ (errors[s][r] * errors[r][s]).sum(axis=1)
        same = (said[both, r] == said[both, s]).astype(np.float64)
        excess = mean_of(pl.Series(same - expected), rated.items["query"].filter(pl.Series(both)), confidence)
        verdict = "copied" if excess.low > COPIED else "none seen"
        rows.append((rated.raters[r], rated.raters[s], int(both.sum()), float(same.mean()), float(expected.mean()), excess.value, excess.low, excess.high, verdict))  # fmt: skip
    names = ["rater", "other", "items", "same", "expected", "excess", "low", "high", "verdict"]
    kinds = [pl.String, pl.String, pl.Int64, *[pl.Float64] * 5, pl.String]
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def _errors_without(gold: Gold, consensus: Consensus, raters: list[str]) -> list[Float64]:
    """For each rater the (raters, grades, grades) errors as they are found without that one's labels."""
    everyone = [consensus.errors[r] for r in raters]
    if len(raters) < ENOUGH:
        return [np.stack(everyone)] * len(raters)
    found = []
    for out in raters:
        fitted = DawidSkene().fit(Gold(gold.table.filter(pl.col("rater") != out), gold.scale), gold.scale)
        found.append(np.stack([fitted.errors.get(r, consensus.errors[r]) for r in raters]))
    return found
