"""What belongs to one tenant: histories, facts of items and people, scenarios; and everything that its callers may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vitrina.service.records import Attributes, Event, Rejected
from vitrina.service.scenario import Scenario
from vitrina.service.trace import Trace
from vitrina.wire import BatchAnswer, ModelAnswer, RecommendAnswer, RecommendRequest, SimilarRequest

if TYPE_CHECKING:
    from vitrina.service.facts import Facts
    from vitrina.service.histories import Histories
    from vitrina.service.metrics import Metrics
    from vitrina.service.store.store import Store


class Tenant:
    """One tenant. All methods are called on the event loop."""

    def __init__(
        self, name: str, store: Store, histories: Histories, items: Facts, users: Facts, scenarios: Mapping[str, Scenario], metrics: Metrics
    ) -> None:
        self.name = name
        self.store = store
        self.histories = histories
        self.items = items
        self.users = users
        self.scenarios = dict(scenarios)
        self._metrics = metrics

    def scenario(self, name: str) -> Scenario:
        """A scenario by its name.

        Raises:
            UnknownNameError: there is none of that name.
        """
        raise NotImplementedError

    async def recommend(self, request: RecommendRequest, *, traced: bool = False) -> tuple[RecommendAnswer, Trace | None]:
        """A list for who asks: the experiment's arm answers, and what is shown is queued to be kept.

        Raises:
            UnknownNameError: there is no such scenario.
            ParameterError: the request can't be answered as it is; says why.
        """
        raise NotImplementedError

    async def similar(self, request: SimilarRequest) -> RecommendAnswer:
        """Items like one; kept as what was shown, as lists are."""
        raise NotImplementedError

    async def add_events(self, rows: Sequence[Event | Rejected]) -> BatchAnswer:
        """Keep events, then let them count in histories. A row that was refused is kept with its reason; each row has its result.

        Raises:
            StoreUnavailableError: nothing was kept.
        """
        raise NotImplementedError

    async def set_items(self, rows: Sequence[Attributes | Rejected]) -> BatchAnswer:
        """Set columns of items, or take items out of every list."""
        raise NotImplementedError

    async def set_users(self, rows: Sequence[Attributes | Rejected]) -> BatchAnswer:
        """Set columns of people."""
        raise NotImplementedError

    async def erase(self, user: str, who: str) -> int:
        """Forget a person: in the store, in what is sealed, and in memory; the number of rows that are gone."""
        raise NotImplementedError

    async def load(self, scenario: str, folder: str, who: str) -> ModelAnswer:
        """Another model for a scenario; what became of it is audited, with who asked.

        Raises:
            UnknownNameError: there is no such scenario.
            ModelRefusedError: the folder isn't allowed, or holds no sound artifact; the model before goes on serving.
        """
        raise NotImplementedError

    async def roll_back(self, scenario: str, who: str) -> ModelAnswer:
        """The model before for a scenario.

        Raises:
            UnknownNameError: there is no such scenario.
            ModelRefusedError: there is none before.
        """
        raise NotImplementedError
