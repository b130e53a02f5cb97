"""A service of two tenants that answers from dictionaries: what HTTP needs of one, without models and without a database."""

import itertools
from types import SimpleNamespace

from vitrina.service.facts import Facts
from vitrina.service.histories import Histories
from vitrina.service.metrics import Metrics
from vitrina.service.records import Attributes, Event, Rejected
from vitrina.service.settings import Key, ScenarioSettings, Settings, hash_of
from vitrina.wire import AnswerAnswer, BatchAnswer, ModelAnswer, RecommendAnswer, RecommendedItem, RowResult

KEYS = {
    "all": Key(hash=hash_of("vt_all")),
    "shop": Key(hash=hash_of("vt_shop"), scopes=("recommend", "events")),
    "other": Key(hash=hash_of("vt_other"), tenant="other"),
}


class FakeStore:
    def __init__(self):
        self.bad = {}

    def rejected(self, tenant, most=100):
        return list(reversed(self.bad.get(tenant, [])))[:most]

    def audited(self, tenant, most=100):
        return []


class FakeTenant:
    def __init__(self, name, store, scenarios):
        self.name, self.store = name, store
        self.events, self.kept_items, self.kept_users = {}, {}, {}
        self.histories, self.users = Histories.of_log(None), Facts()
        self.scenarios = {one: SimpleNamespace(name=one, told=ModelAnswer(one, "v1", "Popularity")) for one in scenarios}
        self.ids = itertools.count()
        self.asked = []

    async def recommend(self, request, *, traced=False):
        self.asked.append(request)
        items = [RecommendedItem(f"{self.name}-{place}", place, 1.0 / place, "model") for place in range(1, request.k + 1)]
        return RecommendAnswer(f"r-{next(self.ids)}", request.scenario, "v1", items), None

    async def answer(self, request, *, traced=False):
        return AnswerAnswer("refused", "Nothing was found for it.", [], [], "nothing found")

    async def similar(self, request):
        return RecommendAnswer(f"r-{next(self.ids)}", request.scenario, "v1", [])

    async def add_events(self, rows):
        self.histories.add([row for row in rows if isinstance(row, Event) and row.event_id not in self.events])
        return self._kept(rows, self.events, "event_id")

    async def set_items(self, rows):
        return self._kept(rows, self.kept_items, "id")

    async def set_users(self, rows):
        self.users.set([row for row in rows if isinstance(row, Attributes)])
        return self._kept(rows, self.kept_users, "id")

    def _kept(self, rows, place, name):
        results = []
        for row in rows:
            if isinstance(row, Rejected):
                self.store.bad.setdefault(self.name, []).append(row)
                results.append(RowResult("rejected", reason=row.reason))
                continue
            key = getattr(row, name)
            duplicate = key in place and not isinstance(row, Attributes)
            place.setdefault(key, row)
            results.append(RowResult("duplicate" if duplicate else "stored", key))
        return BatchAnswer.of(results)

    async def erase(self, user, who):
        before = len(self.events)
        self.events = {key: event for key, event in self.events.items() if event.user != user}
        return before - len(self.events)

    async def load(self, scenario, folder, who):
        return ModelAnswer(scenario, "v2", "EASE", "v1")

    async def roll_back(self, scenario, who):
        return ModelAnswer(scenario, "v0", "EASE", "v1")


def fake_service(tmp_path, keys=KEYS, **settings):
    scenarios = {
        "default": ScenarioSettings(artifact=tmp_path / "model"),
        "b": ScenarioSettings(artifact=tmp_path / "model", tenant="other", name="secret"),
    }
    store = FakeStore()
    return SimpleNamespace(
        settings=Settings(scenarios=scenarios, keys=keys, state=tmp_path / "state", **settings),
        store=store,
        tenants={"default": FakeTenant("default", store, ["default"]), "other": FakeTenant("other", store, ["secret"])},
        metrics=Metrics(),
        not_ready=[],
        ready=True,
    )
