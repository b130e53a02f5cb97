"""From requests to lists: the stages, in their order. Each is a few lines here and a module beside this one."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, final

from vitrina.artifacts import Artifact
from vitrina.base.arrays import Int32
from vitrina.base.errors import ParameterError, VitrinaError
from vitrina.base.ids import id_text
from vitrina.data.dataset import Dataset
from vitrina.protocols import Recommender
from vitrina.request import list_width
from vitrina.rerank.base import RerankerConfig
from vitrina.rerank.narrow import without
from vitrina.rerank.reranked import RerankedLists
from vitrina.service.facts import Facts
from vitrina.service.histories import Histories
from vitrina.service.pipeline.answered import Answered
from vitrina.service.pipeline.asked import Asked, Enrichment, unread
from vitrina.service.pipeline.check import checked
from vitrina.service.pipeline.columns import Columns
from vitrina.service.pipeline.eligible import Asking, dropped, for_all, narrowed, why_empty
from vitrina.service.pipeline.gather import Gathering, Within
from vitrina.service.pipeline.layers import hidden_by_rules, layers_of, refreshed, settings_of
from vitrina.service.pipeline.listing import Listing
from vitrina.service.pipeline.report import Report
from vitrina.service.pipeline.similar import related
from vitrina.service.pipeline.telling import Alone, said_beside, traced_stages, with_why
from vitrina.service.trace import Stage
from vitrina.told import kinds_read, lacking
from vitrina.types import Eligibility, Queries, Recommendations
from vitrina.wire import MOST_ITEMS, RecommendedItem, RecommendRequest, SimilarRequest

RESERVE = 10  # places beyond a list, from which it is filled where a check takes something out
BUDGET = 0.05  # seconds
UNREAD = "{model} doesn't read what is typed. Serve a model that searches here: an index (vt.search.ItemIndex), or vt.search.Hybrid of several sources."
log = logging.getLogger(__name__)


class PipelineError(VitrinaError):
    """A stage failed that nothing stands in for, such as a filter: rather no list than one that shows what may not be shown."""


@final
class Pipeline:
    """One version of a model with all that makes lists of it. Used by one thread at a time.

    The objects are those of the library: a model (`vt.ranking.TwoStage` has several sources), re-rankers and rules; a list is
    what `recommend` of the same model gives for the same `vt.Eligibility`.
    """

    def __init__(
        self, recommender: Recommender, layers: list[RerankedLists], enrichment: Enrichment, columns: Columns, listing: Listing, *,
        repeat: bool, budget: float | None, version: str, clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self.recommender, self.version, self.repeat = recommender, version, repeat
        self.watch: Callable[[Sequence[Stage]], None] | None = None  # is told of each batch, after it is answered
        self.budget, self.gathering = budget, Gathering(recommender, budget)
        self.enrichment, self.columns, self.listing = enrichment, columns, listing
        self._reads_events = hasattr(recommender, "lacking")
        self._fitted_layers, self._clock, self._settings = layers, clock, settings_of(layers, recommender)
        self._use(refreshed(layers, columns))

    @classmethod
    def of(
        cls, artifact: Artifact, histories: Histories, items: Facts, people: Facts, *, reranker: RerankerConfig | None = None,
        candidates: int = 200, repeat: bool | None = None, budget: float | None = BUDGET, version: str = "", log: Dataset | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> Self:  # fmt: skip
        """Of an artifact.

        Args:
            items: what is said of items now; `people` the same.
            reranker: of the scenario, around the artifact's own.
            candidates: that it orders.
            repeat: may items of the history come back; by default as the model was fitted for.
            budget: seconds that sources have for a batch; None is no bound.
            log: the reranker is fitted on.
            clock: the moment of asking, microseconds since 1970.

        Raises:
            ArtifactError: it holds a policy.
            VitrinaError: the reranker can't be fitted.
        """
        source = artifact.manifest.get("source")
        job = bool(source.get("repeat")) if isinstance(source, Mapping) else False
        repeat = job if repeat is None else repeat
        histories.know(kinds_read(artifact.recommender))
        enrichment = Enrichment(histories, people, artifact.vocabulary, repeat=repeat)
        texts = artifact.vocabulary.as_text().ids.to_list()
        columns = Columns(artifact.item_table, artifact.vocabulary, texts, items)
        columns.refresh()
        layers, recommender = layers_of(artifact.recommender, reranker, candidates, log, columns)
        return cls(
            recommender, layers, enrichment, columns, Listing(texts, columns), repeat=repeat, budget=budget,
            version=version, clock=clock,
        )  # fmt: skip

    def answer(self, requests: Sequence[RecommendRequest], *, traced: bool = False, patient: bool = False) -> list[Answered]:
        """A list for each request, as if each had been asked alone.

        Args:
            traced: with what each stage did to each request, which is then answered alone.
            patient: without the budget of the sources.
        """
        answers: dict[int, Answered] = {}
        for rows in [[row] for row in range(len(requests))] if traced else [list(range(len(requests)))]:
            report = Report(patient=patient)
            asked: dict[int, Asked] = {}
            with report.stage("history"):  # 1. query enrichment: histories, facts of people, context, the moment
                self._refresh()
                moment = self._clock()
                for row in rows:
                    try:
                        asked[row] = self.enrichment.asked(requests[row], moment)
                    except VitrinaError as error:
                        answers[row] = Answered([], error=error, version=self.version)
            for group in alike(asked, repeat=self.repeat):
                answers |= self._answered(group, report, traced=traced)
            if self.watch is not None:  # 7. side effects come after the answer; the tenant keeps what was shown
                self.watch(report.stages)
        return [answers[row] for row in range(len(requests))]

    def _answered(self, asked: dict[int, Asked], report: Report, *, traced: bool) -> dict[int, Answered]:
        """The answers of requests that go together; where that fails each is asked alone, so that only the one that is wrong has no list."""
        try:
            return dict(zip(asked, self._batch(list(asked.values()), report, traced=traced), strict=True))
        except Exception as error:
            if len(asked) > 1:
                return {
                    row: found for row, one in asked.items() for row, found in self._answered({row: one}, report, traced=traced).items()
                }
            if not isinstance(error, VitrinaError):
                log.exception("A request could not be answered.")
                error = PipelineError(f"The list could not be made: {type(error).__name__}.")
            return {row: Answered([], error=error, version=self.version) for row in asked}

    def _batch(self, asked: list[Asked], report: Report, *, traced: bool) -> list[Answered]:
        queries = self.enrichment.queries(asked)
        if queries.texts is not None and not self.searches:
            raise ParameterError(UNREAD.format(model=f"The model {self.recommender!r}"), parameter="text")
        with report.stage("eligibility"):  # 2. what may be shown at all, before anything is scored
            asking = self._asking(asked)
            eligible = narrowed(self._layers, queries, asking.eligibility(self.columns.hidden))
        report.told = None
        k = max(MOST_ITEMS if one.request.facets else one.request.k for one in asked)
        lists = self._ranked(queries, k + RESERVE, eligible, report)  # 3. to 5.
        with report.stage("checks"):  # 6. what may not stand there after all, and what fills its place: the reserve, then what is popular
            if self._refresh():
                eligible = without(eligible, self.columns.hidden)
            check = checked(lists.items, queries, min(k, len(self.recommender.catalogue.items)), eligible, self.recommender.catalogue)
            check = check if queries.texts is None else check.unfilled()
            found = [self.listing.items(lists, check, row, one.request.k) for row, one in enumerate(asked)]
        answers = self._noted(asked, queries, found, [lists.items[row][kept] for row, kept in enumerate(check.keep)], report)
        report.count(
            "eligibility", asking.counts(self.columns.hidden, queries) | {n: c * len(asked) for n, c in self._hidden_by_rules.items()}
        )
        report.count("checks", {"not allowed": check.wrong})
        for row, one in enumerate(asked):
            if traced or one.request.explain or not found[row]:
                alone = slice(row, row + 1)
                part = Alone(self.whole, queries[alone], asking.rows(alone), eligible.rows(alone), lists[alone], check.rows(alone))
                answers[row] = self._told(answers[row], one, part, report, traced=traced)
        return answers

    def _noted(
        self, asked: list[Asked], queries: Queries, found: list[list[RecommendedItem]], kept: list[Int32], report: Report
    ) -> list[Answered]:
        """The answers with what the client should know, and values counted over what was kept of each list."""
        skipped = [f"The {name} was left out: it {why.partition(':')[0]}." for name, why in report.skipped.items()]
        answers = []
        for row, one in enumerate(asked):
            told, empty = said_beside(report.told, row)
            lacks = lacking(self.recommender, queries[row : row + 1]) if self._reads_events else None
            notes = [*one.notes, *told, *unread(one, self._settings), *([] if lacks is None else [lacks]), *skipped]
            facets = self.columns.facets(one.request.facets, kept[row])
            answers.append(Answered(found[row], empty, notes, version=self.version, facets=facets))
        return answers

    def _ranked(self, queries: Queries, k: int, eligible: Eligibility, report: Report) -> Recommendations:
        """The lists: sources in parallel, features and scores, then re-rankers and rules from the innermost outwards."""
        depths = [list_width(k, self.recommender.catalogue)]
        for layer in self._layers:
            depths.append(layer.depth(queries, depths[-1]))
        lists = self.gathering.lists(queries, depths[-1], eligible, report)  # 3. sources, 4. features and ranker
        inner: Recommender = Within(self.gathering, report)
        with report.stage("reranking") as skipped:  # 5. re-rankers and rules
            for layer, depth in zip(reversed(self._layers), reversed(depths[:-1]), strict=True):
                inner = replace(layer, recommender=inner)
                try:
                    lists = inner.arranged(queries, lists, depth, eligible)
                except VitrinaError:
                    raise
                except Exception as error:
                    log.exception("A re-ranker failed; lists stand as the model has them.")
                    skipped["re-ranker"] = f"failed: {error}"
        return lists

    def _told(self, answered: Answered, one: Asked, part: Alone, report: Report, *, traced: bool) -> Answered:
        """The answer of one request with what few ask for: why its items stand there, why there are none, what each stage did."""
        if one.request.explain and answered.items:
            answered = replace(answered, items=with_why(answered.items, part, one.request.k, answered.notes))
        if answered.items and not traced:
            return answered
        every = self.recommender.catalogue.mask
        found = dropped(part.asking, self.columns.hidden, self._layers, part.queries, every)
        empty = None if answered.items else answered.empty or why_empty(found, int(every.sum()), one.request.text)
        trace = traced_stages(report.stages, found, int(every.sum()), part, len(answered.items), self.listing.texts) if traced else None
        return replace(answered, empty=empty, trace=trace)

    def similar(self, request: SimilarRequest) -> Answered:
        """Items like one, of what may be shown; what is popular fills nothing here.

        An item that the model doesn't know, or that nothing is like, has an empty list that says so.
        """
        self._refresh()
        text = id_text(request.item) or ""
        asked = self.enrichment.asked(
            RecommendRequest(
                history=[text], k=request.k, candidates=request.candidates, where=request.where, exclude=request.exclude, repeat=False
            ),
            self._clock(),
        )
        if not len(asked.history):
            return Answered([], f"The model doesn't know the item {text!r}.", version=self.version)
        try:
            queries, asking = self.enrichment.queries([asked]), self._asking([asked])
            eligible = narrowed(self._layers, queries, asking.eligibility(self.columns.hidden))
            lists = related(self.recommender).similar_items([text], request.k, eligible=eligible)
        except VitrinaError as error:
            return Answered([], error=error, version=self.version)
        check = checked(lists.items, queries, lists.k, eligible, self.recommender.catalogue)
        items = self.listing.items(lists, check.unfilled(), 0, request.k)
        return Answered(items, None if items else f"Nothing that may be shown is like {text!r}.", asked.notes, version=self.version)

    @property
    def searches(self) -> bool:
        """Whether the model reads what was typed: popularity fills no place of its lists."""
        return not self.recommender.catalogue.fills

    def within(self, request: RecommendRequest) -> tuple[list[Any], Eligibility, list[str]]:
        """The history of a request, ids of items, and what it may be shown, for whoever asks the model by itself; with notes for the client.

        Raises:
            VitrinaError: the request can't be answered as it is.
        """
        self._refresh()
        asked = self.enrichment.asked(request, self._clock())
        queries, asking = self.enrichment.queries([asked]), self._asking([asked])
        history = self.recommender.vocabulary.decode(asked.history.items).to_list()
        return history, for_all(narrowed(self._layers, queries, asking.eligibility(self.columns.hidden))), asked.notes

    def _asking(self, asked: Sequence[Asked]) -> Asking:
        """What these requests, which have the same conditions, may be shown."""
        request = asked[0].request
        conditions = {} if not request.where else self.columns.where(request.where)
        candidates = None if request.candidates is None else [one.candidates for one in asked]
        repeat = self.repeat if request.repeat is None else request.repeat
        return Asking(candidates, conditions, [one.exclude for one in asked], [one.before for one in asked], repeat)

    @property
    def whole(self) -> Recommender:
        """The model with its re-rankers, as one."""
        whole = self.recommender
        for layer in reversed(self._layers):
            whole = replace(layer, recommender=whole)
        return whole

    def _refresh(self) -> bool:
        """Take in what was said of items since; whether anything was."""
        if not self.columns.refresh():
            return False
        self._use(refreshed(self._fitted_layers, self.columns))
        return True

    def _use(self, layers: list[RerankedLists]) -> None:
        self._layers, self._hidden_by_rules = layers, hidden_by_rules(layers)


def alike(asked: dict[int, Asked], *, repeat: bool) -> list[dict[int, Asked]]:
    """Requests that can be answered together: they say the same columns of who asks and have the same conditions."""
    groups: dict[Any, dict[int, Asked]] = {}
    for row, one in asked.items():
        request = one.request
        context = tuple(sorted((name, type(value).__name__) for name, value in one.context.items()))
        where = json.dumps(request.where) if request.where else ""
        key = (
            context,
            where,
            request.candidates is None,
            repeat if request.repeat is None else request.repeat,
            request.text is None,
            not request.facets,
        )
        groups.setdefault(key, {})[row] = one
    return list(groups.values())
