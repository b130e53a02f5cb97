"""What a window asks the model to name, and how a visitor is asked at answer time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
from pydantic import Field

from vitrina.config import Config
from vitrina.errors import DataError
from vitrina.sequence.batches import Batch, Sequences, tensor
from vitrina.sequence.layout import Layout
from vitrina.types import Int64, ranges

DAY = 86_400_000_000  # microseconds
MASK = -1


class Objective(Config, ABC):
    """Windows in, questions and answers out."""

    @property
    def causal(self) -> bool:
        """Whether a token may only look back."""
        return True

    @property
    def needs_time(self) -> bool:
        """Whether the log must have real time."""
        return False

    @abstractmethod
    def batch(self, windows: Sequences, rng: np.random.Generator) -> Batch:
        """Inputs, asked tokens and targets for windows of at least two events."""

    def question(self, windows: Sequences) -> Batch:
        """The windows as they are asked at answer time: the last token speaks."""
        layout = _layout(windows.lengths)
        rows = windows.rows[ranges(windows.start, windows.lengths)]
        return Batch(tensor(rows), layout, tensor(windows.users), layout.last, tensor(np.empty(0)))


class _Shifted(Objective, ABC):
    """Inputs are all events but the last; each token is asked for a later one."""

    @abstractmethod
    def targets(self, windows: Sequences, tokens: Int64, rng: np.random.Generator) -> Int64:
        """(tokens,) which event each token should name; `tokens` are places in `windows.rows`."""

    def batch(self, windows: Sequences, rng: np.random.Generator) -> Batch:
        lengths = windows.lengths - 1
        tokens = ranges(windows.start, lengths)
        wanted = self.targets(windows, tokens, rng)
        rows, users = tensor(windows.rows[tokens]), tensor(windows.users)
        return Batch(rows, _layout(lengths), users, tensor(np.arange(len(tokens))), tensor(windows.rows[wanted]))


@final
class ShiftedSequence(_Shifted):
    """Each token names the next event. [Kang and McAuley 2018](https://arxiv.org/abs/1808.09781)."""

    def targets(self, windows: Sequences, tokens: Int64, rng: np.random.Generator) -> Int64:
        return tokens + 1


@final
class RandomTarget(_Shifted):
    """Each token names a random later event of its window."""

    def targets(self, windows: Sequences, tokens: Int64, rng: np.random.Generator) -> Int64:
        left = np.repeat(windows.stop, windows.lengths - 1) - tokens - 1
        return tokens + 1 + (rng.random(len(tokens)) * left).astype(np.int64)


@final
class DenseAllAction(_Shifted):
    """Each token names a random event of the next `days` days, or the next event where there is none.

    [Pancha et al. 2022](https://arxiv.org/abs/2205.04507) (PinnerFormer).
    """

    days: float = Field(default=30, gt=0)

    @property
    def needs_time(self) -> bool:
        return True

    def targets(self, windows: Sequences, tokens: Int64, rng: np.random.Generator) -> Int64:
        times = _times(windows, self)
        inside = times[ranges(windows.start, windows.lengths)]
        # ranks for times: in microseconds, windows laid one behind the other could need more than 64 bits
        moments = np.unique(np.concatenate([inside, times[tokens] + int(self.days * DAY)]), return_inverse=True)[1]
        window = np.arange(len(windows)) * len(moments)
        keys = np.repeat(window, windows.lengths) + moments[: len(inside)]
        until = np.repeat(window, windows.lengths - 1) + moments[len(inside) :]
        first = np.cumsum(windows.lengths) - windows.lengths
        end = np.searchsorted(keys, until, side="right") + np.repeat(windows.start - first, windows.lengths - 1)
        within = np.maximum(end - tokens - 1, 1)
        return tokens + 1 + (rng.random(len(tokens)) * within).astype(np.int64)


@final
class NextAction(Objective):
    """Only the last token is asked, for the last event."""

    def batch(self, windows: Sequences, rng: np.random.Generator) -> Batch:
        lengths = windows.lengths - 1
        layout = _layout(lengths)
        rows, users = windows.rows[ranges(windows.start, lengths)], tensor(windows.users)
        return Batch(tensor(rows), layout, users, layout.last, tensor(windows.rows[windows.stop - 1]))


@final
class AllAction(Objective):
    """The last token before the final `days` days is asked for every event in them (at most `most`, drawn at random)."""

    days: float = Field(default=7, gt=0)
    most: int = Field(default=32, gt=0)

    @property
    def needs_time(self) -> bool:
        return True

    def batch(self, windows: Sequences, rng: np.random.Generator) -> Batch:
        times = _times(windows, self)
        place = ranges(windows.start, windows.lengths)
        window = np.repeat(np.arange(len(windows)), windows.lengths)
        late = times[place] > times[windows.stop - 1][window] - self.days * DAY
        first = np.zeros(len(place), bool)
        first[np.cumsum(windows.lengths) - windows.lengths] = True
        late &= ~first  # something must be left to look at
        lengths = windows.lengths - np.bincount(window[late], minlength=len(windows))
        layout = _layout(lengths)
        chosen = np.flatnonzero(late)[np.argsort(rng.random(late.sum()))]
        order = chosen[np.argsort(window[chosen], kind="stable")]
        counts = np.bincount(window[order], minlength=len(windows))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        order = order[rank < self.most]
        rows = windows.rows[ranges(windows.start, lengths)]
        return Batch(tensor(rows), layout, tensor(windows.users), layout.last[tensor(window[order])], tensor(windows.rows[place[order]]))


@final
class ItemMasking(Objective):
    """A share of the events is masked and asked; tokens look both ways; a visitor is asked by a mask behind the history.

    [Sun et al. 2019](https://arxiv.org/abs/1904.06690) (BERT4Rec). At least one event a window is masked.
    """

    share: float = Field(default=0.2, gt=0, lt=1)

    @property
    def causal(self) -> bool:
        return False

    def batch(self, windows: Sequences, rng: np.random.Generator) -> Batch:
        tokens = ranges(windows.start, windows.lengths)
        first = np.cumsum(windows.lengths) - windows.lengths
        hidden = rng.random(len(tokens)) < self.share
        hidden[first + (rng.random(len(windows)) * windows.lengths).astype(np.int64)] = True
        rows = np.where(hidden, MASK, windows.rows[tokens])
        at = np.flatnonzero(hidden)
        return Batch(tensor(rows), _layout(windows.lengths), tensor(windows.users), tensor(at), tensor(windows.rows[tokens][at]))

    def question(self, windows: Sequences) -> Batch:
        layout = _layout(windows.lengths + 1)
        rows = np.full(len(layout.window), MASK, np.int64)
        rows[(layout.from_end > 0).numpy()] = windows.rows[ranges(windows.start, windows.lengths)]
        return Batch(tensor(rows), layout, tensor(windows.users), layout.last, tensor(np.empty(0)))


def _layout(lengths: Int64) -> Layout:
    return Layout(tensor(lengths))


def _times(windows: Sequences, asking: Objective) -> Int64:
    if windows.times is None:
        raise DataError(f"{asking!r} needs events with time, and the log has none. Use ShiftedSequence() or RandomTarget().")
    return windows.times
