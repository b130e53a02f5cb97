"""Co-occurrence: what people who took this also took, in every weighting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from scipy import sparse

from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.combine import Combine, Sum
from vitrina.forms.decay import Decay, factors_of
from vitrina.forms.itemmap import ItemMap
from vitrina.forms.levels import DEEP
from vitrina.forms.reading import Reading, kind_weights
from vitrina.models.base import ModelConfig
from vitrina.models.content_vectors import Content
from vitrina.models.pairs import best_gaps, best_products, dealt, pair_sums
from vitrina.models.weighting import Cosine, Denominator, Weighting
from vitrina.protocols import Recommender
from vitrina.types import Float64, Int32, Int64


@final
class Cooccurrence(ModelConfig):
    """Score items by how often they go together with the items of the history. [Sarwar et al. 2001](https://doi.org/10.1145/371920.372071).

    co[i, j] = sum over users u of max over events e of i and f of j of x[u, i] x[u, j] w[e] w[f] g(e, f), where x are the
    entries of the weighting, w the weight of the event in the log times that of its kind, and g the decay with the gap between the
    two events (all 1 when not given: then co[i, j] is the number of people who took both). The weighting divides it, the content
    adds to it, and each item i keeps the `neighbours` best j. A history's weights, the same w among them, are combined to a score
    as `combine` says. x counts events and not their weights.

    A weighting of every pair (`vt.weighting.Transitions`) has co[i, j] = sum over users, over their events e of i and f of j, of the same product.

    The diagonal co[i, i] = sum over users of (x[u, i] w)^2, with w the largest of their events of i, says how much an item speaks
    for being taken again (with every pair: the pairs of i and i). It is divided and ranked as the others are where it is kept; descriptions add nothing to it.

    Args:
        weighting: an object of `vt.weighting`.
        neighbours: how many items each item points to.
        gap: an object of `vt.decay`: pairs count less the more events or days lie between them.
        one_way: count j only after i; with times, events of one moment are not after each other. A share in between lets pairs that are not
            in this direction count for the rest: with 0.75 a quarter as much.
        kinds: weights by the name of the kind of event, at the fit and in the history; a kind that is not named counts 1.
        content: how much the likeness of descriptions adds.
        combine: an object of `vt.combine`.
        decay: an object of `vt.decay`: old events of the history count less.
        last: how many events at the end of a history are read; None reads all.
        diagonal: keep what an item says of itself. None follows the job: kept where the split of the training part lets items come back
            (`repeat`), and then the result's `notes` say so; a whole log without a job has none, unless it is asked for.
        every_event: whether each event of an item in the history counts, so that what was taken five times speaks five times, or the
            item once, with its largest weight. None follows the job, as `diagonal` does.
    Returns:
        ItemMap with sparse weights.
    Raises:
        DataError: days on a log without real time, unknown kinds, or content without an item table.

    Cost: the sum over users of the squared number of their items (of events, with `gap` or `one_way`), in parallel; memory
    4 to 30 bytes per event, 20 bytes x items x threads and 8 bytes x items x neighbours, never items x items.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> model = vt.Cooccurrence(weighting=vt.weighting.Jaccard(), gap=vt.decay.Exponential(events=5), one_way=True)
    >>> model.fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    weighting: Weighting = Cosine()
    neighbours: int = Field(default=100, ge=1)
    gap: Decay | None = None
    one_way: bool | Annotated[float, Field(ge=0, le=1)] = False
    kinds: Mapping[str, float] = Field(default_factory=dict)
    content: Content | None = None
    combine: Combine = Sum()
    decay: Decay | None = None
    last: int | None = Field(default=None, ge=1)
    diagonal: bool | None = None
    every_event: bool | None = None

    @field_validator("kinds")
    @classmethod
    def _not_negative(cls, kinds: Mapping[str, float]) -> Mapping[str, float]:
        if any(not 0 <= weight < np.inf for weight in kinds.values()):
            raise ValueError("the weight of a kind can't be negative or infinite")
        return kinds

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> ItemMap:
        self._require(data)
        log = Log.of(data, self.kinds, timed=self._gapped)
        users_items = log.counts()
        factors = self.weighting.entries(users_items)
        best = _largest(log, users_items) if self.kinds or data.has_weights else 1.0
        users_items.data = factors * best
        squares = np.bincount(users_items.indices, users_items.data**2, minlength=data.n_items).astype(np.float64)
        denominator = self.weighting.denominator(squares, data.n_users)
        factors_of_events = factors[log.entry_of(users_items)] if self._gapped else factors
        follows = bool(data.repeat if data.rule is None else data.rule.repeat)
        diagonal = follows if self.diagonal is None else self.diagonal
        every = follows if self.every_event is None else self.every_event
        weights = self._best(log, users_items, factors_of_events, denominator, squares if diagonal else np.empty(0), data)
        reading = Reading(self.combine, self.decay, self.last, self.kinds, every)
        return ItemMap(data.items, data.catalogue, weights, reading=reading, notes=self._notes_of_the_job(follows))

    def _notes_of_the_job(self, repeat: bool) -> tuple[str, ...]:
        """What is said of the parameters that follow the job."""
        notes = ()
        if repeat and self.diagonal is None:
            notes += ("An item counts for itself, because repeats are allowed: diagonal=False leaves it out.",)
        if repeat and self.every_event is None:
            notes += ("Each event of an item in the history counts, because repeats are allowed: every_event=False counts the item once.",)
        return notes

    def _require(self, data: Dataset) -> None:
        for decay in (self.gap, self.decay):
            if decay is not None:
                decay.require(data)
        unknown = set(self.kinds) - set(data.kind_names)
        if unknown:
            kinds = ", ".join(data.kind_names) or "no kinds at all"
            raise DataError(f"The 'kinds' of Cooccurrence must be kinds of event in the log ({kinds}). Got {', '.join(sorted(unknown))}.")

    def _best(
        self, log: Log, users_items: sparse.csr_matrix, factors: Float64, denominator: Denominator, diagonal: Float64, data: Dataset
    ) -> sparse.csr_matrix:
        """The fused product: each item's best neighbours, best first."""
        n_items = data.n_items
        room = min(self.neighbours, n_items)
        faint = self._faint(log)
        scores = np.empty((n_items, room), np.float64 if faint else np.float32)
        out = np.empty((n_items, room), np.int32), scores, np.zeros(n_items, np.int64)
        content = _content(self.content, data), self.content.weight if self.content else 0.0
        rest = diagonal, data.catalogue.mask, *out
        order = dealt(_work(users_items, n_items))
        if self._gapped:
            every = self.weighting.every_pair
            reach = min(self.gap.reach() if self.gap else np.inf, log.longest)
            gaps = *factors_of(self.gap), int(np.ceil(reach)), 1.0 - self.one_way, faint, every and len(diagonal) > 0
            pairs = log.by_item(), (log.items, log.users, log.indptr, log.times, log.weights, factors), gaps
            if every:
                denominator = _of_sums(denominator, n_items, *pairs)
            best_gaps(n_items, order, *pairs, every, *content, _plain(denominator), *rest)
        else:
            best_products(n_items, order, _columns(users_items.tocsc()), _columns(users_items), *content, _plain(denominator), *rest)
        return _csr(*out)

    def _faint(self, log: Log) -> bool:
        """Whether the gap leaves less of some pair than float32 holds."""
        if self.gap is None or not len(log.items):
            return False
        spans = log.times[log.indptr[1:] - 1] - log.times[log.indptr[:-1]] if len(log.times) else np.zeros(len(log.indptr) - 1, np.int64)
        return bool((self.gap.halvings(np.diff(log.indptr) - 2, spans) >= DEEP).any())

    @property
    def _gapped(self) -> bool:
        return bool(self.one_way) or self.gap is not None or self.weighting.every_pair


@dataclass(frozen=True)
class Log:
    """The events of all shards that count, compact; users are numbered anew."""

    items: Int32  # (events,)
    indptr: Int64  # (users + 1,)
    weights: Float64  # (events,) of the events and their kinds, above 0
    times: Int64  # (events,), or empty
    n_items: int

    @classmethod
    def of(cls, data: Dataset, kinds: Mapping[str, float], *, timed: bool) -> Log:
        parts = [_part(shard, kinds, timed) for shard in data.shards()]
        lengths, items, weights, times = (np.concatenate(column) for column in zip(*parts, strict=True))
        return cls(items, _indptr(lengths), weights, times, data.n_items)

    @property
    def longest(self) -> int:
        """Events of the longest history."""
        return int(np.diff(self.indptr).max(initial=0))

    @property
    def users(self) -> Int32:
        """(events,) user of each event."""
        return np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int32), np.diff(self.indptr))

    def counts(self) -> sparse.csr_matrix:
        """(users, items) how many events each user has of each item, indices sorted."""
        shape = (len(self.indptr) - 1, self.n_items)
        matrix = sparse.csr_matrix((np.ones(len(self.items)), self.items.copy(), self.indptr.copy()), shape=shape)
        matrix.sum_duplicates()
        return matrix

    def entry_of(self, matrix: sparse.csr_matrix) -> Int64:
        """(events,) place in `matrix.data` of each event's user and item."""
        keys = np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int64), np.diff(matrix.indptr)) * self.n_items + matrix.indices
        return np.searchsorted(keys, self.users.astype(np.int64) * self.n_items + self.items)

    def by_item(self) -> tuple[Int64, Int64]:
        """Positions of each item's events, ascending."""
        return _indptr(np.bincount(self.items, minlength=self.n_items)), np.argsort(self.items, kind="stable")


