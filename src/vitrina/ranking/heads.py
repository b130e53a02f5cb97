"""Several aims of one list: what each counts as good, how likely that is for a pair, and how they are mixed when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config, Names
from vitrina.base.errors import ParameterError
from vitrina.base.kernels import kernel
from vitrina.data.split import Split
from vitrina.grades import Grades
from vitrina.ranking.calibration import Calibration, FittedCalibration, Isotonic, Platt
from vitrina.ranking.ranker import FittedRanker, Ranker, scores_of
from vitrina.types import Bool, Float32, Float64, Int64, Queries, Ragged

WEIGHT = "weight_"  # and the name of a head: the column of a request's context
TIE = 1e-6  # of a calibrated number that goes by the score, so that what a calibration makes equal stays in order


@final
class Head(Config):
    """One aim that a list is to serve.

    What is good is by default that an item was taken at the moment of the question. `kinds` counts only some kinds of event, such as purchases,
    and `values` counts the value of the event (money, stars, minutes) and not that it happened. A head is learned by a ranker of its own, is
    calibrated on questions that the ranker didn't learn from, and weighs `weight` in the list; a request changes that with
    the column `weight_<name>` of `Queries.context`, and nothing is fitted again.

    Args:
        name: what it is called in tables, explanations and requests.
        kinds: names of the kinds of event that count; none of them named, all do.
        values: whether the value of the event is what counts.
        judged: of judged queries (`vt.split.judged`), the number of the judgements that counts: "gain", or a further column by its name. None counts
            what is relevant.
        weight: in the mixture, where a request says nothing; below 0 what the head promises is avoided.
        calibration: from scores to the mean of what came of them. None is Platt, and Isotonic for values.
        ranker: the ranker that learns it; None is that of the two stages.

    >>> import vitrina as vt
    >>> vt.ranking.Head(name="bought", kinds=("purchase",), weight=3)
    Head(name='bought', kinds=('purchase',), weight=3.0)
    """

    name: str = Field(default="taken", pattern=r"^\w+$")
    kinds: Names = ()
    values: bool = False
    judged: str | None = None
    weight: float = 1.0
    calibration: Calibration | None = None
    ranker: Ranker | None = None

    @property
    def calibrated_by(self) -> Calibration:
        if self.calibration is not None:
            return self.calibration
        return Isotonic() if self.values or self.judged is not None else Platt()


@final
@dataclass(frozen=True, eq=False)
class FittedHead:
    """A head that was learned.

    Args:
        name: of the head.
        weight: in the mixture, where a request says nothing.
        ranker: gives scores.
        calibration: makes of their log shares what is to be expected; None where there were no outcomes to learn it from.
    """

    name: str
    weight: float
    ranker: FittedRanker
    calibration: FittedCalibration | None = None

    def expected(self, features: Float32, lengths: Int64) -> Float64:
        """(pairs,) what is to be expected of each pair: a chance, or a mean value."""
        scores = scores_of(self.ranker, features)
        if self.calibration is None:
            return scores.astype(np.float64)
        shares = log_shares(scores, lengths)
        return self.calibration(shares) + TIE * np.exp(shares)


def mixed(heads: Sequence[FittedHead], expected: Float64, queries: Queries, lengths: Int64) -> Float32:
    """(pairs,) the sum over heads of weight x expected, with the weights of each request."""
    total = np.zeros(len(expected))
    for head, column in zip(heads, expected.T, strict=True):
        total += np.repeat(queries.setting(WEIGHT + head.name, head.weight), lengths) * column
    return total.astype(np.float32)


def log_shares(scores: Float32, lengths: Int64) -> Float64:
    """(pairs,) log(exp(s) / sum of exp(s) over the candidates of the query).

    The gradient of lambdarank is that of differences within a query, so its scores have no level that two queries share
    ([LightGBM #5585](https://github.com/microsoft/LightGBM/issues/5585)); a share of the query's own candidates has one. The order stays.

    >>> np.exp(log_shares(np.array([0, 0, 5, 5, 5], np.float32), np.array([2, 0, 3]))).round(3).tolist()
    [0.5, 0.5, 0.333, 0.333, 0.333]
    """
    own = lengths[lengths > 0]
    if not len(own):
        return np.zeros(0)
    starts, values = np.cumsum(own) - own, scores.astype(np.float64)
    most = np.maximum.reduceat(values, starts)
    total = np.add.reduceat(np.exp(values - np.repeat(most, own)), starts)
    return values - np.repeat(most + np.log(total), own)


def outcomes_of(heads: Sequence[Head], split: Split) -> Float32:
    """(targets, heads) how good each target of a split was, by head.

    What was taken counts 1. Kinds and values are those of the events of the target: from the question on, up to the moment at which its last item
    was taken.

    Of judged queries the targets are all that was judged, good or bad (`targets_of`).

    Raises:
        ParameterError: a head reads kinds or values that the log doesn't have, or that the targets of the split don't show, or judgements where
            there are none.
        UnknownNameError: it reads a number that the judgements don't have.
    """
    if split.grades is not None:
        return _judged(heads, split.grades)
    targets, events = split.truth, split.queries.events
    out = np.ones((len(targets.values), len(heads)), np.float32)
    for h, head in enumerate(heads):
        if head.judged is not None:
            raise ParameterError(
                f"The head {head.name!r} reads the {head.judged!r} of judgements, and {split!r} has none. Give judged queries: fit(data, "
                "validation=vt.split.judged(...)).", owner="Head", parameter="judged", value=head.judged,
            )  # fmt: skip
        if not head.kinds and not head.values:
            continue
        worth = np.ones(len(events), np.float32) if not head.values else _values(head, events.values)
        worth = np.where(_kinds(head, split), worth, 0).astype(np.float32)
        times = np.arange(len(events)) if events.times is None else events.times
        out[:, h], found = _summed(events.items, times, worth, split.queries.stop, _ends(split), targets.indptr, targets.values)
        if not found.all():
            raise ParameterError(
                f"The head {head.name!r} reads kinds or values of what was taken, and {split!r} doesn't show the events of {int((~found).sum()):,} of "
                f"its {len(found):,} targets. Take a window that is cut from the log by a rule, such as vt.split.GlobalTime(days=30).",
                owner="Head",
            )
        if not head.values:
            out[:, h] = np.minimum(out[:, h], 1)
    return out


def targets_of(split: Split) -> Ragged:
    """What came of a question at all: the items that were taken; of judged queries all that was judged, and that a list can hold."""
    return split.truth if split.grades is None else split.grades.items.keep(split.grades.items.values >= 0)


def _judged(heads: Sequence[Head], grades: Grades) -> Float32:
    """(targets, heads) numbers of the judgements."""
    event = next((head for head in heads if head.kinds or head.values), None)
    if event is not None:
        raise ParameterError(
            f"The head {event.name!r} reads kinds or values of events, and of judged queries there are judgements. Give their table a column, "
            "such as bought, and read that: Head(name='bought', judged='bought').", owner="Head",
        )  # fmt: skip
    columns = [grades.gains > grades.above if head.judged is None else grades.column(head.judged) for head in heads]
    return np.stack(columns, axis=1).astype(np.float32)[grades.items.values >= 0]


def _values(head: Head, values: Float32 | None) -> Float32:
    if values is None:
        raise ParameterError(
            f"The head {head.name!r} counts the values of events, and the log has none. Read it with value=..., or leave 'values' out.",
            owner="Head", parameter="values", value=True,
        )  # fmt: skip
    return values


def _kinds(head: Head, split: Split) -> Bool:
    """(events,) which events count."""
    events, names = split.queries.events, split.queries.kind_names
    unknown = [kind for kind in head.kinds if kind not in names]
    if unknown:
        raise ParameterError(
            f"The 'kinds' of the head {head.name!r} must be kinds of event of the log: {', '.join(names) or 'it has none'}. Got {unknown[0]!r}.",
            owner="Head", parameter="kinds", value=head.kinds,
        )  # fmt: skip
    if not head.kinds or events.kinds is None:
        return np.ones(len(events), bool)
    return np.isin(events.kinds, [names.index(kind) for kind in head.kinds])


def _ends(split: Split) -> Int64:
    """(queries,) where the events of the person end: at the next person who is asked about at the latest."""
    starts = np.append(np.unique(split.queries.start), len(split.queries.events))
    return starts[np.searchsorted(starts, split.queries.start, side="right").clip(max=len(starts) - 1)]


@kernel
def _summed(items: Any, times: Any, worth: Any, stop: Any, ends: Any, indptr: Any, targets: Any) -> Any:  # pragma: no cover
    """The sum of what the events of each target are worth, and whether it has any."""
    total, found = np.zeros(len(targets), np.float32), np.zeros(len(targets), np.bool_)
    for q in range(len(stop)):
        left, event = indptr[q + 1] - indptr[q], stop[q]
        while event < ends[q] and (left > 0 or times[event] == times[event - 1]):
            at = indptr[q] + np.searchsorted(targets[indptr[q] : indptr[q + 1]], items[event])
            if at < indptr[q + 1] and targets[at] == items[event]:
                left -= not found[at]
                found[at] = True
                total[at] += worth[event]
            event += 1
    return total, found
