"""A store of any version is brought to this one, whatever happens on the way."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import apsw
import pytest
from kept_rows import event, ids

from vitrina.base.errors import DataError
from vitrina.service.records import Attributes, Rejected
from vitrina.service.store import migrations
from vitrina.service.store.sqlite import FILE, SQLite
from vitrina.service.store.store import Store

FIRST = Path(__file__).parents[2] / "fixtures" / "store-1.sql"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The folder of a store of the first version."""
    connection = apsw.Connection(str(tmp_path / FILE))
    with connection:
        connection.execute(FIRST.read_text(encoding="utf-8"))
    connection.close()
    return tmp_path


def schema(folder: Path) -> dict[str, str]:
    """What the database says that its tables are."""
    connection = apsw.Connection(str(folder / FILE))
    found = {name: " ".join(text.split()) for name, text in connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    connection.close()
    return found


def test_the_first_version_is_read_and_goes_on(first):
    async def run() -> None:
        store = Store.open(first)
        rows = next(store.events("shop")).to_dicts()
        assert [(r["sequence"], r["event_id"], r["user"], r["properties"]) for r in rows] == [
            (1, "a", "ann", '{"page":"café"}'),
            (4, "b", "bob", "{}"),
        ]
        shown = next(store.shown("shop")).select("position", "item", "score", "item_propensity", "propensity", "variant").rows()
        assert shown == [(1, "tea", 1.5, 0.25, 0.5, "b"), (2, "jam", None, 1.0, 0.5, "b")]
        assert store.items("shop") == [Attributes("jam", {}, delete=True), Attributes("tea", {"price": 2.5})]
        assert store.users("shop") == [Attributes("ann", {"age": 5})]
        assert store.rejected("shop") == [Rejected(1_700_000_000_000_000, b"{}", "no kind")]
        assert [e.subject for e in reversed(store.audited("shop"))] == list(migrations.STEPS)
        assert await store.append("shop", [event("a"), event("b"), event("c")]) == [False, False, True]
        assert await store.append("other", [event("a"), event("b")]) == [False, True]
        assert await store.seal() == 7
        assert ids(store) == ["a", "b", "c"]
        assert await store.erase("shop", "ann", "me") == 1 + 2 + 1 + 1
        await store.close()

    asyncio.run(run())


def test_a_migrated_schema_is_the_one_that_a_new_store_has(first, tmp_path):
    SQLite(first).migrate()
    SQLite(tmp_path / "new").migrate()
    assert schema(first) == schema(tmp_path / "new")


def test_the_first_step_is_never_changed(first, tmp_path, monkeypatch):
    monkeypatch.setattr(migrations, "STEPS", dict(itertools.islice(migrations.STEPS.items(), 1)))
    SQLite(tmp_path / "new").migrate()
    assert schema(first) == schema(tmp_path / "new")


@pytest.mark.parametrize("number", range(1, 4))
def test_a_step_that_fails_half_way_leaves_nothing_and_is_taken_again(tmp_path, monkeypatch, number):
    steps = list(migrations.STEPS.items())
    name, text = steps[number - 1]
    with monkeypatch.context() as patch:
        patch.setattr(
            migrations, "STEPS", dict(steps[: number - 1]) | {name: text + "; INSERT INTO nowhere VALUES (1)"} | dict(steps[number:])
        )
        with pytest.raises(apsw.SQLError, match="nowhere"):
            SQLite(tmp_path).migrate()
    connection = apsw.Connection(str(tmp_path / FILE))
    assert connection.pragma("user_version") == number - 1
    connection.close()
    assert SQLite(tmp_path).migrate() == [name for name, _ in steps[number - 1 :]]
    assert SQLite(tmp_path).migrate() == []


def test_readers_say_that_an_earlier_version_waits_for_its_service(first):
    with pytest.raises(DataError, match=r"of an earlier version of Vitrina\. Start the service on it once"):
        Store.read_only(first)


def test_a_later_version_is_refused_in_a_sentence(first):
    connection = apsw.Connection(str(first / FILE))
    connection.pragma("user_version", 99)
    connection.close()
    for opening in (Store.open, Store.read_only):
        with pytest.raises(DataError, match=r"written by a later version of Vitrina \(its schema is number 99, and this version knows 3\)"):
            opening(first)
