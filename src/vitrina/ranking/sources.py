"""Sources of candidates: any number of recommenders with quotas, put together without loss of who said what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.base import Form
from vitrina.forms.blended import own_places, together
from vitrina.models.base import ModelConfig
from vitrina.models.blend import catalogue_of
from vitrina.models.own import completed
from vitrina.protocols import Recommender, Scorer
from vitrina.ranking.pairs import Pairs
from vitrina.request import check_request, list_width
from vitrina.retrieve.top_k import block_size, top_k_dense
from vitrina.types import Bool, Eligibility, Float32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary


@final
class Source(Config):
    """A model that proposes candidates.

    Args:
        model: any model.
        n: how many of its best eligible items are candidates.
        name: what it is called in features, explanations and tables; the name of the model's class where none is given.

    >>> import vitrina as vt
    >>> vt.ranking.Source(model=vt.EASE(), n=50)
    Source(model=EASE(), n=50)
    """

    model: ModelConfig
    n: int = Field(default=100, ge=1)
    name: str | None = Field(default=None, min_length=1)

    @property
    def title(self) -> str:
        """What it is called."""
        return type(self.model).__name__ if self.name is None else self.name


class Said(NamedTuple):
    """The list of a source; and what it says of all items, (queries, items), where it makes its list of that anyway and a block holds it."""

    lists: Recommendations
    of_all: Float32 | None


class Opinion(NamedTuple):
    """What a source says of the candidates: (pairs,) scores and places in its list, NaN where it says nothing."""

    scores: Float32
    ranks: Float32


@final
@dataclass(frozen=True, eq=False, repr=False)
class Sources:
    """Fitted sources.

    Args:
        vocabulary: of the items.
        catalogue: what any of them recommends; items that nobody has taken are there where a source serves them.
        names: one for each source.
        recommenders: the fitted models.
        quotas: how many candidates each gives.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    names: tuple[str, ...]
    recommenders: tuple[Recommender, ...]
    quotas: tuple[int, ...]

    def __repr__(self) -> str:
        return f"Sources({', '.join(f'{quota} of {name}' for name, quota in zip(self.names, self.quotas, strict=True))})"

    @classmethod
    def fit(cls, sources: Sequence[Source], data: Dataset, *, validation: Split | None = None) -> Sources:
        """Fit every source on the same log.

        Raises:
            ParameterError: two sources have one name, or a name can't stand in a table of sources; there are none.
        """
        names = names_of(sources)
        fitted = tuple(completed(source.model.fit(data, validation=validation), data) for source in sources)
        return cls(data.items, catalogue_of(data, fitted), names, fitted, tuple(source.n for source in sources))

    @classmethod
    def of(cls, recommenders: Mapping[str, Recommender], n: int | Mapping[str, int] = 100) -> Sources:
        """Recommenders that are fitted already, such as a search index, by the names they are to have; `n` is how many each gives, for all or by name.

        Raises:
            ParameterError: there are none, or a name can't stand in a table of sources.
            VocabularyError: they are of other items.
        """
        names, members = tuple(recommenders), tuple(recommenders.values())
        _check_names(names)
        longest = max((member.vocabulary for member in members), key=len)
        for member in members:
            longest.require_compatible(member.vocabulary, "sources")
        quotas = tuple(int(n) if isinstance(n, int) else int(n.get(name, 100)) for name in names)
        return cls(longest, catalogue_of_all([member.catalogue for member in members], len(longest)), names, members, quotas)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the models say of themselves; what several say stands once, with all their names."""
        said: dict[str, list[str]] = {}
        for name, recommender in zip(self.names, self.recommenders, strict=True):
            for note in recommender.notes:
                said.setdefault(note, []).append(name)
        return tuple(f"{', '.join(names)}: {note}" for note, names in said.items())

    def candidates(self, queries: Queries, *, eligible: Eligibility = Eligibility()) -> Pairs:
        """What any source proposes to each query, with what all of them say of it.

        Eligibility comes before the best are taken, so quotas are full while a source has eligible items. What popularity fills in for a
        model that has no opinion is no candidate. A source that can score any item it recommends (a `Scorer`) also scores the
        candidates of the others.

        Raises:
            ParameterError: these are no Queries, or `eligible` has rows that are not one per query.
            VocabularyError: the queries are encoded with other item ids than the models.

        Cost: a list of each source, and its scores once more where they are not at hand from its list; 9 bytes x sources a pair. Ask with some thousand queries at a time.

        >>> import vitrina as vt
        >>> data = vt.testing.toy()
        >>> sources = (vt.ranking.Source(model=vt.Popularity(), n=2), vt.ranking.Source(model=vt.Cooccurrence(), n=1))
        >>> vt.ranking.Sources.fit(sources, data).candidates(data.queries(), eligible=vt.Eligibility(repeat=True))
        Pairs(15 candidates for 6 queries from Popularity, Cooccurrence)
        """
        check_request(queries, 1, eligible)
        said = [self.asked(s, queries, eligible) for s in range(len(self.names))]
        items = together([one.lists for one in said])
        return self.paired(queries, items, [self.opinion(s, one, queries, items) for s, one in enumerate(said)])

    def asked(self, source: int, queries: Queries, eligible: Eligibility) -> Said:
        """What one source proposes: a part of `candidates`, for who asks the sources one by one."""
        return _said(self.recommenders[source], queries, self.quotas[source], eligible)

    def opinion(self, source: int, said: Said, queries: Queries, items: Ragged, *, of_others: bool = True) -> Opinion:
        """What one source says of the candidates of all; without `of_others` of its own alone."""
        recommender, shape = self.recommenders[source], len(items.values)
        opinion = Opinion(np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32))
        _put_list(said.lists, items, len(self.vocabulary), *opinion)
        if of_others:
            _put_scores(recommender, said.of_all, queries, items, np.isnan(opinion.ranks), opinion.scores)
        return opinion

    def paired(self, queries: Queries, items: Ragged, opinions: Sequence[Opinion | None]) -> Pairs:
        """The candidates with what the sources say; None is a source that gave no answer, as if it knew nothing of them.

        Args:
            items: what those that answered propose, as `together` joins it.
        """
        shape = (len(items.values), len(opinions))
        scores, ranks = np.full(shape, np.nan, np.float32, order="F"), np.full(shape, np.nan, np.float32, order="F")
        for s, opinion in enumerate(opinions):
            if opinion is not None:
                scores[:, s], ranks[:, s] = opinion
        return Pairs(queries, items, self.names, scores, ranks, ~np.isnan(ranks))

    def state(self) -> State:
        return State({"names": self.names, "quotas": self.quotas}, children=dict(self._children()))

    def _children(self) -> Iterator[tuple[str, Recommender]]:
        for number, recommender in enumerate(self.recommenders, 1):
            yield f"source-{number}", recommender

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Sources:
        recommenders = tuple(state.children[f"source-{number}"] for number in range(1, len(state.children) + 1))
        return cls(vocabulary, catalogue, tuple(state.config["names"]), recommenders, tuple(map(int, state.config["quotas"])))


def names_of(sources: Sequence[Source]) -> tuple[str, ...]:
    """What the sources are called, each by another name.

    Raises:
        ParameterError: two sources have one name, or a name can't stand in a table of sources; there are none.
    """
    if not sources or not all(isinstance(source, Source) for source in sources):
        raise ParameterError(f"Sources are one or more of vt.ranking.Source(model=...). Got {sources!r}.", parameter="sources")
    names = tuple(source.title for source in sources)
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise ParameterError(
            f"Each source has a name of its own, and two are called {twice!r}. Give one a name: Source(model=..., name='...').",
            parameter="sources",
        )
    _check_names(names)
    return names


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ParameterError("Sources are one or more recommenders by name. Got none.", parameter="sources")
    wrong = next((name for name in names if "|" in name or name in ("fallback", "all together")), None)
    if wrong is not None:
        raise ParameterError(
            f"The 'name' of a Source must be without a '|', and neither 'fallback' nor 'all together', which tables use. Got {wrong!r}.",
            parameter="sources",
        )


def catalogue_of_all(catalogues: Sequence[Catalogue], n_items: int) -> Catalogue:
    """What any of them recommends, with the events of the one that knows most of them."""
    known = max(catalogues, key=lambda catalogue: int(catalogue.events.sum()))
    also = np.unique(np.concatenate([np.flatnonzero(catalogue.mask) for catalogue in catalogues])).astype(np.int32)
    events, users = (np.pad(counts, (0, n_items - len(counts))) for counts in (known.events, known.users))
    return Catalogue(events, users, known.n_users, also=also, fills=any(catalogue.fills for catalogue in catalogues))


def _said(recommender: Recommender, queries: Queries, n: int, eligible: Eligibility) -> Said:
    if not isinstance(recommender, Form) or (
        type(recommender).answer_block is not Form.answer_block or len(queries) > block_size(len(recommender.vocabulary))
    ):
        return Said(recommender.recommend(queries, n, eligible=eligible), None)
    counted, k = queries.counted(), list_width(n, recommender.catalogue)
    of_all = recommender.score_block(counted)
    return Said(top_k_dense(of_all, counted, k, eligible, recommender.catalogue, recommender.vocabulary), of_all)


def _put_list(answer: Recommendations, items: Ragged, n_items: int, scores: Float32, ranks: Float32) -> None:
    """Put the scores and places of a source's list beside the candidates, all of which it has."""
    rows, places = np.nonzero(own_places(answer))
    at = np.searchsorted(items.row_of * n_items + items.values, rows * n_items + answer.items[rows, places])
    scores[at], ranks[at] = answer.scores[rows, places], places + 1


def _put_scores(recommender: Recommender, of_all: Float32 | None, queries: Queries, items: Ragged, missing: Bool, scores: Float32) -> None:
    """Put what a source says of the candidates of others, where it can score them and would recommend them."""
    missing = missing & recommender.catalogue.mask[items.values]
    rest = items.keep(missing)
    asked = np.flatnonzero(rest.lengths)
    if not isinstance(recommender, Scorer) or not len(asked):
        return
    said = recommender.score_pairs(queries[asked], rest.take(asked)) if of_all is None else of_all[rest.row_of, rest.values]
    scores[missing] = np.where(np.isfinite(said), said, np.nan)
