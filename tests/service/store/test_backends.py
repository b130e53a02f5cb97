"""The store keeps what it is given, once, in its order; whichever database is behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import polars as pl
import pytest
from kept_rows import answer, event, ids, now, people

from vitrina.base.errors import DataError
from vitrina.service.records import Attributes, Audited, Rejected
from vitrina.service.store import writer as writing
from vitrina.service.store.base import Backend, StoreUnavailableError
from vitrina.service.store.postgres import Postgres
from vitrina.service.store.store import Store

Work = Callable[[Store], Awaitable[None]]


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> Callable[[], Backend | None]:
    """Makes what is behind the store, again and again on the same database."""
    if request.param == "sqlite":
        return lambda: None
    address = request.getfixturevalue("postgres")
    return lambda: Postgres(address)


@pytest.fixture
def opened(tmp_path: Path, backend: Callable[[], Backend | None]) -> Callable[[], Store]:
    """Opens one and the same store, again and again."""
    return lambda: Store.open(tmp_path / "state", backend=backend())


@pytest.fixture
def during(opened: Callable[[], Store]) -> Callable[[Work], None]:
    """Does something with an open store, and closes it."""

    def done(work: Work) -> None:
        async def run() -> None:
            store = opened()
            try:
                await work(store)
            finally:
                await store.close()

        asyncio.run(run())

    return done


def test_events_come_back_as_they_went(during):
    whole = event(
        "a", value=2.5, basket="b1", recommendation_id="r", position=3, session="s", properties='{"page":"café"}'.encode(), time=5
    )
    odd = event("' OR 1=1 --\U0001f375\\x", None)

    async def work(store: Store) -> None:
        assert await store.append("shop", [whole, odd]) == [True, True]
        for _ in range(2):  # from the database, and from a file
            rows = next(store.events("shop")).to_dicts()
            assert [row.pop("sequence") for row in rows] == [1, 2]
            assert rows == [
                {name: getattr(e, name) for name in e.__struct_fields__} | {"properties": e.properties.decode()} for e in (whole, odd)
            ]
            await store.seal()

    during(work)


def test_an_event_counts_once(during):
    async def first(store: Store) -> None:
        assert await store.append("shop", [event("a"), event("b"), event("a")]) == [True, True, False]
        assert await store.append("other", [event("a")]) == [True]
        await store.seal()
        assert await store.append("shop", [event("b", "bob"), event("c")]) == [False, True]

    async def later(store: Store) -> None:
        assert await store.append("shop", [event("c"), event("a")]) == [False, False]
        assert ids(store) == ["a", "b", "c"]
        assert people(store) == {"ann"}

    during(first)
    during(later)


def test_many_who_send_the_same_at_once_store_it_once(during):
    async def work(store: Store) -> None:
        answers = await asyncio.gather(*(store.append("shop", [event(str(i)) for i in range(20)]) for _ in range(30)))
        assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 20
        assert sorted(ids(store)) == sorted(map(str, range(20)))

    during(work)


def test_the_sequence_is_the_order_of_acceptance_and_never_used_again(during):
    async def first(store: Store) -> None:
        await store.append("shop", [event("a")])
        await store.append("other", [event("b")])
        await store.append("shop", [event("c"), event("d")])
        assert ids(store, after=1) == ["c", "d"]
        await store.erase("shop", "ann", "me")

    async def later(store: Store) -> None:
        await store.append("shop", [event("e", "bob")])
        assert next(store.events("shop"))["sequence"].item() > 4

    during(first)
    during(later)


def test_long_logs_come_in_parts(during):
    async def work(store: Store) -> None:
        names = [str(i) for i in range(23_000)]
        await store.append("shop", [event(name) for name in names])
        frames = list(store.events("shop"))
        assert len(frames) > 1
        assert pl.concat(frames)["event_id"].to_list() == names

    during(work)


def test_what_was_shown_comes_back_a_row_per_place(during):
    async def work(store: Store) -> None:
        store.show("shop", answer("r1", items=("tea", "jam"), moment=7))
        store.show("shop", answer("r2", items=("egg",), moment=9))
        store.show("shop", answer("nothing", items=(), moment=9))
        await store.flush()
        for _ in range(2):
            rows = pl.concat(store.shown("shop"))
            assert rows.select("recommendation_id", "position", "item", "time").rows() == [
                ("r1", 1, "tea", 7),
                ("r1", 2, "jam", 7),
                ("r2", 1, "egg", 9),
            ]
            assert rows["item_propensity"].to_list() == [None] * 3
            assert [frame["item"].to_list() for frame in store.shown("shop", since=8)] == [["egg"]]
            await store.seal()
        assert store.lost == 0

    during(work)


def test_what_was_shown_is_kept_soon_though_nobody_waits(during):
    async def work(store: Store) -> None:
        store.show("shop", answer("r1"))
        for _ in range(100):
            await asyncio.sleep(0.02)
            if next(store.shown("shop"), None) is not None:
                return
        pytest.fail("it was never written")

    during(work)


def test_columns_are_merged(during):
    def setting(name: str, **columns: object) -> Attributes:
        return Attributes(name, columns)

    async def work(store: Store) -> None:
        gone = Attributes("tea", {}, delete=True)
        for put, got in ((store.set_items, store.items), (store.set_users, store.users)):
            assert await put("shop", [setting("tea", price=1.5, brand="x", old=None), setting("jam", big=2**53)]) == [True, True]
            await put("shop", [setting("tea", brand=None, good=True), setting("tea", price=2)])
            assert got("shop") == [setting("jam", big=2**53), setting("tea", price=2, brand=None, old=None, good=True)]
            assert await put("shop", [gone, gone, Attributes("strange", {}, delete=True)]) == [True, False, False]
        assert store.users("shop") == [setting("jam", big=2**53)]
        assert store.items("shop") == [setting("jam", big=2**53), Attributes("strange", {}, delete=True), gone]
        await store.set_items("shop", [setting("tea", new=1)])
        assert store.items("shop")[2] == setting("tea", new=1)

    during(work)


def test_bad_rows_and_what_was_done_are_listed(during):
    async def work(store: Store) -> None:
        await store.reject("shop", [Rejected(i, b'{"kind":\xff', f"reason {i}") for i in range(5)])
        assert store.rejected("shop", most=2) == [Rejected(4, b'{"kind":\xff', "reason 4"), Rejected(3, b'{"kind":\xff', "reason 3")]
        assert store.rejected("other") == []
        entry = Audited(1, "shop", "me", "load", "home", "v2")
        await store.audit(entry)
        assert store.audited("shop", most=1) == [entry]
        assert {e.action for e in store.audited("other")} <= {"migrate"}
        assert store.tenants() == ["shop"]

    during(work)


def test_a_row_that_is_no_good_fails_alone(during):
    async def work(store: Store) -> None:
        good = [store.append("shop", [event(str(i))]) for i in range(5)]
        bad = [store.append("shop", [event("surrogate", "\ud800")]), store.append("shop", [event("long", position=2**70)])]
        results = await asyncio.gather(*good[:3], *bad, *good[3:], return_exceptions=True)
        assert [r == [True] for r in results] == [True] * 3 + [False] * 2 + [True] * 2
        assert all(isinstance(r, Exception) for r in results[3:5])
        assert sorted(ids(store)) == list("01234")
        assert await store.append("shop", [event("long")]) == [True]  # nothing of the bad one stayed

    during(work)


def test_too_much_that_waits_is_refused(during, monkeypatch):
    async def work(store: Store) -> None:
        monkeypatch.setattr(store.writer, "_most", 30)
        sent = [store.append("shop", [event(f"{i}-{j}") for j in range(20)]) for i in range(20)]
        results = await asyncio.gather(*sent, return_exceptions=True)
        refused = [r for r in results if isinstance(r, StoreUnavailableError)]
        assert refused
        assert "rows wait to be written, and 30 may" in str(refused[0])
        assert len(ids(store)) == 20 * (20 - len(refused))
        assert store.writer.waiting == 0
        monkeypatch.setattr(writing, "MOST_SHOWN", 3)
        for i in range(200):
            store.show("shop", answer(str(i)))
        await store.flush()
        assert store.lost + sum(len(f) // 2 for f in store.shown("shop")) == 200
        assert store.lost > 0

    during(work)


def test_whoever_has_gone_is_not_answered(during):
    async def work(store: Store) -> None:
        task = asyncio.create_task(store.append("shop", [event("a")]))
        await asyncio.sleep(0)
        task.cancel()
        await store.flush()
        assert await store.append("shop", [event("b")]) == [True]

    during(work)


def test_a_closed_store_says_so(opened):
    async def run() -> None:
        store = opened()
        store.show("shop", answer("r"))
        late = asyncio.ensure_future(store.append("shop", [event("a")]))
        await asyncio.sleep(0)
        await store.close()
        assert await late == [True]  # what waited is written first
        await store.close()
        with pytest.raises(StoreUnavailableError, match="The store is closed"):
            await store.append("shop", [event("b")])
        store.show("shop", answer("s"))
        assert store.lost == 1

    asyncio.run(run())


def test_retention_drops_what_is_older(during):
    async def work(store: Store) -> None:
        old, new = 1_000_000, now()
        await store.append("shop", [event("a", received=old), event("b", received=old)])
        await store.append("other", [event("a", received=old)])
        await store.seal()
        await store.append("shop", [event("c", received=old), event("d", received=new)])
        await store.seal(before=new + 1)
        await store.append("shop", [event("e", received=old + 5), event("f", received=new)])
        for moment in (old, new):
            store.show("shop", answer(str(moment), moment=moment))
        await store.reject("shop", [Rejected(old, b"", "x"), Rejected(new, b"", "y")])
        assert await store.retain("shop", "events", new, "me") == 4
        assert await store.retain("shop", "shown", new) == 2
        assert await store.retain("shop", "rejected", new) == 1
        assert await store.retain("shop", "events", new) == 0
        assert ids(store) == ["d", "f"]
        assert ids(store, "other") == ["a"]
        assert [frame["time"].to_list() for frame in store.shown("shop")] == [[new] * 2]
        assert [r.reason for r in store.rejected("shop")] == ["y"]
        told = [(e.who, e.subject, e.detail) for e in store.audited("shop") if e.action == "retention"]
        assert [t[:2] for t in told] == [("service", "rejected"), ("service", "shown"), ("me", "events")]
        assert told[-1][2].startswith("4 rows of before 20")
        assert await store.append("shop", [event("a"), event("e"), event("d")]) == [True, True, False]  # what is gone may come again

    during(work)


def test_a_person_is_erased(during):
    async def work(store: Store) -> None:
        await store.append("shop", [event("a"), event("b", "bob"), event("c", None)])
        await store.append("other", [event("a")])
        store.show("shop", answer("r1"))
        store.show("shop", answer("r2", "bob"))
        await store.flush()
        await store.seal()
        await store.append("shop", [event("d"), event("e", "anna")])
        store.show("shop", answer("r3"))  # still in the queue
        await store.set_users("shop", [Attributes("ann", {"age": 5}), Attributes("bob", {})])
        rows = ['{"user":"ann"}', '{"user":"anna"}', "cut off: ann", '{"user":"bob"}']
        await store.reject("shop", [Rejected(1, row.encode(), "no kind") for row in rows] + [Rejected(1, b"", "'ann' is strange")])
        assert await store.erase("shop", "ann", "me") == 2 + 4 + 1 + 3
        assert people(store) == {"bob", None, "anna"}
        assert people(store, "other") == {"ann"}
        assert [u.id for u in store.users("shop")] == ["bob"]
        assert [r.row.decode() for r in reversed(store.rejected("shop"))] == ['{"user":"anna"}', '{"user":"bob"}']
        assert await store.append("shop", [event("a"), event("d")]) == [False, False]  # sent once more, they don't bring anybody back
        told = [e for e in store.audited("shop") if e.action == "erase"]
        assert [e.detail for e in told] == ["done: 10 rows", "begun"]
        assert "ann" not in json.dumps([e.subject for e in told])
        assert await store.erase("shop", "nobody", "me") == 0

    during(work)


def test_others_read_while_it_is_written(during, backend, tmp_path):
    async def work(store: Store) -> None:
        await store.append("shop", [event("a")])
        await store.seal()
        await store.append("shop", [event("b")])
        assert ids(Store.read_only(store.folder, backend=backend())) == ["a", "b"]

    during(work)
    assert ids(Store.read_only(tmp_path / "state", backend=backend())) == ["a", "b"]


def test_a_folder_without_a_store_says_so(tmp_path):
    with pytest.raises(DataError, match="holds no store"):
        Store.read_only(tmp_path)
