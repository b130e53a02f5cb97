"""Sources in parallel, each within a time budget: what fails or is too slow is left out, and the others go on without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, final

import numpy as np
import polars as pl

from vitrina.base.arrays import Ragged
from vitrina.forms.base import Form
from vitrina.forms.blended import together
from vitrina.protocols import Recommender
from vitrina.ranking.ranked import RankedLists
from vitrina.ranking.sources import Opinion, Said, Sources
from vitrina.request import list_width
from vitrina.retrieve.top_k import top_k_ragged
from vitrina.search.answering import answer_of
from vitrina.service.pipeline.report import Report
from vitrina.types import Eligibility, Queries, Recommendations

T = TypeVar("T")
MODEL, RANKER = "model", "ranker"  # what is skipped, where it isn't a source of several
log = logging.getLogger(__name__)


class _Worker:
    """One thread for one source: while it is busy with an earlier request, the source is left out."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._pool = ThreadPoolExecutor(1, f"vitrina-{name}")
        self._last: Future[Any] | None = None

    def start(self, work: Callable[[], T]) -> Future[T] | None:
        if self._last is not None and not self._last.done():
            return None
        self._last = self._pool.submit(work)
        return self._last


@final
class Gathering:
    """A fitted model as sources that are asked in parallel: two stages have several, any other model is one.

    Args:
        recommender: without the re-rankers over it.
        budget: seconds that the sources have for their lists, and once more to say what they think of each other's; None lets them take what they take.
    """

    def __init__(self, recommender: Recommender, budget: float | None) -> None:
        self.recommender, self.budget = recommender, budget
        self.names = recommender.sources.names if isinstance(recommender, RankedLists) else (MODEL,)
        self._workers = [_Worker(name) for name in self.names]
        self._failing: set[str] = set()

    def lists(self, queries: Queries, k: int, eligible: Eligibility, report: Report) -> Recommendations:
        """The model's lists without what is skipped; where nothing is left of it, what is popular.

        Args:
            report: takes the names of what failed or was too slow, and why.
        """
        k = list_width(k, self.recommender.catalogue)
        if isinstance(self.recommender, RankedLists):
            return self._of_sources(self.recommender, queries, k, eligible, report)
        with report.stage("scoring") as skipped:
            (found,) = self._all([lambda: _answered(self.recommender, queries, k, eligible)], skipped, report)
            if found is None:
                return popular(self.recommender, queries, k, eligible)
            lists, report.told = found
            return lists

    def _of_sources(self, ranked: RankedLists, queries: Queries, k: int, eligible: Eligibility, report: Report) -> Recommendations:
        """The two stages of `RankedLists.recommend`, by its own parts."""
        queries, sources = queries.counted(), ranked.sources
        with report.stage("sources") as skipped:
            said = self._all([partial(_asked, sources, s, queries, eligible) for s in range(len(self.names))], skipped, report)
            if all(one is None for one in said):
                return popular(ranked, queries, k, eligible)
            items = together([one.lists for one in said if one is not None])
            there = [(s, one) for s, one in enumerate(said) if one is not None]
            opinions = self._opinions(sources, there, queries, items, skipped, report)
            pairs = sources.paired(queries, items, [opinions.get(s) for s in range(len(said))])
        with report.stage("scoring") as skipped:
            try:
                return ranked.ranked(pairs, k, eligible)
            except Exception as error:
                skipped[RANKER] = f"failed: {error}"
                self._tell(RANKER, error)
                return replace(ranked, features=None, heads=()).ranked(pairs, k, eligible)

    def _opinions(
        self, sources: Sources, there: Sequence[tuple[int, Said]], queries: Queries, items: Ragged, skipped: dict[str, str], report: Report
    ) -> dict[int, Opinion]:
        """What the sources whose lists are there say of all candidates, within the budget once more; one that doesn't come to it says what its list does."""
        asked = {s: partial(sources.opinion, s, said, queries, items) for s, said in there}
        given = self._all([asked.get(s) for s in range(len(self.names))], skipped, report)
        return {s: own if (own := given[s]) is not None else sources.opinion(s, said, queries, items, of_others=False) for s, said in there}

    def _all(self, parts: Sequence[Callable[[], T] | None], skipped: dict[str, str], report: Report) -> list[T | None]:
        """What each part gives; None of one that is none, failed, or isn't there in time."""
        started = [None if part is None else worker.start(part) for worker, part in zip(self._workers, parts, strict=True)]
        wait([future for future in started if future is not None], None if report.patient else self.budget)
        found: list[T | None] = []
        for name, part, future in zip(self.names, parts, started, strict=True):
            found.append(None)
            if part is None:
                continue
            if future is None:
                skipped[name] = "is still busy with an earlier request"
            elif not future.done():
                skipped[name] = f"took longer than {1000 * (self.budget or 0):g} ms"
            elif (error := future.exception()) is None:
                found[-1] = future.result()
                self._failing.discard(name)
            else:
                skipped[name] = f"failed: {error}"
                self._tell(name, error)
        return found

    def _tell(self, name: str, error: BaseException) -> None:
        """Log what failed, once until it works again."""
        if name not in self._failing:
            self._failing.add(name)
            log.error("The source %r failed, and is left out.", name, exc_info=error)


