"""Whether the arms were given to the same kinds of units."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import sparse

from vitrina.policy.checks import ALARM, DOUBT, NO_BALANCE, Check, Verdict, p_text
from vitrina.policy.covariates import FEWEST, Covariate, covariates_of, matrix
from vitrina.policy.drawing import Drawing
from vitrina.policy.randomness import Score
from vitrina.types import Float64

LARGE = 0.1  # of a standard deviation: an arm so far off has other people (Austin 2009)
BLOCK = 1 << 18  # rows at a time


def balance(drawing: Drawing, features: pl.DataFrame) -> tuple[list[Check], pl.DataFrame]:
    """Each covariate by itself, and all together; and the table of all."""
    covariates = covariates_of(features) if features.width else []
    if not covariates:
        return [], pl.DataFrame(schema=NO_BALANCE)
    score, frame = drawing.score_of(features, covariates), _differences(drawing, features, covariates)
    names = list(dict.fromkeys(c.name for c in covariates))
    own = {name: score.test(columns=np.array([c.name == name for c in covariates])).p for name in names}
    frame = frame.with_columns(p=pl.Series([own[c.name] for c in covariates])).sort("difference", descending=True, nulls_last=True)
    worst = min(names, key=lambda name: own[name])
    return [_of_covariates(frame, worst, min(1.0, own[worst] * len(names)), len(names)), _of_all(drawing, score, frame)], frame.select(
        list(NO_BALANCE)
    )


def _verdict(p: float, difference: float) -> Verdict:
    """Unlikely and large refuses; unlikely, or a little so, warns."""
    return "refuse" if p < ALARM and difference >= LARGE else "warn" if p < DOUBT else "pass"


def _of_covariates(frame: pl.DataFrame, worst: str, p: float, count: int) -> Check:
    row, own = frame.row(0, named=True), frame.filter(pl.col("covariate") == worst).row(0, named=True)
    largest = f"largest difference of two arms {row['difference']:.4f} standard deviations, in {_called(row)} ({row['highest']} above {row['lowest']})"
    detail = f"{largest}; least likely {worst}, {p_text(p)} after correction for {count} covariates"
    verdict = _verdict(p, own["difference"] or 0.0)
    if verdict == "pass":
        return Check(
            "balance", verdict, "The arms were given to the same kinds of units, as far as was looked.", row["difference"], p, detail
        )
    size = f"{own['difference']:.2f} of its spread" if own["difference"] >= 0.01 else "a little"
    sentence = f"The arms differ in {_called(own)} already before the decision: {own['highest']!r} is above {own['lowest']!r} by {size}, more than chance would make of it."
    todo = (
        " What came later may be due to that and not to the arm."
        if verdict == "refuse"
        else " Look how arms were drawn; values that use an outcome model make up for it."
    )
    return Check("balance", verdict, sentence + todo, own["difference"], p, detail)


def _of_all(drawing: Drawing, score: Score, frame: pl.DataFrame) -> Check:
    test, largest = score.test(), frame["difference"].max()
    by = "Hotelling's test over clusters" if drawing.clusters is not None else "chi-squared"
    how = (
        f"{by} {test.statistic:.2f} with {test.freedom} degrees of freedom"
        if test.joint
        else f"largest of {test.freedom} z {test.statistic:.2f}, corrected for their number"
    )
    verdict = _verdict(test.p, float(largest) if isinstance(largest, float) else 0.0)
    said = {
        "pass": "Taken together, what was known before doesn't tell which arm a unit got.",
        "warn": "Taken together, what was known before tells a little which arm a unit got. Look how arms were drawn.",
        "refuse": "What was known before tells which arm a unit got, beyond its chance: arms were chosen for units, and not drawn as the log says.",
    }
    return Check("omnibus", verdict, said[verdict], test.statistic, test.p, f"{how}, {p_text(test.p)}")


def _called(row: dict[str, str]) -> str:
    return row["covariate"] if row["level"] is None else f"{row['covariate']} ({row['level']})"


def _differences(drawing: Drawing, features: pl.DataFrame, covariates: list[Covariate]) -> pl.DataFrame:
    """Of each covariate the largest difference between two arms, in standard deviations of all rows; arms are weighted by their chances where these differ."""
    totals, weights = np.zeros((len(drawing.arms), len(covariates))), np.zeros(len(drawing.arms))
    for first in range(0, len(drawing), BLOCK):
        rows = np.arange(first, min(first + BLOCK, len(drawing)))
        weight = np.ones(len(rows)) if drawing.design is not None and drawing.design.ndim == 1 else 1 / drawing.logged[rows]
        pick = sparse.csr_matrix((weight, (drawing.actions[rows], np.arange(len(rows)))), shape=(len(drawing.arms), len(rows)))
        totals += pick @ matrix(features[rows], covariates)
        weights += np.asarray(pick.sum(axis=1)).ravel()
    counted = drawing.counts >= min(FEWEST, int(np.sort(drawing.counts)[-2:].min()))
    means: Float64 = np.divide(totals, weights[:, None], out=np.zeros_like(totals), where=weights[:, None] > 0)
    high, low = np.where(counted[:, None], means, -np.inf).argmax(axis=0), np.where(counted[:, None], means, np.inf).argmin(axis=0)
    columns = np.arange(len(covariates))
    return pl.DataFrame(
        {
            "covariate": [c.name for c in covariates], "level": pl.Series([c.level for c in covariates], dtype=pl.String),
            "difference": means[high, columns] - means[low, columns],
            "highest": [drawing.arms[a] for a in high], "lowest": [drawing.arms[a] for a in low],
        }
    )  # fmt: skip