def _part(shard: Dataset, kinds: Mapping[str, float], timed: bool) -> tuple[Int64, Int32, Float64, Int64]:
    """Lengths of the histories that have events that count, and the columns of these events."""
    items, codes, times = shard.events.items, shard.events.kinds, shard.events.times
    weights = np.ones(len(items)) if shard.events.weights is None else shard.events.weights.astype(np.float64)
    if kinds and codes is not None:
        weights = weights * kind_weights(kinds, shard.kind_names).astype(np.float64)[codes]
    times = times if timed and times is not None else np.empty(0, np.int64)
    counted = weights > 0
    lengths = np.diff(shard.indptr)
    if not counted.all():
        lengths = np.bincount(shard.user_of[counted], minlength=len(lengths))
        items, weights, times = items[counted], weights[counted], times[counted] if len(times) else times
    return lengths[lengths > 0], items, weights, times


def _indptr(lengths: NDArray[Any]) -> Int64:
    indptr = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    return indptr


def _largest(log: Log, users_items: sparse.csr_matrix) -> Float64:
    """The largest weight of the events of each entry."""
    largest = np.zeros(len(users_items.data))
    np.maximum.at(largest, log.entry_of(users_items), log.weights)
    return largest


def _work(users_items: sparse.csr_matrix, n_items: int) -> Float64:
    """(items,) length of the histories that hold an item: what its row costs."""
    lengths = np.diff(users_items.indptr)
    return np.bincount(users_items.indices, np.repeat(lengths, lengths), minlength=n_items).astype(np.float64)


