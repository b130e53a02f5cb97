"""The forms of a blend: several fitted models, whose scores or whose lists are added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.kernels import Spread
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.data.features import FeatureTable
from vitrina.forms.base import SPARSE_QUERIES, Form
from vitrina.forms.scale import Scale
from vitrina.protocols import Recommender, Scorer
from vitrina.request import check_request, list_width
from vitrina.retrieve.top_k import block_size, top_k_ragged
from vitrina.told import tables_of_members
from vitrina.types import Eligibility, Float32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary


@final
@dataclass(frozen=True, eq=False, repr=False)
class Blended(Form):
    """score[q, i] = sum over members of weight * part, parts as the scale makes them of all scores of a member; -inf where no member has an opinion.

    Cost: the dense scores of every member whose weight is above 0; memory for a block of 16 MB of scores, four times over.

    Args:
        members: fitted models of the same items.
        weights: one for each.
        scale: how scores become parts: one for all, or one for each.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    members: tuple[Scorer, ...]
    weights: tuple[float, ...]
    scale: Scale | tuple[Scale, ...]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Those of the members, behind their names."""
        return tables_of_members(self.members)

    def score_block(self, queries: Queries) -> Float32:
        total = np.full((len(queries), len(self.vocabulary)), -np.inf, np.float32)
        for member, weight, scale in zip(self.members, self.weights, scales_of(self), strict=True):
            if weight > 0:
                scores = opinions(member, queries)
                _add(len(queries), scores, scale.of(scores), np.float32(weight), total)
        return total

    def parts(self, queries: Queries, candidates: Ragged, eligible: Eligibility) -> Float32:
        """(pairs, members) what each member says of each query's own candidates."""
        out = np.empty((len(candidates.values), len(self.members)), np.float32)
        for part, block in queries.blocks(block_size(len(self.vocabulary))):
            own, rows = slice(*candidates.indptr[[part.start, part.stop]]), candidates.rows(part)
            for m, (member, scale) in enumerate(zip(self.members, scales_of(self), strict=True)):
                out[own, m] = scale.of(opinions(member, block))[rows.row_of, rows.values]
        return out

    def state(self) -> State:
        return _state(self)

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Blended:
        return cls(vocabulary, catalogue, **_of_state(state))


@final
@dataclass(frozen=True, eq=False, repr=False)
class BlendedLists:
    """The same for members that give lists alone: of each member's `candidates` best eligible items, with their places and scores in its list.

    Cost: a list of `candidates` items from every member.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    members: tuple[Recommender, ...]
    weights: tuple[float, ...]
    scale: Scale | tuple[Scale, ...]
    candidates: int
    model: Any = None
    item_table: FeatureTable | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"BlendedLists({', '.join(map(repr, self.members))})"

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Those of the members, behind their names."""
        return tables_of_members(self.members)

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The best k eligible items for each query; places that no member's list fills are popularity's.

        Raises:
            ParameterError: these are no Queries, `k` is no length, or `eligible` has rows that are not one per query.
            VocabularyError: the queries are encoded with other item ids than the model.
        """
        k = list_width(check_request(queries, k, eligible), self.catalogue)
        parts = [self._answer(block, k, eligible.rows(part)) for part, block in queries.blocks(SPARSE_QUERIES)]
        lists = Recommendations.concat(parts or [self._answer(queries, k, eligible)])
        return replace(lists, labels=queries.labels, titles=None if self.item_table is None else self.item_table.title_column)

    def _answer(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        lists = [member.recommend(queries, self.candidates, eligible=eligible) for member in self.members]
        candidates = together(lists)
        scores = self._parts_of(lists, candidates) @ np.array(self.weights, np.float32)
        return top_k_ragged(candidates, scores, queries, k, eligible, self.catalogue, self.vocabulary)

    def parts(self, queries: Queries, candidates: Ragged, eligible: Eligibility) -> Float32:
        """(pairs, members) what each member says of each query's own candidates."""
        return self._parts_of([member.recommend(queries, self.candidates, eligible=eligible) for member in self.members], candidates)

    def _parts_of(self, lists: Sequence[Recommendations], candidates: Ragged) -> Float32:
        out = np.zeros((len(candidates.values), len(lists)), np.float32)
        keys = candidates.row_of * len(self.vocabulary) + candidates.values
        for m, (answer, scale) in enumerate(zip(lists, scales_of(self), strict=True)):
            rows, places = np.nonzero(own_places(answer))
            scores = np.where(own_places(answer), answer.scores, -np.inf).astype(np.float32)
            at = np.searchsorted(keys, rows * len(self.vocabulary) + answer.items[rows, places])
            out[at, m] = scale.of(scores)[rows, places]
        return out

    def state(self) -> State:
        state = _state(self)
        return replace(state, config={**state.config, "candidates": self.candidates})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> BlendedLists:
        return cls(vocabulary, catalogue, **_of_state(state), candidates=int(state.config["candidates"]))


def scales_of(blended: Blended | BlendedLists) -> tuple[Scale, ...]:
    """The scale of each member."""
    return blended.scale if isinstance(blended.scale, tuple) else (blended.scale,) * len(blended.members)


def opinions(member: Scorer, queries: Queries) -> Float32:
    """(queries, items) the scores of a member, not finite where it has none or doesn't recommend the item."""
    if isinstance(member, Form):
        scores = member.score_block(queries.counted())
    else:
        scores = member.score(queries, np.arange(len(member.vocabulary), dtype=np.int32))
    closed = np.flatnonzero(~member.catalogue.mask)
    if len(closed):
        scores[:, closed] = -np.inf
    return scores


@Spread
def _add(first, last, scores, parts, weight, total):  # pragma: no cover
    """total += weight * parts where there is a score; a total of -inf is none."""
    for q in range(first, last):
        for i in range(total.shape[1]):
            if np.isfinite(scores[q, i]):
                total[q, i] = weight * parts[q, i] + (np.float32(0) if total[q, i] == -np.inf else total[q, i])


def own_places(lists: Recommendations) -> Any:
    """(queries, k) the places that a model filled, and not popularity."""
    return (lists.items >= 0) & ~lists.fallback & np.isfinite(lists.scores)


def together(lists: Sequence[Recommendations]) -> Ragged:
    """What any of the lists has, each item once for a query, by code."""
    own = [own_places(answer) for answer in lists]
    rows = np.concatenate([np.nonzero(places)[0] for places in own])
    items = np.concatenate([answer.items[places] for answer, places in zip(lists, own, strict=True)])
    order = np.argsort(rows, kind="stable")
    return Ragged.of_lengths(np.bincount(rows, minlength=len(lists[0])), items[order]).unique()


def _state(blended: Blended | BlendedLists) -> State:
    settings = {"weights": list(blended.weights), "scale": blended.scale}
    return State(settings, children=dict(_named(blended.members)))


def _named(members: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for number, member in enumerate(members, 1):
        yield f"member-{number}", member


def _of_state(state: State) -> dict[str, Any]:
    members = tuple(state.children[f"member-{number}"] for number in range(1, len(state.children) + 1))
    return {"members": members, "weights": tuple(map(float, state.config["weights"])), "scale": state.config["scale"]}
