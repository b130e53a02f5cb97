"""A logistic regression on a table: the simplest model of a chance that is calibrated, and that says what it has learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, logit

from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.state import State
from vitrina.ranking.calibration import require_chances
from vitrina.types import Float64

EFFECTS = {"column": pl.String, "kind": pl.String, "category": pl.String, "mean": pl.Float64, "spread": pl.Float64, "effect": pl.Float64}
STEPS = 500
TOLERANCE = 1e-8  # of the gradient, per observation


@final
class Logistic(Config):
    """log(p / (1 - p)) = intercept + sum of effects, of the largest likelihood less l2 / 2 * sum(effects^2).

    A column of numbers (or True and False) is put on mean 0 and spread 1; where it has nulls they count as its mean, and being null has an effect of its own.
    A column of text has an effect per category; one that wasn't there counts as the average. The intercept isn't held back, so the mean of the chances is that of the outcomes.

    Args:
        l2: how much effects are held back; a category with few outcomes stays near the average.

    Cost: some 30 passes over rows * columns; 16 bytes for each.

    >>> import polars as pl
    >>> table = pl.DataFrame({"day": ["mon", "sun", "sun", "mon"] * 50})
    >>> fitted = Logistic().fit(table, [0, 1, 1, 1] * 50)
    >>> fitted(pl.DataFrame({"day": ["mon", "sun", "never seen"]})).round(2).tolist()
    [0.52, 0.98, 0.88]
    """

    l2: float = Field(default=1.0, gt=0)

    def fit(self, table: pl.DataFrame, outcomes: NDArray[Any]) -> FittedLogistic:
        """Learn from a row of the table per outcome, which is within [0, 1].

        Raises:
            ParameterError: there is not an outcome per row, none at all, or one is outside.
            DataError: a column is neither numbers, flags nor text, or holds NaN or infinity.
        """
        outcomes = np.asarray(outcomes, np.float64)
        if not isinstance(table, pl.DataFrame) or outcomes.shape != (table.height,) or not len(outcomes):
            got = f"{table.height:,} rows" if isinstance(table, pl.DataFrame) else f"a {type(table).__name__}"
            raise ParameterError(
                f"Logistic is fitted on a Polars table with a row per outcome, one at least. Got {got} and outcomes of the shape {outcomes.shape}.",
                owner="Logistic",
            )
        require_chances("Logistic", outcomes)
        effects = pl.concat([_terms(column) for column in table.get_columns()] or [pl.DataFrame(schema=EFFECTS)])
        design = _design(table, effects)

        def loss(parameters: Float64) -> tuple[float, Float64]:
            z, own = design @ parameters[1:] + parameters[0], parameters[1:]
            residual = expit(z) - outcomes
            gradient = np.append(residual.sum(), design.T @ residual + self.l2 * own)
            return float(np.logaddexp(0, z).sum() - outcomes @ z + self.l2 / 2 * own @ own) / len(z), gradient / len(z)

        start = np.zeros(1 + effects.height)
        start[0] = logit((outcomes.sum() + 0.5) / (len(outcomes) + 1))
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "gtol": TOLERANCE, "ftol": 1e-14}).x
        return FittedLogistic(float(found[0]), effects.with_columns(effect=pl.Series(found[1:])))


@final
@dataclass(frozen=True, eq=False, repr=False)
class FittedLogistic:
    """A fitted logistic regression: chances of the rows of a table with the same columns, others are not read.

    Args:
        intercept: log-odds where nothing is known.
        effects: column, kind ("number", "null" or "category"), category, mean and spread (of numbers), effect on the log-odds.
    """

    intercept: float
    effects: pl.DataFrame

    def __repr__(self) -> str:
        return f"FittedLogistic({', '.join(self.effects['column'].unique(maintain_order=True)) or 'intercept alone'})"

    def __call__(self, table: pl.DataFrame) -> Float64:
        """(rows,) chances.

        Raises:
            DataError: a column is missing, or of another kind than it was fitted on.
        """
        return expit(_design(table, self.effects) @ self.effects["effect"].to_numpy() + self.intercept)

    def state(self) -> State:
        return State({"intercept": self.intercept}, files={"effects": self.effects})

    @classmethod
    def of_state(cls, state: State) -> FittedLogistic:
        return cls(float(state.config["intercept"]), state.table("effects"))


def _is_number(column: pl.Series) -> bool:
    return column.dtype.is_numeric() or column.dtype == pl.Boolean


def _numbers(column: pl.Series) -> pl.Series:
    """As float64 with nulls.

    Raises:
        DataError: NaN or infinity is in it.
    """
    numbers = column.cast(pl.Float64)
    if not numbers.drop_nulls().is_finite().all():
        raise DataError(f"The column {column.name!r} of a table of features must hold finite numbers, or null where nothing is known.")
    return numbers


def _terms(column: pl.Series) -> pl.DataFrame:
    """The rows of `effects` for a column."""
    if _is_number(column):
        numbers = _numbers(column).drop_nulls().to_numpy()
        mean, spread = (float(numbers.mean()), float(numbers.std())) if len(numbers) else (0.0, 0.0)
        rows = [(column.name, "number", None, mean, spread or 1.0, 0.0)]
        rows += [(column.name, "null", None, None, None, 0.0)] * bool(column.null_count())
        return pl.DataFrame(rows, schema=EFFECTS, orient="row")
    if not (column.dtype in (pl.String, pl.Categorical) or isinstance(column.dtype, pl.Enum)):
        raise DataError(f"The column {column.name!r} of a table of features must hold numbers, flags or text. It holds {column.dtype}.")
    names = column.cast(pl.String).unique().sort().drop_nulls()
    return pl.DataFrame({"column": column.name, "kind": "category", "category": names, "mean": None, "spread": None, "effect": 0.0}, schema=EFFECTS)  # fmt: skip


def _design(table: pl.DataFrame, effects: pl.DataFrame) -> sparse.csr_matrix:
    """(rows, effects) what each effect is multiplied by in each row."""
    parts = []
    for (name,), own in effects.group_by("column", maintain_order=True):
        if name not in table.columns:
            raise DataError(f"The table of features has no column {name!r}. Its columns: {', '.join(table.columns)}.")
        column, rows = table[str(name)], np.arange(table.height)
        if _is_number(column) != (own["kind"][0] == "number"):
            wanted = "numbers" if own["kind"][0] == "number" else "text"
            raise DataError(
                f"The column {name!r} of a table of features must hold {wanted}, as when it was fitted. It holds {column.dtype}."
            )
        if own["kind"][0] == "number":
            numbers, mean, spread = _numbers(column), own["mean"][0], own["spread"][0]
            parts.append(sparse.csr_matrix(((numbers.fill_null(mean) - mean) / spread).to_numpy()[:, None]))
            parts += [sparse.csr_matrix(column.is_null().to_numpy().astype(np.float64)[:, None])] * (own.height - 1)
            continue
        place = column.cast(pl.String).replace_strict(own["category"], np.arange(own.height), default=-1, return_dtype=pl.Int64).to_numpy()
        known = place >= 0
        parts.append(sparse.csr_matrix((np.ones(known.sum()), (rows[known], place[known])), (table.height, own.height)))
    return sparse.csr_matrix(sparse.hstack(parts)) if parts else sparse.csr_matrix((table.height, 0))
