"""The client against a server that drops, refuses, stalls: everything is kept once, or handed back."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Lock, Thread
from typing import Any

import pytest

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.client import AsyncClient, Client, ClientError, NotAcknowledgedError
from vitrina.client import steps as steps_module
from vitrina.wire import EventIn, ItemIn


class Flaky:
    """A service that keeps events by their id, and before each answer does the next thing of its plan."""

    def __init__(self, plan: Callable[[], str], most: int = 10**9) -> None:
        self.plan, self.most = plan, most
        self.kept: Counter[str] = Counter()
        self.seen: list[tuple[float, str, str, Any, dict[str, str]]] = []
        self.lock = Lock()

    def answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        if name not in {"events", "items", "users"}:
            return OTHERS.get(method) or (MODEL if path.startswith("/v1/models") else LIST)
        results = []
        for row in body[name]:
            name = row.get("event_id") or row.get("item") or row.get("user")
            duplicate = "event_id" in row and name in self.kept
            if not duplicate:
                self.kept[name] += 1
            results.append({"status": "duplicate" if duplicate else "stored", "id": name})
        return {"stored": 0, "duplicates": 0, "rejected": 0, "results": results}


LIST = {
    "recommendation_id": "r",
    "scenario": "default",
    "model_version": "m",
    "items": [{"item": "tea", "rank": 1, "score": 2.5, "source": "model"}],
}
OTHERS = {"GET": {"status": "ready"}, "DELETE": {"user": "a", "rows": 3}}
MODEL = {"scenario": "default", "version": "b", "model": "EASE", "previous": "a"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    flaky: Flaky

    def handle_one(self) -> None:  # noqa: PLR0911 - a way out per thing that goes wrong
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = json.loads(body) if body else None
        with self.flaky.lock:
            self.flaky.seen.append((time.monotonic(), self.command, self.path, content, dict(self.headers)))
            what = self.flaky.plan()
            if len(body) > self.flaky.most:
                return self.tell(413, {"error": "too_large", "message": "A body may have less."})
            if what == "drop":
                return self.drop()
            if what.isdigit():
                return self.tell(int(what), {"error": "unavailable", "message": "The database is away.", "retry_after": 1})
            if what == "later":
                return self.tell(503, {"error": "unavailable", "message": "Later."}, retry_after="1")
            if what == "never":
                return self.tell(429, {"error": "too_many", "message": "Tomorrow."}, retry_after="86400")
            if what == "not ready":
                return self.tell(503, {"status": "not ready", "reasons": ["no model"]})
            if what == "page":
                return self.tell(200, "a page of something else")
            answer = self.flaky.answer(self.command, self.path, content)
        if what == "drop after":
            return self.drop()
        if what == "slow after":
            time.sleep(0.4)
        return self.tell(200, answer)

    do_POST = do_PUT = do_GET = do_DELETE = handle_one  # noqa: N815

    def tell(self, status: int, body: Any, retry_after: str | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(content)

    def drop(self) -> None:
        self.close_connection = True
        self.connection.close()

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def serving(flaky: Flaky) -> Iterator[str]:
    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None: ...

    server = Server(("127.0.0.1", 0), type("Mine", (Handler,), {"flaky": flaky}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Sync:
    """The two clients, called in one way."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.client = Client(url, **settings)

    def __call__(self, method: str, *given: Any, **named: Any) -> Any:
        return getattr(self.client, method)(*given, **named)


class Async:
    def __init__(self, url: str, **settings: Any) -> None:
        self.settings = (url, settings)

    def __call__(self, method: str, *given: Any, **named: Any) -> Any:
        async def ask() -> Any:
            url, settings = self.settings
            async with AsyncClient(url, **settings) as client:
                return await getattr(client, method)(*given, **named)

        return asyncio.run(ask())


@pytest.fixture(params=[Sync, Async])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps_module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(steps_module, "LONGEST_PAUSE", 0.01)


def planned(*things: str) -> Callable[[], str]:
    left = iter(things)
    return lambda: next(left, "ok")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seed", range(3))
