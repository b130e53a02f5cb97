"""An endpoint over a real line, to a server that misbehaves in every way that was heard of."""

from __future__ import annotations

import copy
import json
import pickle  # noqa: TID251  workers of a pool get a model that way
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.language import Endpoint, Limit, Message, Price, sending

KEY = "sk-very-secret-0123456789"


class Verdict(vt.language.Reasoned):
    relevant: bool
    colour: str | None


GOOD = {"reasoning": "it says so", "relevant": True, "colour": None}
ASKED = [Message("system", "Judge."), Message("user", "Is tea a drink?")]


def said(text: Any, *, usage: Any = (11, 7), finish: str = "stop", **message: Any) -> tuple[int, dict[str, str], bytes]:
    """A chat completion with this text."""
    body = {"choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}]}
    if usage:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return 200, {}, json.dumps(body).encode()


def broken(status: int, text: str = "busy", **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, text.encode()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: list[Any]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.got, self.keys, self.lock = [], [], [], threading.Lock()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.got.append((self.path, body))
            self.server.keys.append(self.headers.get("authorization"))
            answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        if callable(answer):
            return answer(self)
        status, headers, content = answer
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited."""
    waited: list[float] = []
    monkeypatch.setattr(sending.time, "sleep", waited.append)
    return waited


Make = Callable[..., Endpoint]


@pytest.fixture
def endpoint(server: Server) -> Make:
    return lambda **changed: Endpoint(**{"url": f"http://127.0.0.1:{server.server_port}/v1", "model": "tiny", "timeout": 5.0, **changed})


def test_what_is_sent_and_what_comes_back(server: Server, endpoint: Make) -> None:
    server.answers = [said(json.dumps(GOOD))]
    model = endpoint(price=Price(prompt=1.0, answer=10.0), temperature=0.3, extra={"top_p": 0.9})
    reply = model.complete(ASKED, Verdict, sample=4)
    assert (reply.value, reply.prompt_tokens, reply.answer_tokens, reply.repaired) == (Verdict(**GOOD), 11, 7, False)
    assert reply.money == pytest.approx((11 * 1 + 7 * 10) / 1e6)
    (path, body), *_ = server.got
    assert path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "system", "content": "Judge."}, {"role": "user", "content": "Is tea a drink?"}]
    assert (body["model"], body["seed"], body["top_p"], body["temperature"]) == ("tiny", 4, 0.9, 0.3)
    schema = body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == schema["required"] == ["reasoning", "relevant", "colour"]
    assert (model.spent.calls, model.spent.tokens, model.spent.reserved_tokens) == (1, 18, 0)


@pytest.mark.parametrize(
    "first",
    [
        said("I would say yes."),  # response_format ignored
        said('{"reasoning": "it is'),  # broken
        said('{"reasoning": "x", "relevant": "perhaps", "colour": null}'),  # of the wrong shape
        said('{"reasoning": "it is', finish="length"),
        said(None),  # no content at all
        said("[true]"),
    ],
)
def test_a_form_that_is_broken_is_repaired_once(server: Server, endpoint: Make, first: Any) -> None:
    server.answers = [first, said(f"Sure!\n```json\n{json.dumps(GOOD)}\n```")]
    reply = endpoint().complete(ASKED, Verdict)
    assert (reply.value, reply.repaired, reply.prompt_tokens, len(server.got)) == (Verdict(**GOOD), True, 22, 2)
    turns = server.got[1][1]["messages"]
    assert turns[-1]["role"] == "user"
    assert "can't be used" in turns[-1]["content"]
    server.answers = [first]
    with pytest.raises(vt.language.InvalidAnswerError, match="tiny broke the schema Verdict twice"):
        endpoint().complete(ASKED, Verdict)


@pytest.mark.parametrize(
    "bad",
    [broken(429, retry_after="2"), broken(500), broken(503, "<html>"), (200, {}, b"<html>gateway</html>"), broken(502, "")],
)
def test_what_may_pass_is_tried_again(server: Server, endpoint: Make, bad: Any, pauses: list[float]) -> None:
    server.answers = [bad, bad, said(json.dumps(GOOD))]
    model = endpoint()
    assert model.complete(ASKED, Verdict).value.relevant
    assert len(pauses) == 2
    assert all(2 <= pause <= 2.2 for pause in pauses) if bad[0] == 429 else 0 <= max(pauses) <= 1.0
    assert model.spent.tokens == 18  # what was refused is not paid
    server.answers = [bad]
    with pytest.raises(vt.language.UnreachableError, match="no answer in 2 tries") as caught:
        endpoint(retries=1).complete(ASKED, Verdict)
    assert caught.value.status == bad[0]


def test_a_date_to_wait_for_and_one_that_is_too_far(server: Server, endpoint: Make, pauses: list[float]) -> None:
    server.answers = [broken(429, retry_after=formatdate(time.time() + 5, usegmt=True)), said(json.dumps(GOOD))]
    endpoint().complete(ASKED, Verdict)
    assert 3 <= pauses[0] <= 5.6
    server.answers = [broken(429, retry_after="3600")]
    with pytest.raises(vt.language.UnreachableError, match=r"1 tries .*asks to wait 3600 seconds"):
        endpoint().complete(ASKED, Verdict)
    server.answers = [broken(429, '{"error": {"code": "insufficient_quota"}}')]
    with pytest.raises(vt.language.UnreachableError, match="refused with 429"):
        endpoint().complete(ASKED, Verdict)
    assert len(pauses) == 1


def test_pauses_grow_and_are_drawn(server: Server, endpoint: Make, pauses: list[float]) -> None:
    server.answers = [broken(500)]
    with pytest.raises(vt.language.UnreachableError):
        endpoint(retries=9).complete(ASKED, Verdict)
    assert len(set(pauses)) == 9
    assert all(pause <= min(0.5 * 2**tried, 30) for tried, pause in enumerate(pauses))


def silent(handler: Handler) -> None:
    threading.Event().wait(1.0)


def dripping(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(12):  # each read is soon done, all of them never
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return
        threading.Event().wait(0.1)


def hanging_up(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


@pytest.mark.parametrize("way", [silent, dripping, hanging_up])
def test_who_is_slow_or_hangs_up_is_left_and_may_have_cost(server: Server, endpoint: Make, way: Any) -> None:
    server.answers = [way, said(json.dumps(GOOD))]
    assert endpoint(timeout=0.3).complete(ASKED, Verdict).value.relevant
    server.answers = [way]
    model = endpoint(timeout=0.3, retries=0)
    with pytest.raises(vt.language.UnreachableError, match="1 tries"):
        model.complete(ASKED, Verdict)
    assert model.spent.answer_tokens == model.max_answer_tokens


def test_nobody_is_there() -> None:
    with pytest.raises(vt.language.UnreachableError, match="ConnectError") as caught:
        Endpoint(url="http://127.0.0.1:9", model="tiny", retries=1).complete(ASKED, Verdict)
    assert caught.value.status is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (broken(400, "json_schema is unsupported"), "response_format='json_object'"),
        (broken(404, "no such model"), "Look at the 'url'"),
        (broken(302, "", location="http://127.0.0.1:1/steal"), "refused with 302"),
        ((200, {}, b'{"object": "error"}'), "without choices"),
        ((200, {}, b'{"choices": []}'), "without choices"),
        (said(None, refusal="I won't."), "refused to answer: I won't"),
    ],
)
def test_what_can_t_be_mended_is_told_at_once(server: Server, endpoint: Make, answer: Any, told: str) -> None:
    server.answers = [answer]
    with pytest.raises(vt.language.LanguageModelError, match=told):
        endpoint().complete(ASKED, Verdict)
    assert len(server.got) == 1


def test_the_key_is_sent_and_stands_nowhere(server: Server, endpoint: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model = endpoint(key_variable="TINY_KEY")
    with pytest.raises(ParameterError, match="'TINY_KEY' has no key"):
        model.complete(ASKED, Verdict)
    monkeypatch.setenv("TINY_KEY", KEY)
    server.answers = [broken(401, f"wrong key {KEY}")]
    with pytest.raises(vt.language.UnreachableError, match=r"refused with 401: wrong key \[key\]") as caught:
        model.complete(ASKED, Verdict)
    server.answers = [broken(500, f"trace {KEY}")]
    with pytest.raises(vt.language.UnreachableError) as again:
        endpoint(key_variable="TINY_KEY", retries=0).complete(ASKED, Verdict)
    assert server.keys == [f"Bearer {KEY}"] * 2
    kept = [
        repr(model),
        str(caught.value),
        str(again.value),
        repr(pickle.dumps(model)),
        str(vars(model)),
        model.identity,
        model.model_dump_json(),
    ]
    assert not any(KEY in text for text in kept)
    with pytest.raises(ParameterError, match="without a key or a password"):
        Endpoint(url=f"http://me:{KEY}@host/v1", model="tiny")


def test_a_limit_refuses_before_the_call_also_for_threads(server: Server, endpoint: Make) -> None:
    server.answers = [said(json.dumps(GOOD), usage=(100, 50))]
    model = endpoint(max_answer_tokens=100, limit=Limit(tokens=1000))
    replies = []

    def work() -> None:
        for _ in range(5):
            try:
                replies.append(model.complete(ASKED, Verdict))
            except vt.language.BudgetError:
                return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == len(server.got) >= 4
    assert model.spent.tokens == 150 * len(replies) <= 1000
    assert model.spent.reserved_tokens == 0
    with pytest.raises(vt.language.BudgetError, match=r"was not made\. Raise the 'limit'"):
        [model.complete(ASKED, Verdict) for _ in range(9)]
    dear = endpoint(price=Price(answer=1000.0), max_answer_tokens=2000, limit=Limit(money=1.5))
    with pytest.raises(vt.language.BudgetError, match="2 of money"):
        dear.complete(ASKED, Verdict)
    with pytest.raises(ParameterError, match="needs the 'price'"):
        endpoint(limit=Limit(money=1.0))


def test_a_repair_is_held_to_the_limit_too(server: Server, endpoint: Make) -> None:
    server.answers = [said("no", usage=(100, 900))]
    with pytest.raises(vt.language.BudgetError):
        endpoint(max_answer_tokens=100, limit=Limit(tokens=1000)).complete(ASKED, Verdict)
    assert len(server.got) == 1


def test_the_first_token_comes_with_log_probabilities(server: Server, endpoint: Make) -> None:
    told = [{"token": " Yes", "logprob": -0.1}, {"token": "No", "logprob": -2.5}]
    first = {"token": " Yes", "logprob": -0.1, "top_logprobs": told}
    body = {
        "choices": [{"message": {"content": " Yes"}, "logprobs": {"content": [first]}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1},
    }
    server.answers = [(200, {}, json.dumps(body).encode())]
    model = endpoint()
    assert model.first_token(ASKED) == vt.answers.TopTokens(" Yes", {" Yes": -0.1, "No": -2.5})
    sent = server.got[-1][1]
    assert (sent["max_tokens"], sent["logprobs"], sent["top_logprobs"]) == (1, True, 20)
    assert "response_format" not in sent
    assert model.spent.prompt_tokens == 9
    assert isinstance(model, vt.answers.TokenModel)
    server.answers = [said("Yes")]
    with pytest.raises(vt.language.UnreachableError, match="tells no log-probabilities"):
        model.first_token(ASKED)


def test_tokens_are_estimated_where_nobody_counts(server: Server, endpoint: Make) -> None:
    server.answers = [said(json.dumps(GOOD), usage=None)]
    reply = endpoint(response_format="none").complete(ASKED, Verdict)
    assert reply.answer_tokens == vt.language.count_tokens(json.dumps(GOOD))
    assert "response_format" not in server.got[0][1]


def test_copies_are_the_same_config_with_a_purse_of_their_own(server: Server, endpoint: Make) -> None:
    server.answers = [said(json.dumps(GOOD))]
    model = endpoint()
    model.complete(ASKED, Verdict)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert other == model or other.model_dump() == model.model_dump()
        assert other.spent.calls == 0
        assert other.complete(ASKED, Verdict).value.relevant


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://host/v1?key=1", ""])
def test_an_address_is_looked_at(url: str) -> None:
    with pytest.raises(ParameterError, match="'url' parameter of Endpoint"):
        Endpoint(url=url, model="tiny")
    with pytest.raises(ParameterError, match="can't have 'messages'"):
        Endpoint(url="http://host/v1", model="tiny", extra={"messages": []})
