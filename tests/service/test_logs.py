import io
import json
import logging
import threading
import time

import pytest

from vitrina.service import logs
from vitrina.service.settings import new_key


@pytest.fixture
def lines():
    """What is logged inside, once it is written: lines(act) gives the text."""

    def written(act, form="json"):
        stream = io.StringIO()
        with logs.written(form, stream):
            act()
        return stream.getvalue()

    return written


def fail():
    raise KeyError("cart")


def failed(message="it failed", **fields):
    try:
        fail()
    except KeyError as error:
        logs.error(message, error, **fields)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(logs, "_SHOWN", {})


def test_a_request_is_one_line_of_json(lines):
    act = lambda: logs.request("id1", "POST", "/v1/recommend", 200, 0.00312, tenant="shop", key="web")  # noqa: E731
    [line] = [json.loads(one) for one in lines(act).splitlines()]
    assert {name: line[name] for name in ("request_id", "method", "route", "status", "ms", "tenant", "key")} == {
        "request_id": "id1", "method": "POST", "route": "/v1/recommend", "status": 200, "ms": 3.12, "tenant": "shop", "key": "web",
    }  # fmt: skip
    assert line["level"] == "info"
    assert line["time"].endswith("Z")


def test_people_read_a_line(lines):
    text = lines(lambda: logs.request("id1", "GET", "/", 200, 0.001), "text")
    assert " 200 GET / 1.0 ms request_id=id1" in text
    assert lines(lambda: logs.warn("The queue is full", depth=7), "text").rstrip().endswith("Warning: The queue is full depth=7")


def test_a_trace_comes_once_and_the_line_always(lines):
    first, second = [json.loads(one) for one in lines(lambda: [failed(request_id="a"), failed(request_id="b")]).splitlines()]
    assert first["error"] == "KeyError"
    assert "fail()" in first["trace"]
    assert "trace" not in second
    assert second["request_id"] == "b"


def test_what_a_library_logs_has_the_same_form(lines):
    def act():
        try:
            fail()
        except KeyError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")

    [line] = lines(act).splitlines()
    assert json.loads(line)["message"] == "Exception in ASGI application"
    assert "KeyError" in json.loads(line)["trace"]


def test_no_key_and_no_password_is_written(lines):
    key, password = new_key(), "hunter-2"

    def act():
        logs.say(f"somebody came with {key}")
        logs.warn("no database", address=f"postgresql://ann:{password}@db/shop")
        try:
            raise ValueError(f"{key} at redis://:{password}@cache/0")
        except ValueError as error:
            logs.error("no cache", error)

    for form in ("json", "text"):
        text = lines(act, form)
        assert key not in text
        assert password not in text
        logs._SHOWN.clear()


def test_a_slow_reader_costs_lines_and_no_time():
    blocked = threading.Event()

    class Slow(io.StringIO):
        def write(self, text):
            blocked.wait(10)
            return super().write(text)

    stream = Slow()
    with logs.written("json", stream):
        started = time.perf_counter()
        for _ in range(logs.MOST_WAITING + 500):
            logs.say("hello")
        assert time.perf_counter() - started < 5
        blocked.set()
        time.sleep(0.3)
    lost = [json.loads(one)["message"] for one in stream.getvalue().splitlines() if "lost" in one]
    assert len(lost) == 1
    assert int(lost[0].split()[0].replace(",", "")) >= 400


def test_loggers_are_as_before_afterwards(lines):
    logger = logging.getLogger("uvicorn")
    before = (logger.level, logger.propagate, list(logger.handlers))
    lines(lambda: None)
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
