"""What a window asks the model to name, and how a visitor is asked at answer time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config, Days
from vitrina.base.errors import DataError
from vitrina.base.time import DAY
from vitrina.forms.windows import Sequences
from vitrina.sequence.batches import Batch, tensor, weights_of
from vitrina.sequence.layout import Layout
from vitrina.types import Bool, Float64, Int64, ranges

MASK = -1
EVENTS = 1 << 23  # of windows that are gone through together, where nothing is drawn


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
        """Inputs, asked tokens and targets for windows of at least two events; `place` says which event each token is, and -1 hides its kind and value."""

    @abstractmethod
    def asked(self, windows: Sequences) -> Float64:
        """(events of the windows,) how often each event is a target of one `batch`, in expectation, window after window."""

    def frequency(self, windows: Sequences, rows: int) -> Float64:
        """(rows,) how often each row is a target of one pass over the windows, in expectation: what in-batch draws are drawn from."""
        out = np.zeros(rows)
        for part in np.split(np.arange(len(windows)), np.flatnonzero(np.diff(np.cumsum(windows.lengths) // EVENTS)) + 1):
            block = windows.take(part)
            out += np.bincount(block.rows[ranges(block.start, block.lengths)], self.asked(block), minlength=rows)
        return out

    def question(self, windows: Sequences) -> Batch:
        """The windows as they are asked at answer time: the last token speaks."""
        tokens = ranges(windows.start, windows.lengths)
        times = None if windows.times is None else windows.times[tokens]
        layout = _layout(windows.lengths, times, None if times is None else np.append(times[1:], 0))
        if layout.asked_at is not None:
            layout.asked_at[layout.last] = tensor(_moment(windows))
        return Batch(tensor(windows.rows[tokens]), layout, tensor(windows.users), layout.last, tensor(np.empty(0)), place=tokens)


class _Shifted(Objective, ABC):
    """Inputs are all events but the last; each token is asked for a later one."""

    @abstractmethod
    def within(self, windows: Sequences, tokens: Int64) -> Int64:
        """(tokens,) each token names one of so many next events, all alike; `tokens` are places in `windows.rows`."""

    def batch(self, windows: Sequences, rng: np.random.Generator) -> Batch:
        lengths = windows.lengths - 1
        tokens = ranges(windows.start, lengths)
        wanted = tokens + 1 + (rng.random(len(tokens)) * self.within(windows, tokens)).astype(np.int64)
        rows, users = tensor(windows.rows[tokens]), tensor(windows.users)
        asked = tensor(np.arange(len(tokens)))
        return Batch(rows, _inputs(windows, lengths), users, asked, tensor(windows.rows[wanted]), weights_of(windows, wanted), tokens)

    def asked(self, windows: Sequences) -> Float64:
        within = self.within(windows, ranges(windows.start, windows.lengths - 1))
        first = np.cumsum(windows.lengths) - windows.lengths
        tokens = ranges(first, windows.lengths - 1)
        total = int(windows.lengths.sum())
        begins = np.bincount(tokens + 1, 1 / within, minlength=total + 1)
        return np.cumsum(begins - np.bincount(tokens + 1 + within, 1 / within, minlength=total + 1))[:total].clip(min=0)


@final
class ShiftedSequence(_Shifted):
    """Each token names the next event. [Kang and McAuley 2018](https://arxiv.org/abs/1808.09781)."""

    def within(self, windows: Sequences, tokens: Int64) -> Int64:
        return np.ones(len(tokens), np.int64)


@final
class RandomTarget(_Shifted):
    """Each token names a random later event of its window."""

    def within(self, windows: Sequences, tokens: Int64) -> Int64:
        return np.repeat(windows.stop, windows.lengths - 1) - tokens - 1


@final
class DenseAllAction(_Shifted):
    """Each token names a random event of the next `days` days, or the next event where there is none.

    [Pancha et al. 2022](https://arxiv.org/abs/2205.04507) (PinnerFormer).
    """

    days: Days = 30

    @property
    def needs_time(self) -> bool:
        return True

    def within(self, windows: Sequences, tokens: Int64) -> Int64:
        times = _times(windows, self)
        inside = times[ranges(windows.start, windows.lengths)]
        # ranks for times: in microseconds, windows laid one behind the other could need more than 64 bits
        moments = np.unique(np.concatenate([inside, times[tokens] + int(self.days * DAY)]), return_inverse=True)[1]
        window = np.arange(len(windows)) * len(moments)
        keys = np.repeat(window, windows.lengths) + moments[: len(inside)]
        until = np.repeat(window, windows.lengths - 1) + moments[len(inside) :]
        first = np.cumsum(windows.lengths) - windows.lengths
        end = np.searchsorted(keys, until, side="right") + np.repeat(windows.start - first, windows.lengths - 1)
        return np.maximum(end - tokens - 1, 1)


@final
class NextAction(Objective):
    """Only the last token is asked, for the last event."""

    def batch(self, windows: Sequences, rng: np.random.Generator) -> Batch:
        lengths = windows.lengths - 1
        layout = _inputs(windows, lengths)
        tokens, users = ranges(windows.start, lengths), tensor(windows.users)
        wanted = windows.stop - 1
        rows = tensor(windows.rows[tokens])
        return Batch(rows, layout, users, layout.last, tensor(windows.rows[wanted]), weights_of(windows, wanted), tokens)

    def asked(self, windows: Sequences) -> Float64:
        out = np.zeros(windows.lengths.sum())
        out[np.cumsum(windows.lengths) - 1] = 1
        return out


@final
class AllAction(Objective):
    """The last token before the final `days` days is asked for every event in them (at most `most`, drawn at random)."""

    days: Days = 7
    most: int = Field(default=32, gt=0)

    @property
    def needs_time(self) -> bool:
        return True

    def batch(self, windows: Sequences, rng: np.random.Generator) -> Batch:
        place = ranges(windows.start, windows.lengths)
        window, late = self._late(windows)
        lengths = windows.lengths - np.bincount(window[late], minlength=len(windows))
        layout = _inputs(windows, lengths)
        chosen = np.flatnonzero(late)[np.argsort(rng.random(late.sum()))]
        order = chosen[np.argsort(window[chosen], kind="stable")]
        counts = np.bincount(window[order], minlength=len(windows))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        order = order[rank < self.most]
        tokens, users = ranges(windows.start, lengths), tensor(windows.users)
        asked, wanted = layout.last[tensor(window[order])], place[order]
        rows = tensor(windows.rows[tokens])
        return Batch(rows, layout, users, asked, tensor(windows.rows[wanted]), weights_of(windows, wanted), tokens)

    def asked(self, windows: Sequences) -> Float64:
        window, late = self._late(windows)
        return late.astype(np.float64) * np.minimum(1.0, self.most / np.bincount(window[late], minlength=len(windows)).clip(min=1))[window]

    def _late(self, windows: Sequences) -> tuple[Int64, Bool]:
        """(events,) the window of each event, and whether it is of the final days."""
        times = _times(windows, self)
        window = np.repeat(np.arange(len(windows)), windows.lengths)
        late = times[ranges(windows.start, windows.lengths)] > times[windows.stop - 1][window] - self.days * DAY
        late[np.cumsum(windows.lengths) - windows.lengths] = False  # something must be left to look at
        return window, late


@final
class ItemMasking(Objective):
    """A share of the events is masked and asked; tokens look both ways; a visitor is asked by a mask behind the history.

    [Sun et al. 2019](https://arxiv.org/abs/1904.06690) (BERT4Rec). At least one event per window is masked.
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
        times = None if windows.times is None else windows.times[tokens]
        wanted, layout = tokens[at], _layout(windows.lengths, times, times)
        return Batch(
            tensor(rows), layout, tensor(windows.users), tensor(at), tensor(windows.rows[wanted]), weights_of(windows, wanted),
            np.where(hidden, MASK, tokens),
        )  # fmt: skip

    def asked(self, windows: Sequences) -> Float64:
        return np.repeat(1 - (1 - self.share) * (1 - 1 / windows.lengths), windows.lengths)

    def question(self, windows: Sequences) -> Batch:
        tokens, behind = ranges(windows.start, windows.lengths), np.cumsum(windows.lengths)  # a mask stands behind each history
        rows = np.insert(windows.rows[tokens], behind, MASK)
        times = None if windows.times is None else np.insert(windows.times[tokens], behind, _moment(windows))
        layout = _layout(windows.lengths + 1, times, times)
        return Batch(tensor(rows), layout, tensor(windows.users), layout.last, tensor(np.empty(0)), place=np.insert(tokens, behind, MASK))


def _inputs(windows: Sequences, lengths: Int64) -> Layout:
    """The first `lengths` events of each window, fewer than all of them, each asked at the time of the event that follows it."""
    tokens = ranges(windows.start, lengths)
    return _layout(lengths) if windows.times is None else _layout(lengths, windows.times[tokens], windows.times[tokens + 1])


def _layout(lengths: Int64, times: Int64 | None = None, asked_at: Int64 | None = None) -> Layout:
    return Layout(tensor(lengths), *(None if moments is None else tensor(moments) for moments in (times, asked_at)))


def _moment(windows: Sequences) -> Int64:
    """(windows,) when each history is asked at answer time: without a `now`, right at its last event."""
    assert windows.times is not None
    return windows.times[windows.stop - 1] if windows.now is None else windows.now


def _times(windows: Sequences, asking: Objective) -> Int64:
    if windows.times is None:
        raise DataError(f"{asking!r} needs events with time, and the log has none. Use ShiftedSequence() or RandomTarget().")
    return windows.times
