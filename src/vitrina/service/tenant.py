"""What belongs to one tenant: histories, facts of items and people, scenarios; and everything that its callers may do."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from msgspec.json import encode

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.experiments.assign import Assigned
from vitrina.service import tracing
from vitrina.service.models import Way
from vitrina.service.records import Attributes, Audited, Event, Rejected, Shown
from vitrina.service.registry import ModelRefusedError
from vitrina.service.scenario import NO_ID, Scenario
from vitrina.service.store.base import StoreUnavailableError
from vitrina.service.trace import Trace
from vitrina.wire import AnswerAnswer, AnswerRequest, BatchAnswer, ModelAnswer, RecommendAnswer, RecommendRequest, RowResult, SimilarRequest

if TYPE_CHECKING:
    from vitrina.service.facts import Facts
    from vitrina.service.follow import Follower
    from vitrina.service.histories import Histories
    from vitrina.service.metrics import Metrics
    from vitrina.service.pipeline import Answered
    from vitrina.service.store.store import Store

LOG = logging.getLogger(__name__)
Row = TypeVar("Row")
Given = ParamSpec("Given")
Result = TypeVar("Result")


def to_its_end(method: Callable[Given, Coroutine[Any, Any, Result]]) -> Callable[Given, Coroutine[Any, Any, Result]]:
    """What changes something goes on to its end, also where nobody waits for the answer any more: what is on disk must count in memory, and a model that was
    changed must be audited."""

    @wraps(method)
    async def shielded(*given: Given.args, **named: Given.kwargs) -> Result:
        return await asyncio.shield(method(*given, **named))

    return shielded


class Tenant:
    """One tenant. All methods are called on the event loop."""

    def __init__(
        self,
        name: str,
        store: Store,
        histories: Histories,
        items: Facts,
        users: Facts,
        scenarios: Mapping[str, Scenario],
        metrics: Metrics,
        follower: Follower | None = None,
    ) -> None:
        self.name = name
        self.store = store
        self.histories = histories
        self.items = items
        self.users = users
        self.scenarios = dict(scenarios)
        self._metrics = metrics
        self._follower = follower

    def scenario(self, name: str) -> Scenario:
        """A scenario by its name.

        Raises:
            UnknownNameError: there is none of that name.
        """
        found = self.scenarios.get(name)
        if found is None:
            raise UnknownNameError.of("scenario", name, self.scenarios)
        return found

    async def recommend(self, request: RecommendRequest, *, traced: bool = False) -> tuple[RecommendAnswer, Trace | None]:
        """A list for who asks: the experiment's arm answers, and what is shown is queued to be kept.

        Raises:
            UnknownNameError: there is no such scenario.
            ParameterError: the request can't be answered as it is; says why.
        """
        scenario = self.scenario(request.scenario)
        assigned = scenario.assign(request)
        way = scenario.way(assigned)
        recorded = tracing.recorded()
        answered = await way.batcher.ask(request, traced=traced or recorded)
        if recorded and answered.trace is not None:
            tracing.staged(answered.trace.stages)
        user = None if request.user is None else str(request.user)
        return self._shown(scenario, way, answered, user, request.session, assigned), answered.trace

    async def similar(self, request: SimilarRequest) -> RecommendAnswer:
        """Items like one, by the version that serves who is in no experiment; kept as what was shown, as lists are."""
        scenario = self.scenario(request.scenario)
        way = scenario.way(None)
        answered = await way.batcher.similar(request)
        return self._shown(scenario, way, answered, None, None, None)

    async def answer(self, request: AnswerRequest, *, traced: bool = False) -> AnswerAnswer:
        """What comes of a question, by the version that serves who is in no experiment.

        Raises:
            ParameterError: the scenario answers no questions, or this one can't be answered as it is.
        """
        answering = self.scenario(request.scenario).way(None).answering
        if answering is None:
            raise ParameterError(
                f"The scenario {request.scenario!r} answers no questions: it has no table [scenarios.{request.scenario}.answers] in the settings."
            )
        return await answering.answer(request, traced=traced)

    def _shown(
        self, scenario: Scenario, way: Way, answered: Answered, user: str | None, session: str | None, assigned: Assigned | None
    ) -> RecommendAnswer:
        """The answer, and what is kept of it."""
        now = time.time_ns() // 1000
        name = f"{now:014x}{secrets.token_hex(8)}"  # rises with time, so that tables of them grow at their end
        running, notes = scenario.experiment, list(answered.notes)
        variant, chance = (None, None) if assigned is None else (assigned.arm, assigned.propensity)
        experiment = None if running is None or variant is None else running.name
        if running is not None and assigned is not None and assigned.outside == NO_ID:
            notes.append(f"Outside of the experiment {running.name!r}: the request has no {running.unit}.")
        items = answered.items
        if items:
            chances = [item.propensity for item in items]
            kept = Shown(
                name, now, scenario.name, way.version.id, user, session, experiment, variant, chance,
                [item.item for item in items], [item.score for item in items], [item.source for item in items],
                None if all(one is None for one in chances) else chances,
            )  # fmt: skip
            self.store.show(self.name, kept)
        self._metrics.answered(self.name, scenario.name, empty=not items, fallback=any(item.source == "fallback" for item in items))
        return RecommendAnswer(
            name, scenario.name, way.version.id, items, experiment, variant, chance, answered.empty, notes, answered.facets
        )

    @to_its_end
    async def add_events(self, rows: Sequence[Event | Rejected]) -> BatchAnswer:
        """Keep events, then let them count in histories. A row that was refused is kept with its reason; each row has its result.

        Raises:
            StoreUnavailableError: nothing more was kept; what was is a duplicate when the batch is sent again.
        """
        events = [row for row in rows if isinstance(row, Event)]
        stored = await self.store.append(self.name, events) if events else []
        if self._follower is None:
            self.histories.add([event for event, new in zip(events, stored, strict=True) if new])
        else:
            await self._follower.caught_up()
        refused = [row for row in rows if isinstance(row, Rejected)]
        if refused:
            await self.store.reject(self.name, refused)
        answer = _answer(rows, stored, lambda event: event.event_id, ("stored", "duplicate"))
        self._metrics.ingested(self.name, stored=answer.stored, duplicates=answer.duplicates, rejected=answer.rejected)
        return answer

    @to_its_end
    async def set_items(self, rows: Sequence[Attributes | Rejected]) -> BatchAnswer:
        """Set columns of items, or take items out of every list.

        Raises:
            StoreUnavailableError: nothing was kept.
        """
        return await _set(self, rows, self.store.set_items, self.items, lambda item: self.histories.items.code(item) >= 0)

    @to_its_end
    async def set_users(self, rows: Sequence[Attributes | Rejected]) -> BatchAnswer:
        """Set columns of people."""
        return await _set(self, rows, self.store.set_users, self.users, lambda user: False)

    @to_its_end
    async def erase(self, user: str, who: str) -> int:
        """Forget a person: in the store, in what is sealed, and in memory; the number of rows that are gone.

        Raises:
            StoreUnavailableError: nothing was erased for good; ask again.
        """
        gone = await self.store.erase(self.name, user, who)
        if self._follower is None or not await self._follower.caught_up():  # an event that comes after it must stay
            self.histories.erase(user)
            self.users.forget(user)
        return gone

    @to_its_end
    async def load(self, scenario: str, folder: str, who: str) -> ModelAnswer:
        """Another model for a scenario; what became of it is audited, with who asked.

        Raises:
            UnknownNameError: there is no such scenario.
            ModelRefusedError: the folder isn't allowed, or holds no sound artifact; the model before goes on serving.
        """
        return await self._changed(scenario, who, "load", self.scenario(scenario).load(folder))

    @to_its_end
    async def roll_back(self, scenario: str, who: str) -> ModelAnswer:
        """The model before for a scenario.

        Raises:
            UnknownNameError: there is no such scenario.
            ModelRefusedError: there is none before.
        """
        return await self._changed(scenario, who, "rollback", self.scenario(scenario).roll_back())

    async def _changed(self, scenario: str, who: str, action: str, change: Awaitable[ModelAnswer]) -> ModelAnswer:
        try:
            answer = await change
        except ModelRefusedError as error:
            self._metrics.loads.labels(self.name, scenario, "refused").inc()
            await _audit(self, who, action, scenario, f"refused: {error}")
            raise
        self._metrics.loads.labels(self.name, scenario, "loaded").inc()
        await _audit(self, who, action, scenario, f"{answer.version}, before {answer.previous}")
        return answer


async def _audit(tenant: Tenant, who: str, action: str, subject: str, detail: str) -> None:
    """A model is changed although the database is away: then the log alone says so."""
    try:
        await tenant.store.audit(Audited(time.time_ns() // 1000, tenant.name, who, action, subject, detail))
    except StoreUnavailableError as error:
        LOG.warning("not audited: %s of %s by %s: %s (%s)", action, subject, who, detail, error)


async def _set(
    tenant: Tenant, rows: Sequence[Attributes | Rejected], keep: Callable[[str, Sequence[Attributes]], Awaitable[list[bool]]], facts: Facts,
    occurs: Callable[[str], bool],
) -> BatchAnswer:  # fmt: skip
    """Keep columns, then let them count; a row with a column of another type than it has is refused.

    Args:
        occurs: whether an id of which no columns were set is known otherwise: an item of a model can be deleted too.
    """
    now = time.time_ns() // 1000
    wrong = {place: facts.refused(row) for place, row in enumerate(rows) if isinstance(row, Attributes)}
    rows = [row if (reason := wrong.get(place)) is None else Rejected.of(now, encode(row), reason) for place, row in enumerate(rows)]
    given = [row for row in rows if isinstance(row, Attributes)]
    kept = await keep(tenant.name, given) if given else []
    known = [found or occurs(row.id) for found, row in zip(kept, given, strict=True)]
    facts.set(given)
    refused = [row for row in rows if isinstance(row, Rejected)]
    if refused:
        await tenant.store.reject(tenant.name, refused)
    return _answer(rows, known, lambda row: row.id, ("stored", "unknown"))


def _answer(rows: Sequence[Row | Rejected], done: Sequence[bool], id_of: Callable[[Row], str], words: tuple[str, str]) -> BatchAnswer:
    """What became of each row, in their order.

    Args:
        done: of the rows that weren't refused, what the store said.
        words: for what it did, and what it didn't.
    """
    left = iter(done)
    results = []
    for row in rows:
        if isinstance(row, Rejected):
            results.append(RowResult("rejected", reason=row.reason))
            continue
        status = words[0] if next(left) else words[1]
        deleted = isinstance(row, Attributes) and row.delete and status == "stored"
        results.append(RowResult("deleted" if deleted else status, id_of(row)))
    return BatchAnswer.of(results)
