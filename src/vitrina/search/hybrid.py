"""Several sources of one search as one: their candidates together, in the order of a fusion."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.blended import together
from vitrina.protocols import Recommender
from vitrina.ranking.explain import SOURCES, pair_of_places, proposed
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources, catalogue_of_all
from vitrina.request import check_request, list_width
from vitrina.retrieve.top_k import top_k_ragged
from vitrina.search.asking import Tally, answers_of
from vitrina.search.fusion import RRF, Fusion
from vitrina.told import labelled, tables_of_members
from vitrina.types import Eligibility, Float32, Queries, Recommendations
from vitrina.vocabulary import Vocabulary

QUERIES = 1024  # of a block
DEPTH = 100  # items that a source gives, where nothing else is said


@final
@dataclass(frozen=True, eq=False, repr=False)
class Hybrid:
    """The best items of several sources, in the order of a fusion; a search engine of words and one of vectors are the usual two.

    Each source gives its `depth` best eligible items. What all of them give is put into one order by the fusion; nothing else is in a list, which
    may be short or empty, as nothing popular fills a search. The column `source` names the source that has the item highest, and
    `explain` all that have it. Exact ties go to the lower code.

    A source that raises, or isn't done within its `seconds`, is left out of the answer: `tables["sources"]` counts that, with what it said last. It
    can't be stopped, and goes on in its thread. Where no source answers, neither does the mixture.

    Args:
        sources: fitted recommenders of the same items by name, or a list of them, which are called by their classes.
        fusion: `vt.search.RRF()`, `vt.search.Convex(...)`, or what `vt.search.Learned(...)` has learned.
        depth: how many items each source gives, for all or by name.
        seconds: how long each is waited for, for all or by name; None waits.

    Raises:
        ParameterError: no sources, two of one name, of other items, or a depth or a time by a name that no source has.

    Cost: a list of each source, side by side where they have a time; fusion of the candidates, some 100 bytes each.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> both = vt.search.Hybrid({"bought": vt.Cooccurrence().fit(data), "liked": vt.Popularity().fit(data)}, vt.search.RRF(constant=2), depth=3)
    >>> both.recommend(data.queries()[:1], 2).to_frame().select("item_id", "source").rows()
    [('jam', 'bought')]
    """

    sources: Mapping[str, Recommender] | Sequence[Recommender]
    fusion: Fusion = field(default_factory=RRF)
    depth: int | Mapping[str, int] = DEPTH
    seconds: float | Mapping[str, float] | None = None
    told: tuple[str, ...] = ()
    tally: Tally = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.sources, Mapping):
            object.__setattr__(self, "sources", _named(self.sources))
        _check(self)
        object.__setattr__(self, "tally", Tally(tuple(self.members)))

    def __repr__(self) -> str:
        return f"Hybrid({', '.join(self.asked.names)} by {self.fusion!r})"

    @cached_property
    def members(self) -> dict[str, Recommender]:
        """The sources by name."""
        assert isinstance(self.sources, Mapping)
        return dict(self.sources)

    @cached_property
    def patience(self) -> dict[str, float]:
        """How long each source is waited for, of those that are not waited for as long as it takes."""
        return _by_name(self.seconds, self.members)

    @cached_property
    def asked(self) -> Sources:
        """The sources, each with how many it gives."""
        members, depth = tuple(self.members.values()), _by_name(self.depth, self.members)
        longest = max((member.vocabulary for member in members), key=len)
        quotas = tuple(depth.get(name, DEPTH) for name in self.members)
        return Sources(
            longest, catalogue_of_all([member.catalogue for member in members], len(longest)), tuple(self.members), members, quotas
        )

    @property
    def vocabulary(self) -> Vocabulary:
        return self.asked.vocabulary

    @property
    def catalogue(self) -> Catalogue:
        return self.asked.catalogue

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.asked.notes, *self.told)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """`sources`: how often each was asked, failed and was late in this process; and those of the sources, behind their names."""
        return {"sources": self.tally.frame()} | tables_of_members(self.asked.recommenders)

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The best k eligible candidates for each query; -1 where there are no more.

        Raises:
            ParameterError: these are no Queries, `k` is no length, or `eligible` has rows that are not one per query.
            VocabularyError: the queries are encoded with other item ids than the sources.
            DataError: no source has answered; says what each said.
        """
        k = list_width(check_request(queries, k, eligible), self.catalogue)
        parts = [self.ranked(pairs, k, allowed) for pairs, allowed in self._blocks(queries, eligible)]
        return replace(Recommendations.concat(parts), labels=queries.labels, titles=self._titles)

    def candidates(self, queries: Queries, *, eligible: Eligibility = Eligibility()) -> Pairs:
        """What any source gives to each query, with what all of them say of it; NaN of a source that gave no answer.

        Raises:
            DataError: no source has answered.
        """
        check_request(queries, 1, eligible)
        queries.vocabulary.require_compatible(self.vocabulary, "queries")
        sources = self.asked
        counted = [s for s, counts in enumerate(self.fusion.counted(len(sources.names))) if counts]
        for s in counted:
            self.tally.add(sources.names[s], "asked")
        said, wrong = self._answers({s: partial(sources.asked, s, queries, eligible) for s in counted})
        if not said:
            raise DataError(f"None of the sources of {self!r} has answered. {'; '.join(wrong)}.")
        items = together([one.lists for one in said.values()])
        opinions = {s: sources.opinion(s, one, queries, items, of_others=False) for s, one in said.items()}
        if self.fusion.of_others:
            opinions |= self._answers({s: partial(sources.opinion, s, one, queries, items) for s, one in said.items()})[0]
        return sources.paired(queries, items, [opinions.get(s) for s in range(len(sources.names))])

    def _answers(self, calls: Mapping[int, Callable[[], Any]]) -> tuple[dict[int, Any], list[str]]:
        """What those of the sources say that do, by their place; and what went wrong with the others."""
        names = [self.asked.names[s] for s in calls]
        answers, wrong = answers_of(names, list(calls.values()), [self.patience.get(name) for name in names], self.tally)
        return {s: answer for s, answer in zip(calls, answers, strict=True) if answer is not None}, wrong

    def ranked(self, pairs: Pairs, k: int, eligible: Eligibility) -> Recommendations:
        """The best of candidates that are there already: a part of `recommend`."""
        return self.listed(pairs, self.fusion.of(pairs), k, eligible)

    def listed(self, pairs: Pairs, scores: Float32, k: int, eligible: Eligibility) -> Recommendations:
        """The best of candidates with these scores, the source of each place, and who has it."""
        lists = without_fallback(top_k_ragged(pairs.items, scores, pairs.queries, k, eligible, self.catalogue, self.vocabulary))
        at, names = pair_of_places(lists, pairs), self.asked.names
        source, own = np.zeros(lists.items.shape, np.uint8), at >= 0
        ranks = pairs.ranks[at[own]]
        source[own] = np.where(np.isnan(ranks), np.inf, ranks).argmin(axis=1) if len(ranks) else 0
        return replace(lists, extra={"source": source}, sources=names)

    def explain(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> pl.DataFrame:
        """The table of the lists, and a column `sources`: records (source, place, score) of all whose lists have the item."""
        k = list_width(check_request(queries, k, eligible), self.catalogue)
        shown, why = [], []
        for pairs, allowed in self._blocks(queries, eligible):
            lists = self.ranked(pairs, k, allowed)
            shown.append(lists)
            why += [proposed(pairs, pair) for pair in pair_of_places(lists, pairs)[lists.items >= 0]]
        lists = replace(Recommendations.concat(shown), titles=self._titles)
        return labelled(lists.to_frame().with_columns(sources=pl.Series(why, dtype=SOURCES)), queries)

    def with_fusion(self, fusion: Fusion) -> Hybrid:
        """The same sources in the order of another fusion."""
        return replace(self, fusion=fusion)

    def state(self) -> State:
        depth = dict(zip(self.members, self.asked.quotas, strict=True))
        settings = {"names": tuple(self.members), "fusion": self.fusion, "depth": depth, "seconds": self.patience, "told": self.told}
        return State(settings, children={f"source-{number}": source for number, source in enumerate(self.members.values(), 1)})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Hybrid:
        config = state.config
        sources = {name: state.children[f"source-{number}"] for number, name in enumerate(config["names"], 1)}
        return cls(sources, config["fusion"], config["depth"], config["seconds"], tuple(config["told"]))

    def _blocks(self, queries: Queries, eligible: Eligibility) -> Iterator[tuple[Pairs, Eligibility]]:
        """Candidates of some queries at a time, with the part of the eligibility that concerns them."""
        whole = [(slice(0, 0), queries)] if not len(queries) else queries.blocks(QUERIES)
        for part, block in whole:
            yield self.candidates(block, eligible=eligible.rows(part)), eligible.rows(part)

    @property
    def _titles(self) -> pl.Series | None:
        """What to show to people, of the first source that knows it of all items."""
        tables = (getattr(member, "item_table", None) for member in self.members.values())
        found = (None if table is None else table.title_column for table in tables)
        return next((titles for titles in found if titles is not None and len(titles) >= len(self.vocabulary)), None)


def without_fallback(lists: Recommendations) -> Recommendations:
    """The same lists without what popularity filled: a search has nothing to say of that."""
    own = ~lists.fallback
    return replace(
        lists, items=np.where(own, lists.items, -1), scores=np.where(own, lists.scores, np.float32(np.nan)), extra={}, sources=("model",)
    )


def _named(sources: Any) -> dict[str, Recommender]:
    """Sources by the names of their classes."""
    given = list(sources) if isinstance(sources, (list, tuple)) else [sources]
    names = [type(source).__name__ for source in given]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ParameterError(
            f"Each source of a Hybrid has a name, and two of the list are called {twice!r}. Give them by name: "
            "Hybrid({'words': ..., 'vectors': ...}).",
            owner="Hybrid", parameter="sources",
        )  # fmt: skip
    return dict(zip(names, given, strict=True))


def _check(hybrid: Hybrid) -> None:
    """Refuse sources, a fusion, depths or times that can't be."""
    members = hybrid.members
    wrong = [name for name, member in members.items() if not isinstance(member, Recommender)]
    if not members or wrong:
        got = f"a {type(members[wrong[0]]).__name__} as {wrong[0]!r}" if wrong else "none"
        raise ParameterError(
            f"The 'sources' of a Hybrid are one or more fitted recommenders, such as those of an item index. Got {got}.",
            owner="Hybrid", parameter="sources",
        )  # fmt: skip
    name = next((name for name in members if not isinstance(name, str) or not name or "|" in name or name == "fallback"), None)
    if name is not None:
        raise ParameterError(f"A source of a Hybrid is called by a text without a '|', and not 'fallback'. Got {name!r}.", owner="Hybrid")
    for what, given in (("depth", hybrid.depth), ("seconds", hybrid.seconds)):
        values = _by_name(given, members)
        strange = [name for name in values if name not in members]
        if strange:
            raise UnknownNameError.of(f"source of the Hybrid, which has a {what},", strange[0], members)
        for value in values.values():
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not (value > 0 and (whole or (what == "seconds" and isinstance(value, float) and math.isfinite(value)))):
                number = "a number of seconds above 0, or None to wait" if what == "seconds" else "a whole number of items, from 1 on"
                raise ParameterError(
                    f"The {what!r} of a Hybrid must be {number}. Got {value!r}.", owner="Hybrid", parameter=what, value=value
                )
    if not isinstance(hybrid.fusion, Fusion):
        raise ParameterError(f"The 'fusion' of a Hybrid is an object such as vt.search.RRF(). Got {hybrid.fusion!r}.", owner="Hybrid")
    hybrid.fusion.counted(len(members))
    for member in members.values():
        hybrid.asked.vocabulary.require_compatible(member.vocabulary, "sources of the Hybrid")


def _by_name(given: Any, members: Mapping[str, Any]) -> dict[str, Any]:
    """One value for all, or values by name."""
    if given is None:
        return {}
    return dict(given) if isinstance(given, Mapping) else dict.fromkeys(members, given)
