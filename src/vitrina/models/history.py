"""How models read a history: as a weighted matrix, as baskets, and with old events fading."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from vitrina.config import Config
from vitrina.data.dataset import Dataset
from vitrina.errors import DataError
from vitrina.types import Float32, Float64, Int64, Queries, ranges

DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Baskets:
    """What was taken together: the events of each query in groups, oldest first.

    A basket is a run of events with one basket id, or, without that column, with one time; without times every event
    is a basket of its own.

    >>> import vitrina as vt
    >>> queries = vt.Queries.of_histories(vt.Vocabulary.of(["tea", "milk"]), [["tea", "milk", "tea"]], times=[[1, 1, 5]])
    >>> Baskets.of(queries).of_event.tolist()
    [0, 0, 1]
    """

    indptr: Int64  # (queries + 1,) the baskets of query q are indptr[q]..indptr[q + 1] - 1
    of_event: Int64  # (events,) basket of each event of the histories, one after another

    @classmethod
    def of(cls, queries: Queries) -> Baskets:
        lengths = queries.lengths
        label = queries.events.times if queries.events.baskets is None else queries.events.baskets
        begins = np.ones(int(lengths.sum()), bool)
        if label is not None:
            label = label[ranges(queries.start, lengths)]
            begins[1:] = label[1:] != label[:-1]
        begins[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
        of_event = np.cumsum(begins) - 1
        indptr = np.zeros(len(queries) + 1, np.int64)
        np.cumsum(np.bincount(_row_of(lengths)[begins], minlength=len(queries)), out=indptr[1:])
        return cls(indptr, of_event)

    @property
    def counts(self) -> Int64:
        """(queries,) how many baskets each history has."""
        return np.diff(self.indptr)

    @property
    def places(self) -> Int64:
        """(baskets,) 0 for the oldest basket of a history, 1 for the next."""
        return ranges(np.zeros(len(self.counts), np.int64), self.counts)

    def items(self, queries: Queries, n_items: int) -> sparse.csr_matrix:
        """(baskets, items) 1 where a basket holds an item. Items beyond `n_items` are left out."""
        items = queries.histories().values
        known = items < n_items
        shape = (int(self.indptr[-1]), n_items)
        matrix = sparse.csr_matrix((known[known].astype(np.float32), (self.of_event[known], items[known])), shape=shape)
        matrix.data[:] = 1
        return matrix


class Fade(Config, ABC):
    """Old events count less: the weight is 0.5 ^ (age / half_life), the newest event of a history has age 0."""

    half_life: float = Field(gt=0)

    @abstractmethod
    def age(self, queries: Queries) -> Float64:
        """(events,) how old each event of the histories is, in the units of `half_life`."""

    def require(self, data: Dataset) -> None:
        """Raise unless the log has what the age is made of."""

    def weights(self, queries: Queries) -> Float64:
        """(events,) the weight of each event of the histories, one after another."""
        return np.exp2(-self.age(queries) / self.half_life)


@final
class FadeByDays(Fade):
    """An event counts half after `half_life` days, measured back from the newest event of the history.

    Raises:
        DataError: the log of the fit has no real time. A history that comes without times doesn't fade.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.TopPersonal(fade=vt.FadeByDays(half_life=30)).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    def require(self, data: Dataset) -> None:
        if data.time_unit != "us":
            raise DataError(f"{self!r} needs events with real time, and {data!r} has none. Use FadeByEvents or FadeByBaskets.")

    def age(self, queries: Queries) -> Float64:
        times = queries.events.times
        if times is None:
            return np.zeros(int(queries.lengths.sum()))
        newest = times[np.maximum(queries.stop - 1, 0)] if len(times) else np.zeros(len(queries), np.int64)
        elapsed = np.repeat(newest, queries.lengths) - times[ranges(queries.start, queries.lengths)]
        return elapsed.astype(np.float64) / DAY


@final
class FadeByBaskets(Fade):
    """An event counts half after `half_life` later baskets of the same person.

    >>> import vitrina as vt
    >>> vt.FadeByBaskets(half_life=3)
    FadeByBaskets(half_life=3.0)
    """

    def age(self, queries: Queries) -> Float64:
        baskets = Baskets.of(queries)
        age = np.repeat(baskets.counts, baskets.counts) - 1 - baskets.places
        return age[baskets.of_event].astype(np.float64)


@final
class FadeByEvents(Fade):
    """An event counts half after `half_life` later events of the same person.

    >>> import vitrina as vt
    >>> vt.FadeByEvents(half_life=20)
    FadeByEvents(half_life=20.0)
    """

    def age(self, queries: Queries) -> Float64:
        lengths = queries.lengths
        age = np.repeat(lengths, lengths) - 1 - ranges(np.zeros(len(queries), np.int64), lengths)
        return age.astype(np.float64)


FADES: tuple[type[Fade], ...] = (FadeByDays, FadeByBaskets, FadeByEvents)  # append only: artifacts keep the place


def fade_arrays(fade: Fade | None) -> dict[str, NDArray[Any]]:
    """What an artifact keeps of a fade."""
    return {} if fade is None else {"fade": np.array([FADES.index(type(fade)), fade.half_life])}


def fade_of_arrays(arrays: Mapping[str, NDArray[Any]]) -> Fade | None:
    """The inverse of `fade_arrays`."""
    if "fade" not in arrays:
        return None
    place, half_life = arrays["fade"].tolist()
    return FADES[int(place)](half_life=half_life)


def history_matrix(queries: Queries, n_items: int, fade: Fade | None = None) -> sparse.csr_matrix:
    """(queries, items) how often each item is in each history, old events fading. Items beyond `n_items` are left out."""
    items = queries.histories().values
    weights = np.ones(len(items), np.float32) if fade is None else fade.weights(queries).astype(np.float32)
    known = items < n_items
    rows = _row_of(queries.lengths)[known]
    indptr = np.zeros(len(queries) + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=len(queries)), out=indptr[1:])
    matrix = sparse.csr_matrix((weights[known], items[known], indptr), shape=(len(queries), n_items))
    matrix.sum_duplicates()
    return matrix


def normalised(rows: Float32) -> Float32:
    """Rows of length 1; rows of zeros stay."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def _row_of(lengths: Int64) -> Int64:
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
