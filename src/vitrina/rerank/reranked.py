"""A model and a re-ranker as one model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from inspect import signature
from typing import Annotated, Any, final

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.models.own import completed
from vitrina.protocols import FittedReranker, Recommender
from vitrina.recommendations import pad_of
from vitrina.request import check_request, list_width
from vitrina.rerank.base import RerankerConfig, falling, taken
from vitrina.rerank.named import named, with_named
from vitrina.told import explained, explained_again, labelled, tables_of
from vitrina.types import Eligibility, Int32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

BLOCK = 8192  # queries whose candidates are held at a time
PAIRS = 1 << 25  # queries x items, all of which a re-ranker may forbid one by one


def _own_model(model: Any) -> Any:
    if isinstance(model, type | RerankerConfig) or not callable(getattr(model, "fit", None)):
        raise PydanticCustomError("model", "Input should be a model, which has fit(data), such as vt.EASE()")
    return model


@final
class Reranked(ModelConfig):
    """The lists of a model, of which the best `candidates` are put into another order by a re-ranker.

    The list is reranker(first `candidates` of the model), and from there on the model's own order: so a shorter list is the beginning of a
    longer one. `scores` are those of the re-ranker and go on below its last one by the differences of the model's; what the model said
    is the column `relevance`. Places of the fallback stay at the end.

    Args:
        model: gives the candidates; one of your own too.
        reranker: orders them.
        candidates: how many of each list; more give the re-ranker more to choose from, and less likely items. Items that tie at the
            end of them are cut by their codes, as everywhere.

    Cost: a query of `candidates` items to the model, and the re-ranker; memory for 8,192 queries x candidates.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> lists = vt.Reranked(model=vt.Popularity(), reranker=vt.testing.KeepOrder()).fit(data).recommend(data.queries(), k=2)
    >>> (lists.items == vt.Popularity().fit(data).recommend(data.queries(), k=2).items).all()
    np.True_
    """

    model: ModelConfig | Annotated[Any, AfterValidator(_own_model)]
    reranker: RerankerConfig
    candidates: int = Field(default=100, ge=1)

    @property
    def reads_weights(self) -> bool:  # type: ignore[override]
        return getattr(self.model, "reads_weights", False)

    @property
    def reads_shards(self) -> bool:  # type: ignore[override]
        return getattr(self.model, "reads_shards", False)

    @property
    def takes_start(self) -> bool:  # type: ignore[override]
        return getattr(self.model, "takes_start", False)

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return getattr(self.model, "needs", ())

    def cost(self, size: Size) -> Cost | None:
        """That of the model."""
        return self.model.cost(size) if isinstance(self.model, ModelConfig) else None

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None, **training: Any) -> RerankedLists:
        """Fit both. `training` is what the fit of the model takes beside it, such as `report` and `checkpoint` of a sequence model."""
        start = start.recommender if isinstance(start, RerankedLists) else start
        given = {"validation": validation, "start": start, **training}
        takes = signature(self.model.fit).parameters  # one of somebody's own may take none of it
        whatever = any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values())
        recommender = completed(self.model.fit(data, **{name: value for name, value in given.items() if whatever or name in takes}), data)
        takes = "recommender" in signature(self.reranker.fit).parameters  # one of somebody's own may not
        ordering = self.reranker.fit(data, **({"recommender": recommender} if takes else {}))
        return RerankedLists(recommender, ordering, self.candidates, self)


@final
@dataclass(frozen=True, eq=False, repr=False)
class RerankedLists:
    """A fitted model and a fitted re-ranker.

    Args:
        recommender: gives the candidates.
        reranker: orders them.
        candidates: how many of each list.
        model: the config that was fitted, or its plain values.
    """

    recommender: Recommender
    reranker: FittedReranker
    candidates: int
    model: Any = None

    def __repr__(self) -> str:
        return f"RerankedLists({self.candidates:,} candidates of {self.recommender!r} by {self.reranker!r})"

    @property
    def vocabulary(self) -> Vocabulary:
        return self.recommender.vocabulary

    @property
    def catalogue(self) -> Catalogue:
        return self.recommender.catalogue

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.recommender.notes, *getattr(self.reranker, "notes", ()))

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Those of the model."""
        return tables_of(self.recommender)

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The best k eligible items for each query, as the re-ranker orders them.

        Raises:
            ParameterError: these are no Queries, `k` is no length, or `eligible` has rows that are not one per query.
            VocabularyError: the queries are encoded with other item ids than the model.
        """
        k = list_width(check_request(queries, k, eligible), self.catalogue)
        size = min(BLOCK, max(PAIRS // max(len(self.vocabulary), 1), 1))
        parts = [self._answer(block, k, eligible.rows(part)) for part, block in queries.blocks(size)]
        return Recommendations.concat(parts or [self._answer(queries, k, eligible)])

    def _answer(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        eligible = self.narrowed(queries, eligible)
        return self.arranged(queries, self.recommender.recommend(queries, self.depth(queries, k), eligible=eligible), k, eligible)

    def narrowed(self, queries: Queries, eligible: Eligibility) -> Eligibility:
        """What may be shown at all: the first part of `recommend`, before the model is asked."""
        narrowed = getattr(self.reranker, "narrowed", None)  # a re-ranker of somebody's own may forbid nothing
        return eligible if narrowed is None else narrowed(queries, eligible)

    def depth(self, queries: Queries, k: int) -> int:
        """How long a list the model is asked for."""
        if k <= self.candidates:
            return self.candidates
        return k + sum(count for _, count in self._wanted(queries))  # of what comes after the candidates some may be called up among them

    def arranged(self, queries: Queries, lists: Recommendations, k: int, eligible: Eligibility) -> Recommendations:
        """The last part of `recommend`: the model's lists, of `depth`, in the order of the re-ranker. What it needs by name the model is asked for."""
        head = _places(lists, slice(0, self.candidates))
        for items, count in self._wanted(queries):
            head = with_named(head, self.recommender, queries, items, count, eligible)
        ranked = self.reranker.rerank(queries, head, min(k, head.k), eligible=eligible)
        return ranked if k <= self.candidates else _gone_on(ranked, head, _places(lists, slice(self.candidates, None)), k)

    def _wanted(self, queries: Queries) -> list[tuple[Int32 | Ragged, int]]:
        asks = getattr(self.reranker, "wanted", None)
        return [] if asks is None else asks(queries)

    def explain(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> pl.DataFrame:
        """A row per place of the lists, with what the model says about the item; `rank_before` is the rank that the model gave it.

        Cost: what the model says of its list as far down as the items shown stand there, which is within `candidates`.
        """
        numbered = replace(queries, labels=None)
        lists = self.recommend(numbered, k, eligible=eligible)
        below = self._explained_below(numbered, lists, self.narrowed(queries, eligible))
        return labelled(explained_again(lists, below), queries)

    def _explained_below(self, queries: Queries, lists: Recommendations, eligible: Eligibility) -> pl.DataFrame:
        """What the model says of the items shown: its list is explained down to the last of them, to a power of two, which few calls make."""
        whole = self.recommender.recommend(queries, max(lists.k, self.candidates), eligible=eligible)
        shown = named(whole.items, Ragged.of_lengths(np.full(len(lists), lists.k), lists.items.ravel()))
        last = np.max(np.where(shown & (whole.items >= 0), np.arange(1, whole.k + 1), 1), axis=1, initial=1)
        depth = np.minimum(2 ** np.ceil(np.log2(last)).astype(np.int64), max(whole.k, 1))
        parts = []
        for deep in np.unique(depth):
            rows = np.flatnonzero(depth == deep)
            said = explained(self.recommender, queries[rows], int(deep), eligible=eligible.take(rows))
            parts.append(said.with_columns(query=pl.Series(rows).gather(said["query"])))
        return pl.concat(parts) if parts else explained(self.recommender, queries, 1, eligible=eligible)

    def state(self) -> State:
        return State({"candidates": self.candidates}, children={"model": self.recommender, "reranker": self.reranker})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> RerankedLists:
        return cls(state.children["model"], state.children["reranker"], int(state.config["candidates"]))


def _places(lists: Recommendations, part: slice) -> Recommendations:
    extra = {name: column[:, part] for name, column in lists.extra.items()}
    return replace(lists, items=lists.items[:, part], scores=lists.scores[:, part], extra=extra)


def _gone_on(ranked: Recommendations, head: Recommendations, tail: Recommendations, k: int) -> Recommendations:
    """The re-ranked lists, and after them what comes after the candidates; its scores fall from the last as those of the model do."""
    least = np.nanmin(np.where(np.isfinite(head.scores), head.scores, np.inf), axis=1, keepdims=True)  # inf where the model had no opinion
    last = np.nanmin(np.where(np.isfinite(ranked.scores), ranked.scores, np.inf), axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        own = (tail.scores.astype(np.float64) - least + last).astype(np.float32)
    known = {"relevance": tail.scores, **tail.extra}
    extra = {
        name: np.concatenate([column, known.get(name, np.full(tail.items.shape, pad_of(name, column), column.dtype))], axis=1)
        for name, column in ranked.extra.items()
    }
    shown = Ragged.of_lengths(np.full(len(ranked), ranked.k), ranked.items.ravel())
    again = named(tail.items, shown)
    items = np.concatenate([ranked.items, np.where(again, -1, tail.items)], axis=1)
    whole = replace(ranked, items=items, scores=np.concatenate([ranked.scores, own], axis=1), extra=extra)
    behind = np.where(items < 0, 2, whole.fallback)  # what was asked for by name and is of the fallback comes after all that has a score
    lists = taken(whole, np.argsort(behind, axis=1, kind="stable")[:, :k])
    return replace(lists, scores=falling(lists.scores, lists.items))
