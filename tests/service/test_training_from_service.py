"""From the service back to training: each event once, nothing lost, new items known; the fitted model is loaded by the running service."""

import asyncio
import json
from collections import Counter

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.cli.main import app
from vitrina.service.doubles import Doubles
from vitrina.service.records import Attributes, Event
from vitrina.service.service import Service
from vitrina.service.settings import ScenarioSettings, Settings
from vitrina.service.store.store import Store
from vitrina.service.training import with_service
from vitrina.wire import RecommendRequest

DAY = 86_400_000_000
START = 1_700_000_000_000_000 // DAY * DAY
ITEMS = [f"i{number}" for number in range(8)]


def kept(folder, events=(), items=(), users=(), sealed=0):
    """A state folder with these events; the first `sealed` are in a segment."""

    async def work():
        store = Store.open(folder)
        if sealed:
            await store.append("default", events[:sealed])
            await store.seal()
        await store.append("default", events[sealed:])
        await store.set_items("default", list(items))
        await store.set_users("default", list(users))
        await store.close()

    asyncio.run(work())
    return Store.read_only(folder)


def events_of(rng, n, kinds=("view", "buy", "impression"), unit=1):
    rows = []
    for number in range(n):
        user = f"u{rng.integers(6)}" if rng.random() < 0.95 else None
        item = str(rng.choice(ITEMS)) if rng.random() < 0.95 else None
        time = START + int(rng.integers(0, 4)) * unit
        rows.append(Event(f"e{number}", str(rng.choice(kinds)), user, item, time, time, float(rng.integers(1, 5)), str(rng.integers(2))))
    return rows


def log_of(rows, kinds):
    frame = pl.DataFrame(
        {
            "user_id": [e.user for e in rows],
            "item_id": [e.item for e in rows],
            "timestamp": pl.Series([e.time for e in rows]).cast(pl.Datetime("us")),
        }
        | ({"kind": [e.kind for e in rows]} if kinds else {})
    )
    return vt.read_interactions(frame)


