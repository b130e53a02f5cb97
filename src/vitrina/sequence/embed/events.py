"""What is known of the events of a history beside their items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, final

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.forms.event_codes import EventCoding, KnownEvents
from vitrina.forms.windows import Sequences
from vitrina.sequence.batches import Batch, EventTerms
from vitrina.types import Float64, Int64, ranges

READ = {"kinds": "kind", "values": "value"}  # a column of events, and what it is called where a log is read
LOOKED_AT = 1 << 20  # values that the knots are taken from, evenly over the windows
EVENTS = 1 << 23  # of windows that are gone through together


@final
class EventInputs(Config):
    """What an event says beside its item: x = item + position + kind of the event + value of the event, for logs that have them.

    A kind (view, cart, purchase) has a learned vector. A value (price, rating, seconds of dwell) is tied to learned vectors at `knots` of its
    quantiles in training, with asinh(value / median) linear between two of them, so that heavy tails and values below 0 do no harm; where there are no
    more values than knots, as with ratings, each has a vector of its own. Values outside of those of training are taken for the outermost ones. A kind
    that training lacks, and a value that isn't there, have a vector of their own, which a share of the windows trains by being read without.

    The kind and the value of an event are read once it has happened: those of the event that is asked for are no input. Kinds are known by their names,
    whatever codes a log gives them. Weights of events are no input.

    Args:
        kinds: read the kinds of events.
        values: read the values of events.
        knots: of the values, at most.
        hidden: share of the windows in training that are read as if their kinds were unknown, and the same of values, so that the model has an answer for
            histories that come without.

    Raises:
        DataError: the log lacks what is to be read.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic(users=60, items=30)
    >>> model = vt.SequenceModel(events=vt.sequence.EventInputs(kinds=False), dim=8, training=vt.sequence.Training(epochs=1, patience=None))
    >>> model.fit(data).notes[-1]
    'reads the value of an event (5 knots from 1 to 5)'
    """

    kinds: bool = True
    values: bool = True
    knots: int = Field(default=16, ge=2)
    hidden: float = Field(default=0.05, ge=0, lt=1)

    @model_validator(mode="after")
    def _something_is_read(self) -> Self:
        if not self.reads:
            raise ValueError(
                "EventInputs must read the kinds of events, their values, or both. Got kinds=False, values=False; leave events out."
            )
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of events that are read."""
        return tuple(name for name in READ if getattr(self, name))

    def check(self, data: Dataset) -> None:
        """Refuse a log without the columns.

        Raises:
            DataError: it lacks one; says how to go on.
        """
        for name in self.reads:
            if name not in data.columns:
                others = [other for other in self.reads if other != name and other in data.columns]
                remedy = f"use EventInputs({name}=False)" if others else "leave events out"
                raise DataError(
                    f"{self!r} reads the {name} of events, and {data!r} has none. Read the log with {READ[name]}=..., or {remedy}."
                )

    def build(self, data: Dataset, windows: Sequences, dim: int) -> EventVectors:
        """A module that gives the vectors of events of a log with the kinds of `data`.

        Raises:
            DataError: no event of the windows has a value.
        """
        kinds = tuple(sorted(data.kind_names[kind] for kind in occurring(windows))) if self.kinds else None
        if not self.values:
            return EventVectors(EventCoding(kinds, None), data.kind_names, self.hidden, dim)
        values = known_values(windows)
        if not len(values):
            raise DataError(
                f"{self!r} reads the values of events, and none of those that {data!r} trains on has one. Use EventInputs(values=False)."
            )
        sizes = np.abs(values[values != 0])
        scale = float(np.median(sizes)) if len(sizes) else 1.0
        return EventVectors(EventCoding(kinds, knots_of(values, self.knots), scale), data.kind_names, self.hidden, dim)