def _columns(matrix: Any) -> tuple[Int64, Int32, Float64]:
    """A sparse matrix with the types that the kernels are compiled for."""
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float64)


def _content(content: Content | None, data: Dataset) -> tuple[Any, ...]:
    """Item vectors by item and by term; only items of the catalogue are pointed to, but cold ones may point."""
    vectors = sparse.csr_matrix((data.n_items, 0)) if content is None else content.vectors(data)
    return *_columns(vectors), *_columns(vectors.tocsc())


def _of_sums(d: Denominator, n_items: int, *pairs: Any) -> Denominator:
    """The division with its powers of the sums of the rows and columns of co."""
    rows, columns = np.zeros(n_items), np.zeros(n_items)
    if d.row_power or d.column_power:
        pair_sums(n_items, *pairs, rows, columns)
    return replace(d, from_factor=d.from_factor * rows**d.row_power, to_factor=d.to_factor * columns**d.column_power)


def _plain(d: Denominator) -> tuple[Any, ...]:
    return d.from_factor, d.to_factor, d.from_term, d.to_term, float(d.row_total), float(d.own), float(d.constant)


def _csr(items: Int32, scores: NDArray[Any], sizes: Int64) -> sparse.csr_matrix:
    """Rows of which the first `sizes` places are filled; float32 if that holds them."""
    filled = np.arange(items.shape[1]) < sizes[:, None]
    weights = scores[filled]
    weights = weights if weights.min(initial=1) < 2.0**-DEEP else weights.astype(np.float32, copy=False)
    return sparse.csr_matrix((weights, items[filled], _indptr(sizes)), shape=(len(items), len(items)))
