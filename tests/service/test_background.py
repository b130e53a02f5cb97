import asyncio
from types import SimpleNamespace

import pytest

from vitrina.service import logs
from vitrina.service.background import DAY, HOUR, Background
from vitrina.service.metrics import Metrics
from vitrina.service.settings import Keeping, ScenarioSettings, Settings
from vitrina.service.store.base import StoreUnavailableError


class FakeStore:
    def __init__(self):
        self.sealed, self.dropped, self.flushed, self.fails = [], [], 0, None

    async def seal(self, before):
        if self.fails:
            raise self.fails
        self.sealed.append(before / 1e6)
        return 3

    async def retain(self, tenant, kind, before):
        self.dropped.append((tenant, kind, before / 1e6))
        return 0

    async def flush(self):
        self.flushed += 1


@pytest.fixture
def made(tmp_path):
    """A timer over a fake store, and a clock to turn: (timer, store, metrics, clock)."""
    settings = Settings(
        scenarios={"default": ScenarioSettings(artifact="model")},
        state=tmp_path,
        keep=Keeping(seal=1, events=None, shown=2, rejected=1, every=0.01),
    )
    store, metrics, clock = FakeStore(), Metrics(), [100.25 * DAY]
    service = SimpleNamespace(settings=settings, store=store, metrics=metrics, tenants={"default": None, "other": None})
    return Background(service, clock=lambda: clock[0]), store, metrics, clock


def value(metrics, name):
    return [number for _, number in metrics.values(name)]


def test_a_file_covers_a_period_and_is_made_once(made):
    timer, store, _, clock = made
    for seconds in (0, 60, HOUR, DAY):
        clock[0] += seconds
        asyncio.run(timer.turn())
    assert store.sealed == [100 * DAY, 101 * DAY]


def test_what_is_too_old_is_dropped_hourly_for_every_tenant_and_events_stay(made):
    timer, store, _, clock = made
    for _ in range(10):
        asyncio.run(timer.turn())
        clock[0] += HOUR / 5
    assert {(tenant, kind) for tenant, kind, _ in store.dropped} == {(t, k) for t in ("default", "other") for k in ("shown", "rejected")}
    assert [before for _, kind, before in store.dropped if kind == "shown"][:2] == [98.25 * DAY] * 2
    assert len(store.dropped) == 4 * 2


def test_an_error_is_counted_and_logged_and_the_others_go_on(made, caplog):
    timer, store, metrics, _ = made
    store.fails = RuntimeError("disk")
    asyncio.run(timer.turn())
    assert [(one["task"], n) for one, n in metrics.values("vitrina_background_errors_total")] == [("seal", 1.0)]
    assert "The task 'seal' failed" in caplog.text
    assert store.dropped
    assert store.flushed == 1
    store.fails = None
    asyncio.run(timer.turn())
    assert len(store.sealed) == 1


def test_a_database_that_is_away_is_a_warning_without_a_trace(made, caplog):
    timer, store, metrics, _ = made
    store.fails = StoreUnavailableError("The database doesn't answer.")
    asyncio.run(timer.turn())
    [record] = [one for one in caplog.records if one.name == logs.LOGGER.name]
    assert record.levelname == "WARNING"
    assert value(metrics, "vitrina_background_errors_total") == [1.0]


def test_room_and_lag_are_measured(made):
    timer, _, metrics, _ = made
    asyncio.run(timer.turn())
    assert value(metrics, "vitrina_state_free_bytes")[0] > 0
    assert value(metrics, "vitrina_ingest_lag_seconds")[0] >= 0


def test_it_runs_until_it_is_cancelled(made):
    timer, store, _, _ = made

    async def some_time():
        task = asyncio.create_task(timer.run())
        await asyncio.sleep(0.1)
        task.cancel()

    asyncio.run(some_time())
    assert store.flushed >= 3