def knots_of(values: Float64, most: int) -> Float64:
    """At most `most` of the values, rising: all of them, or their quantiles, the least and the largest among them.

    >>> knots_of(np.array([3.0, 1, 1, 2]), 16).tolist()
    [1.0, 2.0, 3.0]
    """
    different = np.unique(values)
    return different if len(different) <= most else np.unique(np.quantile(values, np.linspace(0, 1, most), method="inverted_cdf"))


def occurring(windows: Sequences) -> Int64:
    """Codes of the kinds that events of the windows have."""
    assert windows.kinds is not None
    counts = np.zeros(256, np.int64)
    for part in np.split(np.arange(len(windows)), np.flatnonzero(np.diff(np.cumsum(windows.lengths) // EVENTS)) + 1):
        block = windows.take(part)
        counts += np.bincount(windows.kinds[ranges(block.start, block.lengths)], minlength=256)
    return np.flatnonzero(counts)


def known_values(windows: Sequences) -> Float64:
    """Values of the windows' events, of a million evenly drawn ones where there are more; the same whoever holds the log."""
    assert windows.values is not None
    ends = np.cumsum(windows.lengths)
    drawn = np.arange(0, ends[-1], -(-int(ends[-1]) // LOOKED_AT))
    window = np.searchsorted(ends, drawn, side="right")
    values = windows.values[windows.stop[window] - ends[window] + drawn].astype(np.float64)
    return values[~np.isnan(values)]


@final
class EventVectors(nn.Module):
    """`forward(terms)`: the sum of the learned vectors of each token's terms, each times how strongly it counts, (tokens, dim)."""

    def __init__(self, coding: EventCoding, kind_names: Sequence[str], hidden: float, dim: int) -> None:
        super().__init__()
        self.coding, self.kind_names, self.hidden = coding, tuple(kind_names), hidden
        self.vectors = nn.Embedding(len(coding), dim)

    @torch.no_grad()
    def begin(self) -> None:
        """What isn't known adds nothing, unless training says otherwise."""
        self.vectors.weight[list(self.coding.unknown)] = 0

    def coded(self, batch: Batch, windows: Sequences, rng: np.random.Generator) -> Batch:
        """A batch of training with the terms of its tokens, of which a share of the windows lacks each column.

        Raises:
            ParameterError: the objective doesn't say which events its tokens are.
        """
        if batch.place is None:
            raise ParameterError(
                "EventInputs needs an objective that says in Batch.place which event each token is. Take one of Vitrina's, or leave events out."
            )
        window = batch.layout.window.numpy()
        unknown = {name: (rng.random(len(windows)) < self.hidden)[window] for name in self.coding.reads}
        return batch.with_events(*self.coding.terms(windows, batch.place, self.kind_names, unknown))

    def forward(self, events: EventTerms) -> Tensor:
        return F.embedding_bag(events.terms, self.vectors.weight, mode="sum", per_sample_weights=events.amounts)

    def fitted(self) -> KnownEvents:
        return KnownEvents(self.coding, self.vectors.weight.detach().cpu().numpy().copy())

    @torch.no_grad()
    def continue_from(self, old: KnownEvents | None) -> None:
        """Each term gets what the model before gave to such an event: known kinds keep their vectors, a new one has that of the unknown kind, and knots
        have what their value had. What it didn't read adds nothing, until it has been trained."""
        weight = np.zeros(tuple(self.vectors.weight.shape), np.float32)
        if old is not None and self.coding.kinds is not None and old.coding.kinds is not None:
            weight[: self.coding.first_knot] = old.vectors[old.coding.term_of_kind(self.coding.kinds)[: len(self.coding.kinds) + 1]]
        if old is not None and self.coding.knots is not None and old.coding.knots is not None:
            terms, amounts = old.coding.of_values(np.append(self.coding.knots, np.nan))
            weight[self.coding.first_knot :] = np.einsum("ti,tid->td", amounts, old.vectors[terms])
        self.vectors.weight.copy_(torch.from_numpy(weight))
