"""What a network is trained on: people as bags of distinct items, some of whom are held back to stop by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vitrina.forms.windows import Sequences
from vitrina.sequence.judges import Judges
from vitrina.types import Eligibility, Events, Float32, Int32, Int64, Queries, Ragged, ranges
from vitrina.vocabulary import Vocabulary

FOLD_IN = 0.8  # of the items of somebody who is held back: what is asked with; the rest is the truth


@dataclass(frozen=True, eq=False)
class BagRows:
    """The distinct items of some people, row after row, ascending within one."""

    indptr: Int64  # (people + 1,)
    rows: Int64  # (entries,) of the tables
    weights: Float32  # (entries,) the largest of the events'

    @classmethod
    def of(cls, windows: Sequences) -> BagRows:
        """Of histories of events."""
        people = np.repeat(np.arange(len(windows)), windows.lengths)
        places = ranges(windows.start, windows.lengths)
        rows = np.asarray(windows.rows[places], np.int64)
        width = int(rows.max(initial=0)) + 1
        keys, group = np.unique(people * width + rows, return_inverse=True)
        weights = np.ones(len(keys), np.float32)
        if windows.weights is not None:
            weights[:] = 0
            np.maximum.at(weights, group, windows.weights[places])
        return cls(np.append(0, np.cumsum(np.bincount(keys // width, minlength=len(windows)))), keys % width, weights)

    @property
    def lengths(self) -> Int64:
        return np.diff(self.indptr)

    @property
    def people(self) -> Int64:
        """(entries,) whose each is."""
        return np.repeat(np.arange(len(self.indptr) - 1), self.lengths)


@dataclass(frozen=True, eq=False)
class Bags:
    """A batch of people.

    Args:
        targets: (entries,) rows of the tables.
        weights: (entries,) how much each counts.
        indptr: (people + 1,) where each person begins.
        epoch: how far the training is, with a fraction.
        phase: what the batch is for, as the network calls it.
    """

    targets: Tensor
    weights: Tensor
    indptr: Tensor
    epoch: float = 0.0
    phase: str = ""

    @classmethod
    def of(cls, entries: BagRows, device: torch.device, epoch: float = 0.0, phase: str = "") -> Bags:
        rows, weights, indptr = (torch.from_numpy(array).to(device) for array in (entries.rows, entries.weights, entries.indptr))
        return cls(rows, weights, indptr, epoch, phase)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def people(self) -> Tensor:
        """(entries,) whose each is."""
        return torch.repeat_interleave(self.indptr.diff())

    def unit_weights(self) -> Tensor:
        """(entries,) the weights of a person brought to length 1."""
        squares = torch.zeros(len(self), device=self.weights.device, dtype=self.weights.dtype).index_add_(0, self.people, self.weights**2)
        return self.weights / squares.sqrt()[self.people]


def held_back(windows: Sequences, most: int, codes: Int32, items: Vocabulary, rng: np.random.Generator) -> tuple[Sequences, Judges | None]:
    """A tenth of the people, at most `most`, with their questions: asked with 80% of their items, drawn at random, for the others; and all other people.

    Nobody is held back where there are fewer than 10 people with two items.
    """
    count = min(len(windows) // 10, most)
    chosen = np.sort(rng.permutation(len(windows))[:count])
    entries = BagRows.of(windows.take(chosen))
    asked = entries.lengths >= 2
    if not asked.any():
        return windows, None
    left = np.ones(len(windows), bool)
    left[chosen] = False
    people = entries.people
    order = np.lexsort((rng.random(len(people)), people))  # a random order within each person
    place = np.arange(len(people)) - entries.indptr[:-1][people]
    told = np.clip(np.floor(FOLD_IN * entries.lengths), 1, np.maximum(entries.lengths - 1, 1)).astype(np.int64)
    history = (place < told[people]) & asked[people]
    truth = (place >= told[people]) & asked[people]
    shuffled, weights = codes[entries.rows[order]].astype(np.int32), entries.weights[order]
    events = Events(shuffled[history], weights=None if windows.weights is None else weights[history])
    stop = np.cumsum(told[asked])
    queries = Queries(events, stop - told[asked], stop, items, np.full(int(asked.sum()), -1, np.int32))
    expected = Ragged.of_lengths((entries.lengths - told)[asked], shuffled[truth])
    return replace(windows.take(np.flatnonzero(left))), Judges(queries, expected, Eligibility())
