"""The part of a log that a ranker learns from: after what the sources were fitted on, with questions at their own moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.split import GlobalTime, LeaveOneOut, Split
from vitrina.data.split.base import Rule
from vitrina.ranking.features.base import FeatureSet
from vitrina.ranking.heads import Head, outcomes_of, targets_of
from vitrina.ranking.pairs import Pairs, source_recall
from vitrina.ranking.ranker import Examples
from vitrina.ranking.sources import Sources
from vitrina.types import Bool, Float32, Int32, Int64, Queries, Ragged, ranges
from vitrina.vocabulary import hashes, id_hashes

PAIRS = 1 << 17  # of a block: their features take some 50 MB
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def windows_of(data: Dataset, validation: Split | None, rule: Rule | None, count: int) -> tuple[list[Split], tuple[str, ...]]:
    """Up to `count` windows, the latest first, each before the one before it; and what is to be said where there are fewer.

    The rule is the one given, else that which made the log, else the last tenth of the time, or the last event of everybody where there is
    no time.
    """
    if validation is not None and validation.grades is not None:
        return [validation], ()  # what people judged and what a window of the log shows is not the same
    found = [] if validation is None else [validation]
    rest = data if validation is None else validation.train
    try:
        while len(found) < count:
            found.append(_plain(rule or rest.rule or default_rule(rest), data).apply(rest))
            rest = found[-1].train
    except SplitError as error:
        wanted = f"{len(found)} of {count} windows" if found else "no window"
        return found, (f"{wanted} for a ranker to learn from: {error}",)
    return found, ()


def default_rule(data: Dataset) -> Rule:
    """Of a whole log, which no rule has made."""
    return LeaveOneOut() if data.events.times is None else GlobalTime()


def _plain(rule: Rule, data: Dataset) -> Rule:
    """The rule without a validation part of its own, for the job that the log is fitted for."""
    changes = {"strict": False} if getattr(rule, "strict", False) else {}
    return rule.model_copy(update=changes | ({"repeat": data.repeat} if rule.repeat is None else {}))


@dataclass(frozen=True)
class Sampling:
    """How much of a window is learned from.

    Args:
        queries: that are asked, at most.
        negatives: candidates per query that were not taken.
        held_out: the share of people whose questions are kept to stop and to calibrate by.
        seed: of all draws, which are hashes of ids.
    """

    queries: int
    negatives: int
    held_out: float
    seed: int


@dataclass(frozen=True, eq=False)
class Lesson:
    """What windows have to teach.

    Args:
        examples: features of pairs, NaN where one is missing, and which queries are held out; the gains are those of the first head.
        outcomes: (pairs, heads) how good each pair was.
        taken: (queries,) how many items were taken, found or not.
        places: (pairs, sources) the place in each source's list; NaN where it isn't in it.
        recall: what each source finds; see `source_recall`.
        missing: (names,) for how many pairs a feature is missing.
        pairs: how many were looked at.
    """

    examples: Examples
    outcomes: Float32
    taken: Int64
    places: Float32
    recall: pl.DataFrame
    missing: Int64
    pairs: int

    @classmethod
    def of(
        cls, split: Split, sources: Sources, features: FeatureSet, heads: Sequence[Head], sampling: Sampling, positions: Int32 | None = None
    ) -> Lesson:  # fmt: skip
        """Ask the sources the questions of a window, and keep what was taken with some of what wasn't.

        A question that is held out keeps all its candidates, so that it is judged as a list is; of the others those stay of which something
        was found. People are held out with all their questions. Rows stand in the order of hashes of item ids, so that codes have no part in
        what is learned. `positions` are the places of the items of `split.eligible.include`, of lists that were shown.

        Memory: a block of pairs with their features, and the features of what is kept.
        """
        people = person_keys(split.queries, sampling.seed)
        keys = mixed_keys(people, split.queries.lengths.astype(np.uint64))
        asked = np.sort(np.argsort(keys, kind="stable")[: sampling.queries])
        split, positions = _only(split, asked, positions)
        held = people[asked] < np.uint64(int(sampling.held_out * 2.0**63) * 2)
        item_keys = mixed_keys(id_hashes(split.queries.vocabulary), np.uint64(sampling.seed))
        window = _Window(split, targets_of(split), outcomes_of(heads, split), keys[asked], held, item_keys, positions)
        return joined([window.part(part, sources, features, sampling.negatives) for part in window.blocks(sum(sources.quotas))])

    def filled(self, features: FeatureSet) -> Lesson:
        """The same with the declared defaults where a feature is missing."""
        return replace(self, examples=replace(self.examples, features=features.filled(self.examples.features)))

    def held_out(self) -> Lesson:
        """The queries that are held out, alone."""
        held = self.examples.held_out
        pairs = np.repeat(held, self.examples.lengths)
        return replace(
            self, examples=self.examples.take(held), outcomes=self.outcomes[pairs], taken=self.taken[held], places=self.places[pairs]
        )

    def nobody_held_out(self) -> Lesson:
        """The same with all queries to learn from."""
        return replace(self, examples=replace(self.examples, held_out=np.zeros(len(self.examples), bool)))

    def of_head(self, head: int, *, values: bool = False) -> Examples:
        """The examples as one head counts them; queries without anything good teach no order.

        nDCG is relative to the best that a query could have; where values are counted, a query weighs as much as the best of its pairs is
        worth, so that what is dear isn't lost.
        """
        examples = replace(self.examples, gains=np.maximum(self.outcomes[:, head], 0))
        best = np.zeros(len(examples), np.float32)
        np.maximum.at(best, np.repeat(np.arange(len(examples)), examples.lengths), examples.gains)
        if values:
            examples = replace(
                examples, weights=np.repeat(best / max(best[best > 0].mean(), 1e-30) if best.any() else best, examples.lengths)
            )
        return examples.take(best > 0)


def joined(lessons: Sequence[Lesson]) -> Lesson:
    """Several as one; the latest window is the first."""
    parts = [lesson.examples for lesson in lessons]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "gains", "lengths", "held_out")}
    own = {name: np.concatenate([getattr(lesson, name) for lesson in lessons]) for name in ("outcomes", "taken", "places")}
    missing = np.sum([lesson.missing for lesson in lessons], axis=0)
    shown = [part.positions for part in parts if part.positions is not None]
    if len(shown) == len(parts):
        columns["positions"] = np.concatenate(shown)
    recall = _recall_of_all([lesson.recall for lesson in lessons])
    return Lesson(
        Examples(names=parts[0].names, **columns), **own, recall=recall, missing=missing, pairs=sum(part.pairs for part in lessons)
    )


def _only(split: Split, asked: Int64, positions: Int32 | None) -> tuple[Split, Int32 | None]:
    """Some of the questions of a window, and the places of the items that were shown to them."""
    include = split.eligible.include
    if positions is not None and isinstance(include, Ragged):
        positions = positions[ranges(include.indptr[asked], include.lengths[asked])]
    return split.take(asked), positions


def _recall_of_all(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Counts are added up, means are over all queries."""
    by_query = [(pl.col(name) * pl.col("queries")).sum() / pl.col("queries").sum() for name in ("recall", "candidates")]
    counts = [pl.col(name).sum() for name in ("hits", "unique_hits", "taken", "queries")]
    return pl.concat(tables).group_by("source", maintain_order=True).agg(*by_query, *counts).select(tables[0].columns)