@pytest.mark.parametrize("instance", range(200))
def test_doubles_are_those_of_counting_one_by_one(instance):
    rng = np.random.default_rng(instance)
    kinds, unit = bool(rng.random() < 0.5), int(rng.choice([1, 1_000_000, DAY]))
    whole = [event for event in events_of(rng, 60, unit=unit) if event.user and event.item]
    exported = [event for event in whole if rng.random() < 0.5] or whole[:1]
    rounded = [Event(e.event_id, e.kind, e.user, e.item, e.time // unit * unit, e.received) for e in exported]
    log = log_of(rounded, kinds)
    doubles = Doubles(log)
    later = [Event(e.event_id, e.kind, e.user, e.item, e.time // unit * unit + int(rng.integers(0, unit)), e.received) for e in whole]
    frame = pl.DataFrame([{"user": e.user, "item": e.item, "time": e.time, "kind": e.kind, "event_id": e.event_id} for e in later])
    cut = int(rng.integers(0, len(frame)))
    found = pl.concat([doubles.left(part) for part in (frame[:cut], frame[cut:])])["event_id"].to_list()

    moment = doubles.precision
    left = Counter((e.user, e.item, e.time // moment, e.kind if kinds else None) for e in rounded)
    expected = []
    for event in later:
        key = event.user, event.item, event.time // moment, event.kind if kinds else None
        if left[key] > 0:
            left[key] -= 1
        else:
            expected.append(event.event_id)
    assert found == expected
    assert doubles.found == len(later) - len(expected)


@pytest.mark.parametrize("instance", range(20))
def test_nothing_is_lost_and_nothing_doubled(instance, tmp_path):
    rng = np.random.default_rng(instance)
    before = [event for event in events_of(rng, 20, kinds=("view", "buy")) if event.user and event.item]
    since = events_of(np.random.default_rng(instance + 1000), 40)
    log = log_of(before + [e for e in since if e.user and e.item and e.kind in ("view", "buy") and rng.random() < 0.3], kinds=True)
    joined = with_service(log, kept(tmp_path / "state", since, sealed=int(rng.integers(0, 40))))
    assert sum(joined.events.values()) + sum(joined.left_out.values()) == len(since)
    assert joined.data.n_events == log.n_events + sum(joined.events.values())
    enter = [e for e in since if e.user and e.item and e.kind in ("view", "buy")]
    before_counts = Counter(log.frame().select("user_id", "item_id", "timestamp", "kind").rows())
    of_service = Counter((e.user, e.item, pl.Series([e.time]).cast(pl.Datetime("us"))[0], e.kind) for e in enter)
    assert (
        Counter(joined.data.frame().select("user_id", "item_id", "timestamp", "kind").rows()) == before_counts | of_service
    )  # the larger count
    times = joined.data.events.times
    assert all((np.diff(times[a:b]) >= 0).all() for a, b in zip(joined.data.indptr[:-1], joined.data.indptr[1:], strict=True))


def test_what_is_left_out_is_counted_by_why(tmp_path):
    rows = [
        Event("1", "buy", "ann", "tea", START, START), Event("2", "impression", "ann", "tea", START, START),
        Event("3", "buy", None, "tea", START, START), Event("4", "buy", "ann", None, START, START), Event("5", "buy", "ann", "jam", START, START),
    ]  # fmt: skip
    log = log_of([Event("x", "buy", "ann", "tea", START, START)], kinds=False)
    joined = with_service(log, kept(tmp_path / "state", rows))
    assert joined.events == {"buy": 1}
    assert {why: count for why, count in joined.left_out.items() if count} == {
        "Left out, as they name no person": 1, "Left out, as they name no item": 1, "Left out, as the log has none of the kind 'impression'": 1,
        "In the log already, so that they count once": 1,
    }  # fmt: skip
    assert joined.sentences[0] == "Of the service's events joined the log: 1 (1 buy)."


def test_kinds_that_are_named_count(tmp_path):
    rows = [Event("1", "buy", "ann", "tea", START, START), Event("2", "impression", "bob", "tea", START, START)]
    log = log_of([Event("x", "buy", "zoe", "tea", START, START)], kinds=False)
    store = kept(tmp_path / "state", rows)
    assert with_service(log, store, kinds=["impression"]).events == {"impression": 1}
    with pytest.raises(DataError, match="'click'"):
        with_service(log, store, kinds=["click"])


def test_values_baskets_and_weights_are_those_of_the_log(tmp_path):
    table = {
        "user_id": ["ann"] * 4, "item_id": ["a", "b", "c", "d"], "timestamp": ["2023-01-01", "2023-01-02", "2023-01-03", "2023-01-04"],
        "kind": ["buy", "buy", "view", "buy"], "value": [1.0, 2, 3, 4], "basket_id": ["x", "x", "y", "z"], "w": [2.0, 2, 0.5, 1],
    }  # fmt: skip
    log = vt.read_interactions(pl.DataFrame(table), weight="w")
    rows = [
        Event("1", "buy", "ann", "a", START, START, 9.0, "n"), Event("2", "view", "ann", "b", START + 1, START, None, "n"),
        Event("3", "buy", "ann", "e", START + 2, START),
    ]  # fmt: skip
    data = with_service(log, kept(tmp_path / "state", rows)).data
    events = data.events
    assert events.weights.tolist() == [2, 2, 0.5, 1, 2, 0.5, 2]
    np.testing.assert_array_equal(events.values, np.array([1, 2, 3, 4, 9, np.nan, np.nan], np.float32))
    assert [data.kind_names[kind] for kind in events.kinds] == ["buy", "buy", "view", "buy", "buy", "view", "buy"]
    assert events.baskets[4] == events.baskets[5] != events.baskets[6]
    assert set(events.baskets[4:]) & set(log.events.baskets) == set()


def test_a_log_whose_times_are_steps_is_refused(tmp_path):
    log = vt.read_interactions(pl.DataFrame({"user_id": ["ann"], "item_id": ["tea"]}))
    with pytest.raises(DataError, match="no moments"):
        with_service(log, kept(tmp_path / "state"))


def test_columns_of_items_are_as_the_service_was_told(tmp_path):
    log = vt.testing.toy()
    store = kept(
        tmp_path / "state",
        items=[Attributes("tea", {"title": "Green tea", "price": 3.5}), Attributes("new-1", {"title": "Cocoa", "aisle": "drinks"}), Attributes("gone", {}, delete=True)],
    )  # fmt: skip
    data = with_service(log, store).data
    titles = dict(zip(data.items.ids.to_list(), data.item_table.title_column.to_list(), strict=True))
    assert titles["tea"] == "Green tea"
    assert titles["new-1"] == "Cocoa"
    assert titles["milk"] == "Whole milk"
    assert "gone" not in titles
    assert data.item_table.kinds["price"] == "number"
    assert data.item_table.kinds["aisle"] == log.item_table.kinds["aisle"]


def test_the_whole_loop_while_the_service_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vt.testing.synthetic(users=60, items=20, mean_length=8, groups=3).frame().write_csv("log.csv")
    (tmp_path / "vitrina.toml").write_text('[data]\nsource = "log.csv"\n\n[models.EASE]\nl2 = 5.0\n')
    models = tmp_path / "models"

    def fit(out, *more):
        done = CliRunner().invoke(app, ["fit", "vitrina.toml", "--model", "EASE", "--out", str(models / out), "--json", *more])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    first = fit("one")
    state = tmp_path / "state"
    settings = Settings(scenarios={"default": ScenarioSettings(artifact=models / "one")}, state=state)

    async def work():
        service = await Service.open(settings, logs={"default": vt.read_interactions("log.csv")})
        tenant = service.tenants["default"]
        now = 1_720_000_000_000_000
        rows = []
        for person in range(30):
            for place, item in enumerate(("fresh", "fresher")):
                number = 2 * person + place
                rows.append(Event(f"e{number}", "purchase", f"new{person}", item, now + number, now + number))
        await tenant.add_events(rows)
        await tenant.set_items([Attributes("fresh", {"title": "Fresh bread"})])
        told = await asyncio.to_thread(fit, "two", "--from-service", str(state))
        answer = await tenant.load("default", "two", "ann")
        again, _ = await tenant.recommend(RecommendRequest(history=["fresher"], k=3))
        await service.close()
        return told, answer, again

    told, answer, again = asyncio.run(work())
    assert told["events"] == first["events"] + 60
    assert "Of the service's events joined the log: 60 (60 purchase)." in told["notes"]
    assert again.model_version == answer.version
    assert again.items[0].item == "fresh"
    assert again.items[0].title == "Fresh bread"
    exported = vt.load(models / "two").manifest["source"]["service"]
    assert exported["events"] == {"purchase": 60}

    log = pl.read_csv("log.csv", try_parse_dates=True)
    more = pl.DataFrame(
        {
            "user_id": [f"new{n // 2}" for n in range(60)],
            "item_id": ["fresh", "fresher"] * 30,
            "timestamp": [1_720_000_000_000_000 + n for n in range(60)],
        }
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us")))
    pl.concat(
        [
            log.select("user_id", "item_id", "timestamp").cast(
                {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Datetime("us")}
            ),
            more,
        ]
    ).write_csv("log.csv")
    third = fit("three", "--from-service", str(state))
    assert third["events"] == told["events"]
    assert "In the log already, so that they count once: 60." in third["notes"]


def test_options_about_a_service_need_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vt.testing.synthetic(users=20, items=10).frame().write_csv("log.csv")
    (tmp_path / "vitrina.toml").write_text('[data]\nsource = "log.csv"\n\n[models.EASE]\n')
    done = CliRunner().invoke(app, ["fit", "vitrina.toml", "--model", "EASE", "--out", "m", "--kinds", "click"])
    assert done.exit_code != 0
    assert "--from-service STATE" in done.output
    done = CliRunner().invoke(app, ["fit", "vitrina.toml", "--model", "EASE", "--out", "m", "--from-service", "nowhere"])
    assert done.exit_code != 0
    assert "nowhere" in done.output