def test_everything_is_kept_once(kind: Any, seed: int) -> None:
    random = Random(seed)
    things = [*["ok"] * 6, "drop", "drop after", "drop after", "503", "429", "502"]
    flaky = Flaky(lambda: random.choice(things))
    with serving(flaky) as url:
        client = kind(url, retries=60)
        sent = []
        for size in [1, 3, 1000, 1001, 2500]:
            events = [{"kind": "click", "user": f"u{n}", "item": "tea"} for n in range(size)]
            answer = client("send", events if size > 1 else events[0])
            assert len(answer.results) == size == answer.stored + answer.duplicates
            assert answer.rejected == 0
            sent += [result.id for result in answer.results]
    assert flaky.kept == Counter(sent)
    assert set(flaky.kept.values()) == {1}
    assert len(sent) == 4505


@pytest.mark.usefixtures("quick")
def test_a_slow_answer_counts_as_none(kind: Any) -> None:
    flaky = Flaky(planned("slow after"))
    with serving(flaky) as url:
        answer = kind(url, timeout=0.2)("send", {"kind": "click"})
    assert (answer.stored, answer.duplicates, sum(flaky.kept.values())) == (0, 1, 1)


@pytest.mark.usefixtures("quick")
def test_what_was_not_acknowledged_comes_back_and_can_be_sent_again(kind: Any) -> None:
    flaky = Flaky(planned("ok", "503", "drop after", "503", "503"))
    events = [EventIn(event_id=f"e{n}", kind="click") for n in range(2500)]
    with serving(flaky) as url:
        client = kind(url, retries=3)
        with pytest.raises(
            NotAcknowledgedError, match=r"1500 of 2500 rows were not acknowledged.* after 4 tries: The database is away\."
        ) as caught:
            client("send", events)
        error = caught.value
        assert error.rows == events[1000:]
        assert (error.status, error.answer.stored) == (503, 1000)
        again = client("send", error.rows)
    assert (again.stored, again.duplicates) == (500, 1000)  # the second batch had been kept when its line broke
    assert set(flaky.kept.values()) == {1}
    assert len(flaky.kept) == 2500


@pytest.mark.usefixtures("quick")
def test_a_batch_that_is_too_large_is_halved_in_order(kind: Any) -> None:
    flaky = Flaky(planned(), most=4000)
    with serving(flaky) as url:
        answer = kind(url)("send", [EventIn(event_id=f"e{n}", kind="click") for n in range(300)])
        assert [result.id for result in answer.results] == [f"e{n}" for n in range(300)]
        with pytest.raises(NotAcknowledgedError, match=r"1 of 1 rows .*A body may have less\."):
            kind(url)("put_items", ItemIn("tea", {"text": "x" * 5000}))


def test_the_service_is_asked_again_when_it_said(kind: Any) -> None:
    flaky = Flaky(planned("later"))
    with serving(flaky) as url:
        kind(url)("recommend", "ann")
    (first, *_), (second, *_) = flaky.seen
    assert second - first >= 1.0


@pytest.mark.usefixtures("quick")
def test_who_asks_to_wait_a_day_is_not_waited_for(kind: Any) -> None:
    with serving(Flaky(planned("never"))) as url, pytest.raises(ClientError, match=r"Tomorrow\.") as caught:
        kind(url)("recommend", "ann")
    assert caught.value.status == 429


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_a_refusal_is_told_at_once(kind: Any, status: int) -> None:
    flaky = Flaky(planned(str(status)))
    with serving(flaky) as url, pytest.raises(ClientError, match=r"POST /v1/recommend was refused: The database is away\.") as caught:
        kind(url)("recommend", "ann")
    assert caught.value.status == status
    assert caught.value.problem
    assert caught.value.problem.error == "unavailable"
    assert len(flaky.seen) == 1


@pytest.mark.usefixtures("quick")
def test_going_back_is_not_done_twice(kind: Any) -> None:
    flaky = Flaky(planned("503", "drop after"))
    with serving(flaky) as url:
        with pytest.raises(ClientError, match="has no answer"):
            kind(url)("roll_back")
        assert len(flaky.seen) == 2
        assert kind(url)("load_model", "new/model", "start page").previous == "a"
    assert flaky.seen[-1][1:4] == ("POST", "/v1/models/start%20page", {"folder": "new/model", "rollback": False})


