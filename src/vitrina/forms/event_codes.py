"""What an event says beside its item, its kind and its value, as a vector that is added to that of the item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.state import State
from vitrina.forms.windows import Sequences
from vitrina.types import Bool, Float32, Float64, Int64, Queries, ranges

BY_KIND = 256  # a kind is one byte
VECTORS, KNOTS, SCALE = PARTS = "events.vectors", "events.knots", "events.scale"  # what arrays are called in an artifact
SHOWN = 8  # kinds that a note names


@final
@dataclass(frozen=True, eq=False)
class EventCoding:
    """Which learned vectors an event has, and how strongly each counts.

    vector(event) = kind[k] + (1 - f) * knot[i] + f * knot[i + 1], where i + f is the place of asinh(value / scale) among those of the knots, so that
    the vector of a value is linear between two knots, and what lies outside of them is taken for the outermost one. Far from 0 asinh is a logarithm, near 0
    a straight line, and it takes values below 0. A kind without a vector, and a value that isn't known (NaN), have a vector of their own.

    Args:
        kinds: names of the kinds with a vector; None where kinds are not read.
        knots: (knots,) values, rising; None where values are not read.
        scale: where asinh turns from a line into a logarithm.

    The terms are numbered: the kinds, the unknown kind, the knots, the unknown value.

    >>> coding = EventCoding(None, np.array([1.0, 10.0, 100.0]), scale=1.0)
    >>> terms, amounts = coding.of_values(np.array([1, 1000, np.nan], np.float32))
    >>> (amounts[:, :2].round(3) * 1.0).tolist(), terms.tolist()
    ([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [[0, 1], [1, 2], [3, 3]])
    """

    kinds: tuple[str, ...] | None
    knots: Float64 | None
    scale: float = 1.0

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of events that are read."""
        return ("kinds",) * (self.kinds is not None) + ("values",) * (self.knots is not None)

    @property
    def first_knot(self) -> int:
        """The term of the first knot."""
        return 0 if self.kinds is None else len(self.kinds) + 1

    @property
    def unknown(self) -> tuple[int, ...]:
        """The terms of what isn't known."""
        kinds = () if self.kinds is None else (len(self.kinds),)
        return kinds if self.knots is None else (*kinds, self.first_knot + len(self.knots))

    def __len__(self) -> int:
        """How many terms there are."""
        return self.first_knot + (0 if self.knots is None else len(self.knots) + 1)

    def term_of_kind(self, kind_names: Sequence[str]) -> Int64:
        """(257,) the term of each code of a log whose kinds have these names; the last is that of none."""
        assert self.kinds is not None
        known = {name: term for term, name in enumerate(self.kinds)}
        terms = [known.get(name, len(known)) for name in kind_names]
        return np.array(terms + [len(known)] * (BY_KIND + 1 - len(terms)), np.int64)

    def of_values(self, values: NDArray[Any]) -> tuple[Int64, Float32]:
        """(events, 2) terms of values and how strongly they count."""
        assert self.knots is not None
        missing = np.isnan(values)
        places = np.interp(
            self._curved(np.where(missing, self.knots[0], values)), self._curved(self.knots), np.arange(len(self.knots), dtype=np.float64)
        )
        low = np.where(missing, len(self.knots), np.minimum(places, max(len(self.knots) - 2, 0))).astype(np.int64)
        high = np.where(missing, len(self.knots), np.minimum(low + 1, len(self.knots) - 1))
        share = np.where(missing, 0.0, places - low)
        return self.first_knot + np.stack([low, high], 1), np.stack([1 - share, share], 1).astype(np.float32)

    def _curved(self, values: NDArray[Any]) -> Float64:
        return np.arcsinh(np.asarray(values, np.float64) / self.scale)

    def terms(
        self, windows: Sequences, place: Int64, kind_names: Sequence[str], unknown: Mapping[str, Bool] | None = None
    ) -> tuple[Int64, Float32]:
        """(tokens, terms of one) terms of tokens and how strongly they count.

        Args:
            place: (tokens,) where each stands in the columns of the windows; -1 for a mask, which has no event and counts nothing.
            kind_names: what the kinds of the windows mean.
            unknown: by column, the tokens of which it is taken to be unknown.
        """
        at, unknown = np.maximum(place, 0), {} if unknown is None else unknown
        terms, amounts = [], []
        if self.kinds is not None:
            own = np.full(len(at), len(self.kinds)) if windows.kinds is None else self.term_of_kind(kind_names)[windows.kinds[at]]
            own = np.where(unknown["kinds"], len(self.kinds), own) if "kinds" in unknown else own
            terms.append(own[:, None])
            amounts.append(np.ones((len(at), 1), np.float32))
        if self.knots is not None:
            values = np.full(len(at), np.nan) if windows.values is None else windows.values[at]
            values = np.where(unknown["values"], np.nan, values) if "values" in unknown else values
            for parts, part in zip((terms, amounts), self.of_values(values), strict=True):
                parts.append(part)
        return np.concatenate(terms, 1), np.concatenate(amounts, 1) * (place >= 0)[:, None].astype(np.float32)

    def __repr__(self) -> str:
        """In words: "the kind of an event (cart, view) and its value (16 knots from 1 to 310)"."""
        parts = []
        if self.kinds is not None:
            parts.append(f"the kind of an event ({_some(self.kinds)})")
        if self.knots is not None:
            ends = f"from {self.knots[0]:.6g} to {self.knots[-1]:.6g}" if len(self.knots) > 1 else f"at {self.knots[0]:.6g}"
            parts.append(
                f"its value ({len(self.knots)} knots {ends})" if parts else f"the value of an event ({len(self.knots)} knots {ends})"
            )
        return " and ".join(parts)


@final
@dataclass(frozen=True, eq=False)
class KnownEvents:
    """The fitted side of `vitrina.sequence.EventInputs`: the coding, and a vector for each of its terms."""

    coding: EventCoding
    vectors: Float32  # (terms, dim)

    def of_windows(self, windows: Sequences, place: Int64, kind_names: Sequence[str]) -> Float32:
        """(tokens, dim) what is added to each token; `place` is where it stands in the columns of the windows, -1 for a mask."""
        terms, amounts = self.coding.terms(windows, place, kind_names)
        return np.einsum("ti,tid->td", amounts, self.vectors[terms])

    def lacking(self, queries: Queries) -> str | None:
        """What the histories lack of what is read, in a sentence: kinds that are known, and values where none of the events has one. None where they lack nothing."""
        place = ranges(queries.start, queries.lengths)
        events, lacking = queries.events, []
        if self.coding.kinds is not None:
            terms = None if events.kinds is None else self.coding.term_of_kind(queries.kind_names)[events.kinds[place]]
            count = len(place) if terms is None else int((terms == len(self.coding.kinds)).sum())
            lacking += [f"{count:,} without a kind that it knows ({_some(self.coding.kinds)})"] * (count > 0)
        if self.coding.knots is not None and (events.values is None or bool(np.isnan(events.values[place]).all())):
            lacking += [f"{len(place):,} without a value"] * (len(place) > 0)
        if not lacking:
            return None
        return f"The model reads {self.coding!r}. Of {len(place):,} events that it was given there are {' and '.join(lacking)}: they are read as unknown."

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What the state of a model has of it: plain values, which it keeps as `events`, and arrays."""
        kinds, knots = self.coding.kinds, self.coding.knots
        arrays = {VECTORS: self.vectors} if knots is None else {VECTORS: self.vectors, KNOTS: knots, SCALE: np.array([self.coding.scale])}
        return {"kinds": None if kinds is None else list(kinds)}, arrays

    @classmethod
    def of_state(cls, state: State) -> Self | None:
        """Of the state of a model; None where it reads nothing beside items."""
        plain, arrays = state.config.get("events"), state.arrays
        if plain is None:
            return None
        kinds = None if plain["kinds"] is None else tuple(plain["kinds"])
        coding = EventCoding(kinds, np.array(arrays[KNOTS]), float(arrays[SCALE][0])) if KNOTS in arrays else EventCoding(kinds, None)
        return cls(coding, np.array(arrays[VECTORS]))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
