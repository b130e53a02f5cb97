"""The same rule again and again, each time before the last cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from vitrina.base.errors import ParameterError, SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.summary import moment


def rolling(data: Dataset, rule: Rule, folds: int) -> list[Split]:
    """Folds that roll back in time, the oldest first: each tests on what the next one already trains on.

    The last fold is `rule.apply(data)`; the one before it is that fold's `train.holdout()`, and so on. Whether repeats are allowed is
    decided once, on the last fold.

    Raises:
        ParameterError: `folds` is less than 1; the rule cuts at no moment, as LeaveOneOut.
        SplitError: the log is too short for so many folds.

    >>> import vitrina as vt
    >>> log = vt.testing.synthetic(users=40)
    >>> [split.train.n_events for split in vt.split.rolling(log, vt.split.GlobalTime(days=10), folds=3)]
    [306, 358, 412]
    """
    if folds < 1:
        raise ParameterError(f"The 'folds' of rolling must be at least 1. Got {folds}.", owner="rolling", parameter="folds", value=folds)
    splits = [rule.apply(data)]
    while len(splits) < folds:
        try:
            splits.append(splits[-1].train.holdout())
        except SplitError as error:
            raise SplitError(f"The log is long enough for {len(splits)} folds of {rule}, not for {folds}. {error}") from None
    splits.reverse()
    require_in_time(splits)
    return splits


def require_in_time(folds: Sequence[Split]) -> None:
    """Refuse splits that don't ask about one part of time after another: pooled, their questions would be asked twice or out of order.

    Raises:
        ParameterError: a fold begins before the one before it has ended; the message says what to take.
    """
    remedy = "Folds are made with vt.split.rolling(data, vt.split.GlobalTime(days=30), folds=3), the oldest first."
    for number, (earlier, later) in enumerate(pairwise(folds), 1):
        before, after = earlier.tally.now, later.tally.now
        if before is None or after is None:
            raise ParameterError(
                f"Folds follow one another in time, and the questions of {later!r} have no times. {remedy}", parameter="folds"
            )
        end, begin = before[1], after[0]
        if end >= begin:
            unit = earlier.train.time_unit
            raise ParameterError(
                f"Folds follow one another in time, and fold {number} by {_named(earlier)} asks until {moment(end, unit)}, fold {number + 1} by "
                f"{_named(later)} from {moment(begin, unit)} on. {remedy}",
                parameter="folds",
            )


def _named(split: Split) -> str:
    return "no rule" if split.rule is None else str(split.rule)