@final
class Within:
    """The gathering as a recommender, for re-rankers that ask for items by name: what is skipped then is reported of the same batch."""

    def __init__(self, gathering: Gathering, report: Report) -> None:
        self._gathering, self._report = gathering, report
        model = gathering.recommender
        self.vocabulary, self.catalogue, self.notes = model.vocabulary, model.catalogue, model.notes

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        return self._gathering.lists(queries, k, eligible, self._report)


def _answered(recommender: Recommender, queries: Queries, k: int, eligible: Eligibility) -> tuple[Recommendations, pl.DataFrame | None]:
    """The lists of a model, and of a search what it tells beside them."""
    if queries.texts is None:
        return _sound(recommender.recommend(queries, k, eligible=eligible), len(queries)), None
    answered = answer_of(recommender, queries, k, eligible=eligible)
    return _sound(answered.lists, len(queries)), answered.told


def _asked(sources: Sources, source: int, queries: Queries, eligible: Eligibility) -> Said:
    """What a source says, without what is no item of the model or stands there twice."""
    said = sources.asked(source, queries, eligible)
    if isinstance(sources.recommenders[source], Form):
        return said
    lists = _sound(said.lists, len(queries))
    order = np.argsort(lists.items, axis=1, kind="stable")
    again = np.zeros(lists.items.shape, np.bool_)
    ranked = np.take_along_axis(lists.items, order, axis=1)
    np.put_along_axis(again, order[:, 1:], ranked[:, 1:] == ranked[:, :-1], axis=1)
    wrong = again | (lists.items < 0) | (lists.items >= len(sources.vocabulary))
    return Said(replace(lists, items=np.where(wrong, -1, lists.items)), said.of_all)


def _sound(lists: Any, queries: int) -> Recommendations:
    """Lists that can be read as such; what stands in them is looked at later."""
    if not isinstance(lists, Recommendations) or len(lists) != queries or lists.scores.shape != lists.items.shape:
        raise TypeError(f"it gave no Recommendations of {queries:,} lists")
    return lists


def popular(recommender: Recommender, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
    """The fallback list: what most people took of what may be shown; nothing, where something was searched for."""
    nothing = Ragged.empty(len(queries))
    if queries.texts is not None:
        return Recommendations(
            np.full((len(queries), k), -1, np.int32), np.full((len(queries), k), np.nan, np.float32), recommender.vocabulary
        )
    return top_k_ragged(nothing, np.empty(0, np.float32), queries, k, eligible, recommender.catalogue, recommender.vocabulary)
