"""Co-occurrence: what people who took this also took, in every weighting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self, final

import numpy as np
from pydantic import Field, field_validator, model_validator
from scipy import sparse

from vitrina.base.errors import DataError
from vitrina.base.kernels import THREADS
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.combine import Combine, Sum
from vitrina.forms.decay import Decay
from vitrina.forms.itemmap import Basis, ItemMap
from vitrina.forms.reading import Reading, kind_weights
from vitrina.models.base import ModelConfig
from vitrina.models.content_vectors import Content
from vitrina.models.cost import Cost, Size
from vitrina.models.histories import Histories, Reader, Sums, summed
from vitrina.models.news import digest, last_moment, news_of
from vitrina.models.pair_counts import counted, sums_of, with_news
from vitrina.models.rows import Rows, fit_here
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
        keep_pairs: keep how many people took both of every pair, 8 bytes per pair and direction, so that `fit(log_of_now, start=fitted)` counts only what came
            since, exactly as a fit on all of it would. For counts of people: without gap, direction, kinds, weights of events and weightings of entries.
    Returns:
        ItemMap with sparse weights.
    Raises:
        DataError: days on a log without real time, unknown kinds, or content without an item table; weights of events with `keep_pairs`; or a `start` that was
            fitted on another log than the earlier part of this one.

    Cost: the sum over users of the squared number of their items (of events, with `gap` or `one_way`), in parallel; memory
    8 bytes per pair of user and item (24 where entries of X are not 1, 40 per event with `gap` or `one_way`), 20 bytes x items x threads and
    16 bytes x items x neighbours, never items x items. Of a log in shards a worker holds histories of 2 GiB and sums of 2 GiB; where the histories
    take more, each block of items reads the log once more.

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
    keep_pairs: bool = False

    @field_validator("kinds")
    @classmethod
    def _not_negative(cls, kinds: Mapping[str, float]) -> Mapping[str, float]:
        if any(not 0 <= weight < np.inf for weight in kinds.values()):
            raise ValueError("the weight of a kind can't be negative or infinite")
        return kinds

    @model_validator(mode="after")
    def _pairs_are_counts(self) -> Self:
        plain = type(self.weighting).entries is Weighting.entries and not self.weighting.every_pair
        if self.keep_pairs and (not plain or self.gap is not None or self.one_way or self.kinds):
            raise ValueError(
                "Cooccurrence keeps pairs that are counts of people: keep_pairs goes with no 'gap', 'one_way' and 'kinds', and not with the weighting "
                f"{self.weighting!r} where that has entries or pairs of its own. Leave it out; a fit on the whole log takes them."
            )
        return self

    @property
    def takes_start(self) -> bool:  # type: ignore[override]
        return self.keep_pairs

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> ItemMap:
        self._require(data)
        follows = bool(data.repeat if data.rule is None else data.rule.repeat)
        diagonal = follows if self.diagonal is None else self.diagonal
        every = follows if self.every_event is None else self.every_event
        reader = self._reader(data, diagonal)
        if self.keep_pairs:
            weights, basis = self._of_pairs(data, start, reader, diagonal)
        else:
            weights, basis = self._of_log(data, reader, diagonal), None
        reading = Reading(self.combine, self.decay, self.last, self.kinds, every)
        return ItemMap(data.items, data.catalogue, weights, reading=reading, notes=self._notes_of_the_job(follows), basis=basis)

    def _of_log(self, data: Dataset, reader: Reader, diagonal: bool) -> sparse.csr_matrix:
        """The rows, of which no sums are kept."""
        keep = fit_here(data, reader)
        kept, sums = summed(data.map_shards(replace(reader, keep=keep)))
        rows = self._rows(data, reader, sums, diagonal)
        return rows.of_histories(Histories.joined(kept)) if keep else rows.of_log(data)

    def _of_pairs(self, data: Dataset, start: Recommender | None, reader: Reader, diagonal: bool) -> tuple[sparse.csr_matrix, Basis | None]:
        """The rows of the counts of all pairs, and these."""
        if reader.weighted:
            raise DataError(
                f"Cooccurrence keeps pairs that are counts of people, and events of {data!r} have weights. Leave 'keep_pairs' out."
            )
        pairs = counted(data, reader) if start is None else with_news(news_of(self, start, data), data.n_items)
        rows = self._rows(data, reader, sums_of(pairs, data.catalogue), diagonal)
        until = last_moment(data)
        return rows.of_pairs(pairs), None if until is None else Basis(until, digest(data), pairs=pairs)

    def _rows(self, data: Dataset, reader: Reader, sums: Sums, diagonal: bool) -> Rows:
        denominator = _of_sums(self.weighting.denominator(sums.squares, data.catalogue.n_users), sums)
        content = content_columns(self.content, data), self.content.weight if self.content else 0.0
        own = (
            sums.squares if diagonal and not self.weighting.every_pair else np.empty(0)
        )  # pairs of an item with itself are counted as others
        rest = *content, denominator.plain, own, data.catalogue.mask
        return Rows(reader, min(self.neighbours, data.n_items), sums, rest)

    def cost(self, size: Size) -> Cost:
        gapped = bool(self.one_way) or self.gap is not None or self.weighting.every_pair
        entries, pairs, each = (size.events, size.events_pairs, 40) if gapped else (size.entries, size.pairs, 8)
        if gapped and self.gap is not None:
            pairs = min(pairs, size.events * min(2 * self.gap.reach() + 1, pairs))
        neighbours = 8 * min(float(size.items * min(self.neighbours, size.items)), pairs)
        # each pair is added to a sum, and each sum looked at once: the denser the square, the more pairs share one
        sums = pairs / (1 + 20 * pairs / size.items**2)
        memory, kept = 1.5 * each * entries + 20 * size.items * THREADS + 2 * neighbours, neighbours
        if self.keep_pairs:
            memory, kept = memory + 24 * sums, kept + 8 * sums
        return Cost(memory, kept, steps=2 * pairs + 11 * sums)

    def _reader(self, data: Dataset, diagonal: bool) -> Reader:
        """What makes the histories of a shard."""
        plain = type(self.weighting).entries is Weighting.entries
        lengths = np.empty(0, np.int64) if plain else _lengths(data, self.kinds)
        gapped = bool(self.one_way) or self.gap is not None or self.weighting.every_pair
        itself = self.weighting.every_pair and diagonal
        return Reader(self.weighting, self.kinds, lengths, self.gap, 1.0 - self.one_way, itself, gapped, data.has_weights, data.n_items)

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


def _lengths(data: Dataset, kinds: Mapping[str, float]) -> Int64:
    """(items,) how many events that count each item has."""
    if all(kinds.values()):
        return data.catalogue.events
    return sum(data.map_shards(_Counter(kinds, data.n_items)), np.zeros(data.n_items, np.int64))


@dataclass(frozen=True)
class _Counter:
    """How many events of each item are of a kind that counts."""

    kinds: Mapping[str, float]
    n_items: int

    def __call__(self, shard: Dataset) -> Int64:
        counted = kind_weights(self.kinds, shard.kind_names)[shard.events.kinds] > 0
        return np.bincount(shard.events.items[counted], minlength=self.n_items)


def _columns(matrix: Any) -> tuple[Int64, Int32, Float64]:
    """A sparse matrix with the types that the kernels are compiled for."""
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float64)


def content_columns(content: Content | None, data: Dataset) -> tuple[Any, ...]:
    """Item vectors by item and by term; only items of the catalogue are pointed to, but cold ones may point."""
    vectors = sparse.csr_matrix((data.n_items, 0)) if content is None else content.vectors(data)
    return *_columns(vectors), *_columns(vectors.tocsc())


def _of_sums(d: Denominator, sums: Sums) -> Denominator:
    """The division with its powers of the sums of the rows and columns of co."""
    if not len(sums.rows):
        return d
    return replace(d, from_factor=d.from_factor * sums.rows**d.row_power, to_factor=d.to_factor * sums.columns**d.column_power)