@dataclass(frozen=True, eq=False)
class _Window:
    """A window whose questions are asked block by block."""

    split: Split
    targets: Ragged  # sorted; of judged queries also what was found bad
    outcomes: Float32  # (targets, heads)
    keys: NDArray[np.uint64]  # (queries,)
    held: Bool  # (queries,)
    item_keys: NDArray[np.uint64]  # (items,)
    positions: Int32 | None = None  # of the items of `split.eligible.include`

    def blocks(self, candidates: int) -> Iterator[slice]:
        for part, _ in self.split.queries.blocks(max(PAIRS // candidates, 1)):
            yield part

    def part(self, part: slice, sources: Sources, features: FeatureSet, negatives: int) -> Lesson:
        truth, held = self.split.truth.rows(part), self.held[part]
        pairs = sources.candidates(self.split.queries[part].counted(), eligible=self.split.eligible.rows(part))
        recall, target = source_recall(pairs, truth), target_of(pairs, self.targets.rows(part))
        found = np.bincount(pairs.rows[target >= 0], minlength=len(held)) > 0
        looked = (found | held)[pairs.rows]
        pairs, target = pairs.keep(looked), target[looked]
        values = features.compute(pairs)
        chosen = self._chosen(pairs, target, part, negatives)
        own = self.targets.indptr[part.start] + target[chosen]
        outcomes = np.where(target[chosen, None] >= 0, self.outcomes[np.maximum(own, 0)], 0).astype(np.float32)
        lengths = np.bincount(pairs.rows[chosen], minlength=len(held))
        examples = Examples(values[chosen], outcomes[:, 0], lengths, features.names, held, self._places(pairs, part, chosen))
        return Lesson(examples, outcomes, truth.lengths, pairs.ranks[chosen], recall, np.isnan(values).sum(axis=0), len(pairs))

    def _places(self, pairs: Pairs, part: slice, chosen: Int64) -> Int32 | None:
        """(chosen,) the place at which the item of a pair was shown."""
        include = self.split.eligible.include
        if self.positions is None or not isinstance(include, Ragged):
            return None
        return self.positions[include.indptr[part.start] + target_of(pairs, include.rows(part))[chosen]]

    def _chosen(self, pairs: Pairs, target: Int64, part: slice, negatives: int) -> Int64:
        """Which pairs are learned from, query after query."""
        items = self.item_keys[pairs.codes]
        order = np.lexsort((mixed_keys(items, self.keys[part][pairs.rows]), target >= 0, pairs.rows))  # what wasn't taken comes first
        place = np.arange(len(order)) - pairs.items.indptr[pairs.rows]
        order = order[(target[order] >= 0) | (place < negatives) | self.held[part][pairs.rows]]
        return order[np.lexsort((items[order], pairs.rows[order]))]


def target_of(pairs: Pairs, truth: Ragged) -> Int64:
    """(pairs,) which target a pair is, as a place in the values of `truth`; -1 where it is none."""
    width = max(len(pairs.queries.vocabulary), int(truth.values.max(initial=0)) + 1)
    wanted, keys = truth.row_of * width + truth.values, pairs.rows * width + pairs.codes
    at = np.minimum(np.searchsorted(wanted, keys), max(len(wanted) - 1, 0))
    return np.where(wanted[at] == keys, at, -1) if len(wanted) else np.full(len(keys), -1)


def person_keys(queries: Queries, seed: int) -> NDArray[np.uint64]:
    """(queries,) a number of the person who asks, by the id; of one who isn't known, by the number of the query."""
    known = (queries.users >= 0) & (queries.people is not None)
    keys = np.arange(len(queries), dtype=np.uint64) + np.uint64(1)
    if queries.people is not None and known.any():
        users, place = np.unique(queries.users[known], return_inverse=True)
        keys[known] = hashes(queries.people.ids.gather(users))[place]
    return mixed_keys(keys, np.uint64(seed))


def mixed_keys(one: NDArray[np.uint64], other: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """Numbers that look drawn at random, of two numbers each."""
    with np.errstate(over="ignore"):
        mixed = (one ^ ((other + np.uint64(1)) * GOLDEN)) * GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(29))) * GOLDEN
    return mixed ^ (mixed >> np.uint64(32))
