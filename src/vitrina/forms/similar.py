"""What is like what: the items most like some items, and the people most like some people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import polars as pl
from scipy import sparse

from vitrina.base.errors import ParameterError
from vitrina.base.ids import listed
from vitrina.catalogue import Catalogue
from vitrina.request import check_request
from vitrina.retrieve.top_k import block_size, top_k_dense
from vitrina.types import Eligibility, Events, Float32, Int32, Queries, Recommendations
from vitrina.vocabulary import Vocabulary


class Related(Protocol):
    """What has relations between the things of a vocabulary."""

    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def titles(self) -> pl.Series | None: ...
    def item_relations(self, items: Int32) -> Float32: ...


def similar_items(form: Related, items: Any, k: int, eligible: Eligibility) -> Recommendations:
    """The answer of `Form.similar_items`; see there."""
    codes = known_codes(form.vocabulary, items, "items")
    asked = _asking_of(form.vocabulary, codes)
    k = check_request(asked, k, eligible)
    parts = [
        top_k_dense(form.item_relations(codes[part]), block, k, replace(eligible.rows(part), repeat=False), form.catalogue, form.vocabulary)
        for part, block in _blocks(asked)
    ]  # fmt: skip
    return replace(without_fallback(Recommendations.concat(parts)), labels=asked.labels, titles=form.titles)


def known_codes(vocabulary: Vocabulary, ids: Any, what: str) -> Int32:
    """The codes of ids that must all be known.

    Raises:
        ParameterError: they are no list, or one is not known; names the first few.
    """
    if isinstance(ids, (str, bytes)) or not hasattr(ids, "__len__"):
        raise ParameterError(f"The {what} to compare with are a list of ids: [{ids!r}]. Got {ids!r}.")
    ids = listed(ids)
    codes = vocabulary.encode(ids)
    if (codes < 0).any():
        strange = [ids[int(at)] for at in np.flatnonzero(codes < 0)[:3]]
        raise ParameterError(f"The model doesn't know {', '.join(map(repr, strange))} among the {what}. Give ids as in the log.")
    return codes


def without_fallback(lists: Recommendations) -> Recommendations:
    """Lists without what popularity filled: what is popular is not alike. A pad has no source but the model's, as everywhere."""
    items = np.where(lists.fallback, -1, lists.items).astype(np.int32)
    return replace(lists, items=items, extra={**lists.extra, "source": np.zeros(items.shape, np.uint8)})


def vector_cosines(vectors: sparse.csr_matrix | Float32, items: Int32) -> Float32:
    """(asked, items) cosine of rows of `vectors`; -inf where one of the two has no vector, or sparse ones share no dimension."""
    rows = vectors[items]
    if isinstance(vectors, np.ndarray):
        lengths = np.linalg.norm(vectors, axis=1)
        scores = np.asarray(rows @ vectors.T, np.float32) / np.maximum(np.outer(lengths[items], lengths), np.finfo(np.float32).tiny)
        scores[:, lengths == 0] = -np.inf
        scores[lengths[items] == 0] = -np.inf
        return np.ascontiguousarray(scores, np.float32)
    scores = np.asarray((rows @ vectors.T).toarray(), np.float32)  # rows of length 1
    scores[scores == 0] = -np.inf
    return np.ascontiguousarray(scores)


def similar_people(
    relations: Callable[[Int32], Float32], people: Vocabulary, users: Sequence[Any] | pl.Series, k: int, eligible: Eligibility
) -> Recommendations:
    """The `k` people most like each of `users`, by `relations`: (asked, people) how alike everybody is to some, given by their codes."""
    codes = known_codes(people, users, "users")
    asked = _asking_of(people, codes)
    k = check_request(asked, k, eligible)
    everybody = np.ones(len(people), np.int64)
    catalogue = Catalogue(everybody, everybody, len(people))
    parts = [
        top_k_dense(relations(codes[part]), block, k, replace(eligible.rows(part), repeat=False), catalogue, people)
        for part, block in _blocks(asked)
    ]
    return replace(without_fallback(Recommendations.concat(parts)), labels=asked.labels, item_column="user_id")


def _asking_of(vocabulary: Vocabulary, codes: Int32) -> Queries:
    """Queries with the asked thing as the whole history, so that it is what must not come back."""
    places = np.arange(len(codes), dtype=np.int64)
    label = vocabulary.decode(codes).alias("similar_to")
    return Queries(Events(codes), places, places + 1, vocabulary, np.full(len(codes), -1, np.int32), labels=label)


def _blocks(asked: Queries) -> Iterator[tuple[slice, Queries]]:
    if not len(asked):
        yield slice(0, 0), asked
    yield from asked.blocks(block_size(len(asked.vocabulary)))
