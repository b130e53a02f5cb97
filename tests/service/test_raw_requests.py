"""Requests that no client sends: the server answers or closes, in time, and never with a failure of its own."""

import time

import pytest
from fake_service import KEYS
from live_server import exchanged, served, statuses, toy_settings

from vitrina.service import connections
from vitrina.service.settings import Limits

JSON = b"Content-Type: application/json\r\nX-API-Key: vt_all\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    before, connections.HEADER_SECONDS = connections.HEADER_SECONDS, 0.5
    with served(toy_settings(tmp_path_factory.mktemp("raw"), keys=KEYS, limits=Limits(body=65536, seconds=0.5))) as address:
        yield address
    connections.HEADER_SECONDS = before


def post(body, headers=JSON + CLOSE, path=b"/v1/recommend", length=None):
    length = len(body) if length is None else length
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (path, headers, length, body)


def chunked(*chunks, headers=JSON + CLOSE):
    head = b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n%sTransfer-Encoding: chunked\r\n\r\n" % headers
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def get(path=b"/v1/models", headers=JSON + CLOSE, method=b"GET", version=b"HTTP/1.1"):
    return b"%s %s %s\r\nHost: x\r\n%s\r\n" % (method, path, version, headers)


NASTY = {
    "a good one": (post(b"{}"), {200}),
    "in chunks": (chunked(b'{"k"', b": 2}", b""), {200}),
    "no body": (post(b""), {400}),
    "length without body": (post(b"{}", length=100), {408}),
    "body without length": (b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n" + JSON + CLOSE + b"\r\n{}", {400}),
    "chunks without end": (chunked(b"{}"), {408}),
    "a chunk of no number": (chunked() + b"zz\r\n{}\r\n0\r\n\r\n", {400}),
    "length and chunks": (b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n" + JSON + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "chunks and length": (b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n" + JSON + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", {400}),
    "two lengths": (b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n" + JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", {400}),
    "a length of no number": (b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n" + JSON + b"Content-Length: -1\r\n\r\n{}", {400}),
    "a length too large for a number": (b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n" + JSON + b"Content-Length: %s\r\n\r\n{}" % (b"9" * 30), {400, 413}),
    "a length too large": (post(b"", length=10**12), {413}),
    "a body somewhat too large": (post(b"[" * 100_000), {413}),
    "a body far too large": (post(b"[" * 5_000_000), {413}),
    "chunks that are too large": (chunked(*[b"[" * 30_000] * 5, b""), {413}),
    "an unknown coding of chunks": (b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n" + JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400, 415}),
    "an unknown transfer": (b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\n" + JSON + b"Transfer-Encoding: banana\r\n\r\n{}", {400}),
    "a space before the colon": (b"GET /v1/models HTTP/1.1\r\nHost : x\r\n" + JSON + CLOSE + b"\r\n", {400}),
    "a folded header": (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n" + JSON + CLOSE + b"\r\n", {200, 400}),
    "NUL in a header": (get(headers=JSON + CLOSE + b"A: b\0c\r\n"), {400}),
    "a line feed alone": (b"GET /v1/models HTTP/1.1\nHost: x\n" + JSON + CLOSE + b"\n", {200, 400}),
    "bytes in a header": (get(headers=CLOSE + b"X-API-Key: \xff\xfe\r\n"), {401}),
    "bytes in a name": (get(headers=CLOSE + b"X-\xff: a\r\n"), {400}),
    "two keys": (get(headers=JSON + CLOSE + b"X-API-Key: vt_other\r\n"), {400}),
    "no method": (b"\r\n\r\n\r\n", {408}),
    "no HTTP": (b"hello there\r\n\r\n", {400}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, {400}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 404, 405}),
    "HTTP/0.9": (b"GET /v1/models\r\n\r\n", {400, 401}),
    "HTTP/9": (get(version=b"HTTP/9.9"), {400}),
    "HTTP/1.0": (get(version=b"HTTP/1.0"), {200}),
    "no host": (b"GET /v1/models HTTP/1.1\r\n" + JSON + CLOSE + b"\r\n", {200}),
    "a proxy's address": (get(path=b"http://elsewhere/v1/models"), {200, 400}),
    "CONNECT": (get(path=b"elsewhere:80", method=b"CONNECT"), {400, 404, 405}),
    "a star": (get(path=b"*", method=b"OPTIONS"), {400, 404}),
    "TRACE": (get(method=b"TRACE"), {405}),
    "an unknown method": (get(method=b"BANANA"), {400}),
    "bytes in the path": (get(path=b"/v1/\xff"), {400, 404}),
    "NUL in the path": (get(path=b"/v1/models/%00"), {422}),
    "bytes escaped in the path": (get(path=b"/v1/models/%ff%fe"), {400}),
    "half an escape": (get(path=b"/v1/models/%"), {404}),
    "dots in the path": (get(path=b"/v1/models/..%2f..%2fetc"), {404}),
    "a long path": (get(path=b"/v1/models/" + b"a" * 20_000), {422}),
    "a longer path": (get(path=b"/" + b"a" * 10_000_000), {431}),
    "a large header": (get(headers=JSON + CLOSE + b"A: %s\r\n" % (b"a" * 60_000)), {431}),
    "a header of 10 MB": (get(headers=JSON + CLOSE + b"A: %s\r\n" % (b"a" * 10_000_000)), {431}),
    "many headers": (get(headers=JSON + CLOSE + b"".join(b"A%d: b\r\n" % i for i in range(100_000))), {431}),
    "a header of 10 MB in parts": ([b"GET / HTTP/1.1\r\nA: ", *[b"a" * 100_000] * 100], {431}),
    "a header that doesn't end": (b"GET /v1/models HTTP/1.1\r\nHost: x\r\nA: b", {408}),
    "an upgrade": (get(headers=JSON + CLOSE + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n"), {200, 400}),
    "an upgrade to HTTP/2": (get(headers=JSON + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), {200, 400}),
    "deep JSON": (post(b'{"where": ' + b"[" * 60_000), {400}),
    "deep JSON in a batch": (post(b'{"events": [' + b"[" * 60_000, path=b"/v1/events"), {400}),
    "deep objects": (post(b'{"a":' * 10_000), {400, 422}),
    "NUL in JSON": (post(b'{"user": "a\\u0000b"}'), {422}),
    "a huge number": (post(b'{"k": %s}' % (b"9" * 10_000)), {422}),
    "a huge exponent": (post(b'{"context": {"a": 1e99999999}}'), {422}),
    "a body for a GET": (b"GET /v1/models HTTP/1.1\r\nHost: x\r\n" + JSON + CLOSE + b"Content-Length: 2\r\n\r\n{}", {422}),
    "a question without end": (get(path=b"/v1/audit?" + b"&" * 20_000), {200, 422}),
    "a form of many fields": (post(b"a=1&" * 1000, headers=CLOSE, path=b"/login"), {422}),
    "a form that is no text": (post(b"key=%ff%00\xff\xfe", headers=CLOSE, path=b"/login"), {401}),
    "a session that is none": (get(path=b"/people", headers=CLOSE + b"Cookie: vitrina_session=\xff.\xff; a\r\n"), {303}),
    "expecting to go on": (post(b"{}", headers=JSON + CLOSE + b"Expect: 100-continue\r\n"), {100, 200}),
    "expecting to go on with too much": (post(b"", headers=JSON + CLOSE + b"Expect: 100-continue\r\n", length=10**6), {413}),
    "expecting something": (post(b"{}", headers=JSON + CLOSE + b"Expect: banana\r\n"), {200, 417}),
}  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_nasty_requests(server, name, caplog):
    sent, expected = NASTY[name]
    started = time.monotonic()
    received = exchanged(server, sent, seconds=10.0)
    found = statuses(received)
    assert set(found) <= expected, received[:500]
    assert found, "closed without a word"
    assert time.monotonic() - started < 9.5, "the connection stays"
    assert b"uvicorn" not in received.lower()
    assert "Traceback" not in caplog.text
    if not {100, 200, 303} & set(found) and b"<!doctype html>" not in received:
        assert b'"message":"' in received


def test_a_connection_that_was_opened_beforehand_stays_as_one_between_two_requests(server):
    def late():
        time.sleep(0.7)  # longer than headers may take
        yield get()

    assert statuses(exchanged(server, late())) == [200]
    started = time.monotonic()
    assert exchanged(server, b"", seconds=20) == b""  # ends without a word that could be taken for an answer
    assert 0.5 < time.monotonic() - started < 15


def test_requests_in_a_row_on_one_connection(server):
    keep = post(b"{}", headers=JSON)
    assert statuses(exchanged(server, keep * 50 + post(b"{}"))) == [200] * 51


def test_what_follows_a_bad_request_is_not_answered(server):
    bad = post(b"{}", headers=JSON + b"Transfer-Encoding: chunked\r\n")
    assert statuses(exchanged(server, bad + post(b"{}"))) == [400]


def test_what_follows_a_body_that_was_not_read_is_not_taken_for_a_request(server):
    inner = get(path=b"/v1/audit")
    received = exchanged(server, post(inner, headers=b"X-API-Key: wrong\r\nContent-Type: application/json\r\n") + get())
    assert statuses(received) == [401, 200]


def test_slow_headers_and_slow_bodies_end(server):
    def slowly(parts):
        for part in parts:
            yield part
            time.sleep(0.2)

    started = time.monotonic()
    assert statuses(exchanged(server, slowly([b"GET /v1/models HTTP/1.1\r\n"] + [b"A: b\r\n"] * 8))) == [408]
    assert statuses(exchanged(server, slowly([post(b"", length=100), *[b" "] * 8]))) == [408]
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("between", [b"", b"\r\n", b"\r\n" * 1000])
def test_a_connection_that_only_waits_ends(server, between):
    def then():
        yield get(headers=JSON)
        time.sleep(0.2)
        yield between

    started = time.monotonic()
    assert statuses(exchanged(server, then(), seconds=20)) == [200, 408][: 1 + bool(between)]
    assert time.monotonic() - started < 15


def test_a_body_that_goes_on_after_its_answer_does_not_keep_the_connection(server):
    def body():
        yield post(b"", headers=b"X-API-Key: wrong\r\nContent-Type: application/json\r\n", length=10_000)
        for _ in range(20):
            time.sleep(0.1)
            yield b" " * 10

    started = time.monotonic()
    assert statuses(exchanged(server, body(), seconds=20))[0] == 401
    assert time.monotonic() - started < 15


def test_a_client_that_leaves_is_not_a_failure(server, caplog):
    for sent in (post(b"{}", length=100), b"GET / HT", chunked(b"{}")):
        exchanged(server, sent, end=True, seconds=0.1)
    time.sleep(0.7)
    assert "Traceback" not in caplog.text
    assert statuses(exchanged(server, post(b"{}"))) == [200]
