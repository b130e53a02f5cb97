"""Whether the arms were given to the same kinds of units."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import sparse

from vitrina.policy.checks import ALARM, DOUBT, NO_BALANCE, Check, Verdict, p_text
from vitrina.policy.covariates import FEWEST, Covariate, covariates_of, matrix
from vitrina.policy.drawing import Drawing
from vitrina.policy.randomness import Tested
from vitrina.types import Float64

LARGE = 0.1  # of a standard deviation: an arm so far off has other people (Austin 2009)
BLOCK = 1 << 18  # rows at a time


def balance(drawing: Drawing, features: pl.DataFrame) -> tuple[list[Check], pl.DataFrame]:
    """Each covariate by itself, and all together; and the table of all, those first that differ most."""
    covariates = covariates_of(features) if features.width else []
    if not covariates:
        return [], pl.DataFrame(schema=NO_BALANCE)
    (tests, everything), frame = drawing.tests_of(features, covariates), _differences(drawing, features, covariates)
    own = {name: test.p for name, test in tests.items()}
    frame = frame.with_columns(p=pl.Series([own[c.name] for c in covariates])).sort(pl.col("difference").abs(), descending=True)
    worst = min(own, key=lambda name: own[name])
    return [_of_covariates(frame, worst, min(1.0, own[worst] * len(own)), len(own)), _of_all(everything, frame)], frame.select(
        list(NO_BALANCE)
    )


def _verdict(p: float, difference: float) -> Verdict:
    """Unlikely and large refuses; unlikely, or a little so, warns."""
    return "refuse" if p < ALARM and difference >= LARGE else "warn" if p < DOUBT else "pass"


def _of_covariates(frame: pl.DataFrame, worst: str, p: float, count: int) -> Check:
    row, own = frame.row(0, named=True), frame.filter(pl.col("covariate") == worst).row(0, named=True)
    largest = f"largest difference from the control {row['difference']:+.4f} standard deviations, of {row['arm']} in {_called(row)}"
    detail = f"{largest}; least likely {worst}, {p_text(p)} after correction for {count} covariate{'s' * (count > 1)}"
    verdict = _verdict(p, abs(own["difference"]))
    if verdict == "pass":
        return Check(
            "balance", verdict, "The arms were given to the same kinds of units, as far as was looked.", row["difference"], p, detail
        )
    size = f"{abs(own['difference']):.2f} of its spread" if abs(own["difference"]) >= 0.01 else "a little"
    side = "above" if own["difference"] > 0 else "below"
    sentence = f"The arms differ in {_called(own)} already before the decision: {own['arm']!r} is {side} the control by {size}, more than chance would make of it."
    todo = (
        " What came later may be due to that and not to the arm."
        if verdict == "refuse"
        else " Look how arms were drawn; values that use an outcome model make up for it."
    )
    return Check("balance", verdict, sentence + todo, own["difference"], p, detail)


def _of_all(test: Tested, frame: pl.DataFrame) -> Check:
    largest = frame["difference"].abs().max()
    verdict = _verdict(test.p, float(largest) if isinstance(largest, float) else 0.0)
    said = {
        "pass": "Taken together, what was known before doesn't tell which arm a unit got.",
        "warn": "Taken together, what was known before tells a little which arm a unit got. Look how arms were drawn.",
        "refuse": "What was known before tells which arm a unit got, beyond its chance: arms were chosen for units, and not drawn as the log says.",
    }
    return Check("omnibus", verdict, said[verdict], test.statistic, test.p, f"{test.how}, {p_text(test.p)}")


def _called(row: dict[str, str]) -> str:
    return row["covariate"] if row["level"] is None else f"{row['covariate']} ({row['level']})"


def _differences(drawing: Drawing, features: pl.DataFrame, covariates: list[Covariate]) -> pl.DataFrame:
    """Of each covariate the arm that differs most from the control, in standard deviations of all rows; rows are weighted by their chances where these differ."""
    totals, weights = np.zeros((len(drawing.arms), len(covariates))), np.zeros(len(drawing.arms))
    for first in range(0, len(drawing), BLOCK):
        rows = np.arange(first, min(first + BLOCK, len(drawing)))
        weight = np.ones(len(rows)) if drawing.design is not None and drawing.design.ndim == 1 else 1 / drawing.logged[rows]
        pick = sparse.csr_matrix((weight, (drawing.actions[rows], np.arange(len(rows)))), shape=(len(drawing.arms), len(rows)))
        totals += pick @ matrix(features[rows], covariates)
        weights += np.asarray(pick.sum(axis=1)).ravel()
    means: Float64 = np.divide(totals, weights[:, None], out=np.zeros_like(totals), where=weights[:, None] > 0)
    apart = means - means[drawing.control]
    counted = drawing.counts >= min(FEWEST, int(np.delete(drawing.counts, drawing.control).max()))
    at, columns = np.where(counted[:, None], np.abs(apart), -1.0).argmax(axis=0), np.arange(len(covariates))
    return pl.DataFrame(
        {
            "covariate": [c.name for c in covariates], "level": pl.Series([c.level for c in covariates], dtype=pl.String),
            "arm": [drawing.arms[a] for a in at], "difference": apart[at, columns],
        }
    )  # fmt: skip
