"""The same rule again and again, each time before the last cut."""

from __future__ import annotations

from vitrina.base.errors import ParameterError, SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.split.base import Rule, Split


def rolling(data: Dataset, rule: Rule, folds: int) -> list[Split]:
    """Folds that roll back in time, the oldest first: each tests on what the next one already trains on.

    The last fold is `rule.apply(data)`; the one before it is that fold's `train.holdout()`, and so on. Whether repeats are allowed is
    decided once, on the last fold.

    Raises:
        ParameterError: `folds` is less than 1.
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
    return splits[::-1]