@pytest.mark.usefixtures("quick")
def test_each_call_is_what_the_service_reads(kind: Any) -> None:
    flaky = Flaky(planned())
    with serving(flaky) as url:
        client = kind(url + "/", key="vt_key")
        answer = client(
            "recommend", 7, k=3, history=["tea", {"item": "milk", "time": datetime(2026, 1, 2, tzinfo=UTC)}], where={"aisle": "drinks"}
        )
        client("similar", "tea", k=2)
        client("put_items", {"item": "tea", "columns": {"price": None}})
        client("put_users", [{"user": "ann", "delete": True}])
        assert client("erase", "a/b c").rows == 3
        assert client("search", "green tea", k=2).items[0].item == "tea"
        assert client("health").status == "ready"
    assert answer.items[0].item == "tea"
    bodies = [(method, path, body) for _, method, path, body, _ in flaky.seen]
    assert bodies[0][2]["history"] == ["tea", {"item": "milk", "time": "2026-01-02T00:00:00+00:00"}]
    assert {name: bodies[0][2][name] for name in ("user", "k", "where")} == {"user": 7, "k": 3, "where": {"aisle": "drinks"}}
    assert bodies[1] == ("POST", "/v1/similar", {"item": "tea", "k": 2, "scenario": "default", "exclude": []})
    assert bodies[2] == ("PUT", "/v1/items", {"items": [{"item": "tea", "columns": {"price": None}, "delete": False}]})
    assert bodies[3] == ("PUT", "/v1/users", {"users": [{"user": "ann", "columns": {}, "delete": True}]})
    assert bodies[4] == ("DELETE", "/v1/users/a%2Fb%20c", None)
    assert bodies[5][:2] == ("POST", "/v1/search")
    assert (bodies[5][2]["text"], bodies[5][2]["k"], bodies[5][2]["repeat"]) == ("green tea", 2, True)
    assert all(headers["Authorization"] == "Bearer vt_key" for *_, headers in flaky.seen)


@pytest.mark.usefixtures("quick")
def test_wrong_calls_are_refused_before_anything_is_sent(kind: Any) -> None:
    flaky = Flaky(planned())
    with serving(flaky) as url:
        client = kind(url)
        with pytest.raises(ParameterError, match="must say its time zone"):
            client("send", {"kind": "click", "time": datetime(2026, 1, 2)})
        with pytest.raises(UnknownNameError, match="no field of EventIn 'itm'"):
            client("send", {"kind": "click", "itm": "tea"})
        with pytest.raises(ParameterError, match=r"Fields of EventIn are missing.*'kind'"):
            client("send", {"user": "ann"})
        with pytest.raises(ParameterError, match="must be of EventIn, or a dictionary"):
            client("send", ["click"])
        with pytest.raises(UnknownNameError, match="no field of RecommendRequest 'n'"):
            client("recommend", n=3)
        with pytest.raises(ParameterError, match="can't be told in JSON"):
            client("recommend", context={"x": object()})
        assert client("send", []).results == []
    assert flaky.seen == []


@pytest.mark.usefixtures("quick")
def test_silence_and_strangers_are_sentences(kind: Any) -> None:
    with serving(Flaky(planned("not ready", "page"))) as url:
        assert kind(url)("health").reasons == ["no model"]
        with pytest.raises(ClientError, match="isn't this service"):
            kind(url)("recommend")
        gone = url
    with pytest.raises(ClientError, match=r"POST /v1/recommend has no answer after 3 tries: .*Look whether the service runs"):
        kind(gone, retries=2)("recommend")


def test_both_clients_say_the_same() -> None:
    def told(owner: Any) -> dict[str, Any]:
        methods = inspect.getmembers(owner, inspect.isfunction)
        return {
            name: list(inspect.signature(method).parameters) for name, method in methods if not name.startswith("__") or name == "__init__"
        }

    assert told(Client) == told(AsyncClient)


def test_pauses_double_and_differ() -> None:
    call = steps_module.Call("GET", "/")
    pauses = []
    for _ in range(40):
        steps = steps_module._tried(9, call)
        next(steps)
        told = [steps.send(steps_module.Reply(503))]
        for _ in range(8):
            assert next(steps) == call
            told.append(steps.send(steps_module.Reply(503)))
        pauses.append([pause.seconds for pause in told])
    for place, expected in enumerate([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]):
        column = [pause[place] for pause in pauses]
        assert all(expected <= pause <= 1.5 * expected for pause in column)
        assert len(set(column)) > 30


def test_it_loads_neither_numpy_nor_polars() -> None:
    program = "import sys, vitrina.client; print(sorted({'numpy', 'polars', 'pydantic', 'numba', 'starlette'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["httpx", "msgspec"])
def test_what_is_missing_is_named(package: str) -> None:
    program = f"import sys; sys.modules['{package}'] = None; import vitrina.client"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'vitrina[client]'" in done.stderr.splitlines()[-1]
