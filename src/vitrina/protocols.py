"""The contracts. A model is a frozen config whose `fit` returns a fitted recommender; everything returns ranked lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from scipy.sparse import csr_matrix

from vitrina.catalogue import Catalogue
from vitrina.types import Eligibility, Float32, Float64, Int32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset
    from vitrina.data.split import Split
    from vitrina.metrics.judged import Judged


@runtime_checkable
class Recommender(Protocol):
    """Fitted and immutable; keeps parameters and not the training data.

    A recommender of your own may have `recommend` alone: `vitrina.models.own.completed` says what stands in for the rest. It may also have
    `tables`, Polars frames by name of what it knows about itself, which a comparison puts on the board, and `explain(queries, k, eligible=)`,
    a frame with a row per place that says why: see `vitrina.told`.
    """

    @property
    def vocabulary(self) -> Vocabulary: ...  # of the items

    @property
    def catalogue(self) -> Catalogue: ...  # what it may recommend at all, and how often each was taken

    @property
    def notes(self) -> tuple[str, ...]: ...  # sentences for who reads its numbers: what was left out, what was chosen by itself

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations: ...


@runtime_checkable
class Model(Protocol):
    """A frozen, validated config: `EASE(l2=500)`. `start` is a fitted model to go on from, for the models that can."""

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> Recommender: ...


@runtime_checkable
class Scorer(Recommender, Protocol):
    """Can score any item; -inf where it has no opinion. `recommend` is the one shared top-k."""

    def score(self, queries: Queries, items: Int32) -> Float32: ...  # (queries, items)

    def score_pairs(self, queries: Queries, items: Ragged) -> Float32: ...  # (pairs,): each query its own items


@runtime_checkable
class Encoder(Scorer, Protocol):
    """A score is the product of two vectors, so that an index of vectors can find the best.

    Where `adds` is empty, each finite score is encode(queries) @ item_vectors.T, up to rounding; which scores are -inf, only `score` says.
    """

    @property
    def item_vectors(self) -> Float32 | csr_matrix: ...  # (items, dim) over the whole vocabulary; zeros where an item has none

    @property
    def adds(self) -> str: ...  # what its scores have beside the product, in words; "" where nothing

    def encode(self, queries: Queries) -> Float32: ...  # (queries, dim); zeros where nothing is known of the history


@runtime_checkable
class FittedReranker(Protocol):
    """Puts the candidates of each query into another order; k of them are the list.

    A list is of the candidates that are eligible, never shorter than k while there are so many, and doesn't depend on the order in which
    scored candidates came. Its `scores` order it; what the model said stands in the column `relevance`, and the other columns stay with their
    items. Rules of the business that forbid an item are an Eligibility, which is applied before there are candidates: were they
    left to a re-ranker, what it throws out would leave lists short.
    """

    def rerank(
        self, queries: Queries, recommendations: Recommendations, k: int, *, eligible: Eligibility = Eligibility()
    ) -> Recommendations: ...


@runtime_checkable
class Reranker(Protocol):
    """A frozen, validated config. `fit` takes of the log what it needs of items: vectors, categories."""

    def fit(self, data: Dataset) -> FittedReranker: ...


class Described(Protocol):
    """What every metric says of itself; whoever needs depth or direction reads it here and never from a name."""

    @property
    def name(self) -> str: ...  # with every parameter in it: "nDCG@10"

    @property
    def k(self) -> int: ...  # places that it reads; 0 for whole lists

    @property
    def lower_is_better(self) -> bool: ...

    @property
    def needs(self) -> frozenset[str]: ...  # what it reads beside a list: "truth", "history", "popularity", "vectors", "queries"

    @property
    def definition(self) -> str: ...  # in a sentence


@runtime_checkable
class Metric(Described, Protocol):
    """One float64 value per query; the mean over queries is the number."""

    def per_query(self, judged: Judged) -> Float64: ...  # (queries,), NaN where a query says nothing


@runtime_checkable
class TableMetric(Described, Protocol):
    """A number of the whole table of lists (coverage, Gini): states of shards merge."""

    def state(self, judged: Judged) -> Any: ...

    def merge(self, left: Any, right: Any) -> Any: ...

    def value(self, state: Any) -> float: ...
