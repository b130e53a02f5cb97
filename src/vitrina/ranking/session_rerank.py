"""The value of a session as a re-ranker: any model's candidates in the order that earns most."""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.data.worth import usual_values
from vitrina.ranking.calibration import PlattCurve
from vitrina.ranking.value import rank_session
from vitrina.rerank.base import Candidates, RerankerConfig
from vitrina.rerank.limits import NO_LIMITS, may_take, opened, take
from vitrina.types import Float64, Queries

LARGEST = float(np.finfo(np.float32).max)


@final
class SessionValue(RerankerConfig):
    """Candidates in the order in which a session of so many slots earns most, when a person may leave after each item (`vt.ranking.rank_session`).

    The first `slots` places hold the best choice of so many, by dynamic programming; the others follow by what they earn per session lost, r / (1 - q), which is
    also what orders the lists (`scores`): below 0 an item costs more than it brings, and a session is better stopped before it. Chances come from the model's scores
    or a column of its lists, so they must be calibrated: a rising distortion changes no metric of order, and what is earned.

    Args:
        value: a column of numbers of the item table: what a success is worth. None takes the mean value of the item's events in the log. An item of which
            it isn't known is worth 0.
        column: the column of the lists that has chances, such as a head of a `TwoStage`. None takes the scores.
        chance: what makes chances of them, such as `vt.ranking.Platt().fit(scores, outcomes)` gives. None where they are chances already.
        continue_after_success: the chance that a person goes on, or a column of the item table with one for each item.
        continue_after_failure: the same after no success.
        loss_of_stopping: what it costs that a person leaves.
        slots: how many places a session has. The prefix of a list doesn't depend on how long a list is asked for.

    Raises:
        DataError: the item table has no such column of numbers, or the log has no values.
        ParameterError: the lists have no such column, or what is read of them are no chances.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> reranker = SessionValue(chance=vt.ranking.PlattCurve(slope=1.0, intercept=-2.0), slots=5)
    >>> vt.Reranked(model=vt.EASE(), reranker=reranker).fit(data).recommend(data.queries(), k=5).items.shape
    (300, 5)
    """

    obeys_limits: ClassVar[bool] = True

    value: str | None = None
    column: str | None = None
    chance: PlattCurve | None = None
    continue_after_success: float | str = 0.9
    continue_after_failure: float | str = 0.9
    loss_of_stopping: float = Field(default=0.0, ge=0)
    slots: int = Field(default=10, ge=1)

    def of_items(self, data: Dataset) -> Arrays:
        """value, after_success and after_failure, (items,) each."""
        value = usual_values(data) if self.value is None else _numbers(self, data, self.value)
        if value is None:
            raise DataError(
                f"{self!r} needs to know what items are worth, and the log has no values. Name a column of the item table: value='price'."
            )
        after = {"after_success": self.continue_after_success, "after_failure": self.continue_after_failure}
        chances = {
            name: _numbers(self, data, said) if isinstance(said, str) else np.full(data.n_items, said) for name, said in after.items()
        }
        for name, given in chances.items():
            if not ((given >= 0) & (given <= 1)).all():
                wrong = given[~((given >= 0) & (given <= 1))][0]
                raise ParameterError(f"The 'continue_{name}' of SessionValue must be chances within [0, 1], for every item. Got {wrong}.", owner="SessionValue", parameter=f"continue_{name}")  # fmt: skip
        return {"value": np.nan_to_num(np.asarray(value, np.float64)), **chances}

    def order(self, queries: Queries, candidates: Candidates, items: Arrays) -> tuple[NDArray[Any], NDArray[Any]]:
        scored = np.arange(candidates.lists.k) < candidates.counts[:, None]
        p = np.where(scored, self._chances(candidates, scored), 0.0)
        value, success, failure = (_of(items[name], candidates.lists.items) for name in ("value", "after_success", "after_failure"))
        best = rank_session(p, value, success, failure, self.loss_of_stopping, min(self.slots, max(candidates.lists.k, 1)), scored).items
        left = p * (1 - success) + (1 - p) * (1 - failure)
        earned = p * value - left * self.loss_of_stopping
        with np.errstate(divide="ignore", invalid="ignore"):
            index = np.nan_to_num(earned / left, nan=0.0, posinf=LARGEST, neginf=-LARGEST).clip(-LARGEST, LARGEST)
        place = np.full((len(queries), index.shape[1] + 1), best.shape[1])  # pads of the choice fall into the last column
        np.put_along_axis(place, np.where(best >= 0, best, index.shape[1]), np.arange(best.shape[1]), axis=1)
        order = np.lexsort((-index, place[:, :-1], ~scored), axis=-1)
        chosen = np.full((len(queries), candidates.k), -1, np.int64)
        _allowed(len(queries), order, candidates.counts, candidates.limits, candidates.limits is not NO_LIMITS, chosen)
        return chosen, np.take_along_axis(index, np.maximum(chosen, 0), axis=1)

    def notes(self, items: Arrays) -> tuple[str, ...]:
        if self.chance is not None or self.column is not None:
            return ()
        return ("the scores of the model are taken as chances: of another model give the curve that makes chances of them, chance=...",)

    def _chances(self, candidates: Candidates, scored: NDArray[Any]) -> Float64:
        """(queries, candidates) chances; anything where there is no score."""
        lists = candidates.lists
        if self.column is not None and self.column not in lists.extra:
            raise ParameterError(
                f"SessionValue reads chances from the column {self.column!r} of the lists, and they have {', '.join(lists.extra) or 'none'}.",
                owner="SessionValue", parameter="column", value=self.column,
            )  # fmt: skip
        given = np.asarray(lists.scores if self.column is None else lists.extra[self.column], np.float64)
        chances = given if self.chance is None else self.chance(given)
        wrong = chances[scored & ~((chances >= 0) & (chances <= 1))]
        if len(wrong):
            raise ParameterError(
                f"SessionValue needs chances within [0, 1], and got {wrong[0]:.4g}. Scores become chances by a curve: "
                "chance=vt.ranking.Platt().fit(scores, outcomes).", owner="SessionValue", parameter="chance",
            )  # fmt: skip
        return chances


def _numbers(config: SessionValue, data: Dataset, name: str) -> Float64:
    """(items,) a column of numbers of the item table, NaN where it is null."""
    table = data.item_table
    columns = [] if table is None else [c for c in table.frame.columns if table.frame[c].dtype.is_numeric()]
    if table is None or name not in columns:
        raise DataError(
            f"{config!r} needs the column {name!r} of numbers of the item table. Its columns of numbers: {', '.join(columns) or 'none'}."
        )
    return table.frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _of(numbers: NDArray[Any], items: NDArray[Any]) -> Float64:
    """Of each candidate; 0 for an item that wasn't there when the numbers were taken."""
    return np.append(numbers, 0.0)[np.where((items >= 0) & (items < len(numbers)), items, len(numbers))]


@Spread
def _allowed(first, last, order, counts, limits, limited, chosen):  # pragma: no cover
    """Fill the places with the first of the order that may stand there."""
    for q in range(first, last):
        count, k = counts[q], min(chosen.shape[1], counts[q])
        if not limited:
            chosen[q, :k] = order[q, :k]
            continue
        left, may, account = np.ones(count, np.bool_), np.empty(count, np.bool_), opened(q, count, limits)
        for place in range(k):
            may_take(q, place, left, limits, account, may)
            for c in order[q, :count]:
                if may[c]:
                    take(q, c, limits, account)
                    chosen[q, place], left[c] = c, False
                    break
