"""What the API answers, asked in this process."""

import json

import pytest
from fake_service import fake_service
from starlette.testclient import TestClient

from vitrina.base.errors import WriteError
from vitrina.service import logs
from vitrina.service.app import admin, application
from vitrina.service.batcher import TooBusyError
from vitrina.service.settings import Limits
from vitrina.service.store.base import StoreUnavailableError


@pytest.fixture
def service(tmp_path):
    return fake_service(tmp_path)


@pytest.fixture
def client(service):
    return TestClient(application(service), headers={"X-API-Key": "vt_all"})


@pytest.fixture
def open_client(tmp_path):
    return TestClient(application(fake_service(tmp_path, keys={})), base_url="http://localhost:8000")


def test_a_list(client, service):
    answer = client.post("/v1/recommend", json={"user": 7, "k": 3, "exclude": ["7.0", 8]})
    assert answer.status_code == 200
    assert [item["item"] for item in answer.json()["items"]] == ["default-1", "default-2", "default-3"]
    asked = service.tenants["default"].asked[0]
    assert (asked.user, asked.exclude) == ("7", ["7", "8"])
    assert list(service.metrics.values("vitrina_requests_total")) == [({"route": "/v1/recommend", "status": "200"}, 1.0)]
    assert list(service.metrics.values("vitrina_requests_in_flight")) == [({}, 0.0)]


def test_similar(client):
    assert client.post("/v1/similar", json={"item": "tea"}).json()["items"] == []


def test_an_event_alone_and_again(client):
    event = {"event_id": "e1", "kind": "click", "item": "tea", "time": "2024-05-01T10:00:00+02:00"}
    assert client.post("/v1/events", json=event).json() == {
        "stored": 1,
        "duplicates": 0,
        "rejected": 0,
        "results": [{"status": "stored", "id": "e1"}],
    }
    assert client.post("/v1/events", json=event).json()["duplicates"] == 1


def test_of_a_batch_the_good_rows_are_kept_and_the_bad_ones_listed(client, service):
    rows = [
        {"event_id": "e1", "kind": "click", "user": "ann", "item": 7},
        {"event_id": "e2", "kind": "click", "time": "2024-05-01T10:00:00"},
        {"event_id": "e3"},
        "e4",
        {"event_id": "e5", "kind": "click", "properties": {"a": [1]}},
        {"event_id": "e6", "kind": "click", "properties": {"where": "top"}},
    ]
    answer = client.post("/v1/events", json={"events": rows})
    assert answer.status_code == 200
    assert [row["status"] for row in answer.json()["results"]] == ["stored", "rejected", "rejected", "rejected", "rejected", "stored"]
    reasons = [row["reason"] for row in answer.json()["results"] if "reason" in row]
    assert "no offset" in reasons[0]
    assert "Z" in reasons[0]
    assert service.tenants["default"].events["e1"].item == "7"
    assert json.loads(service.tenants["default"].events["e6"].properties) == {"where": "top"}
    listed = client.get("/v1/events/rejected?most=3").json()["rows"]
    assert [json.loads(row["row"]) for row in listed] == [rows[4], rows[3], rows[2]]


def test_a_bad_event_that_came_alone_is_refused_and_kept_for_the_list(client):
    answer = client.post("/v1/events", json={"event_id": "e3"})
    assert answer.status_code == 422
    assert "kind" in answer.json()["message"]
    assert len(client.get("/v1/events/rejected").json()["rows"]) == 1


def test_items_and_people(client, service):
    assert (
        client.put("/v1/items", json={"items": [{"item": 1, "columns": {"price": 3.5}}, {"item": 2, "delete": True}]}).json()["stored"] == 2
    )
    assert service.tenants["default"].kept_items["1"].columns == {"price": 3.5}
    assert client.put("/v1/users", json={"user": "ann", "columns": {"age": None}}).json()["stored"] == 1
    assert client.put("/v1/users", json={"user": "ann", "columns": {"age": None}, "delete": True}).status_code == 422


def test_a_person_is_forgotten(client):
    client.post("/v1/events", json={"event_id": "e1", "kind": "click", "user": "a/b"})
    assert client.delete("/v1/users/a%2Fb").json() == {"user": "a/b", "rows": 1}


def test_what_is_kept_of_a_person(client):
    rows = [
        {"event_id": f"e{i}", "kind": "click", "user": 7, "item": item, "time": 1.6e9 + i} for i, item in enumerate(("tea", "jam", "tea"))
    ]
    client.post("/v1/events", json={"events": rows})
    client.put("/v1/users", json={"user": "7", "columns": {"country": "SE"}})
    assert client.get("/v1/users/7.0?most=2").json() == {"user": "7", "columns": {"country": "SE"}, "events": 3, "latest": ["jam", "tea"]}
    assert client.get("/v1/users/stranger").json()["events"] == 0


def test_models(client):
    assert client.get("/v1/models").json()["models"][0]["version"] == "v1"
    assert client.get("/v1/models/default").json()["model"] == "Popularity"
    assert client.post("/v1/models/default", json={"folder": "new"}).json()["version"] == "v2"
    assert client.post("/v1/models/default", json={"rollback": True}).json()["version"] == "v0"
    assert client.post("/v1/models/default", json={}).status_code == 422
    assert client.get("/v1/models/none").status_code == 404
    assert client.get("/v1/audit").json() == {"entries": []}


def test_health_needs_no_key(client, service):
    client.headers.pop("X-API-Key")
    assert client.get("/v1/health/live").json()["status"] == "live"
    assert client.get("/v1/health/ready").status_code == 200
    service.not_ready.append("The scenario 'default' has no model.")
    answer = client.get("/v1/health/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == service.not_ready


def test_the_port_of_operators(service):
    client = TestClient(admin(service))
    assert "vitrina_requests_in_flight 0.0" in client.get("/metrics").text
    assert client.get("/v1/health/live").status_code == 200
    assert client.post("/v1/recommend", json={}).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/users/", 404),
        ("PUT", "/v1/recommend", 405),
        ("POST", "/v1/users/ann", 405),
        ("GET", "/v1", 404),
    ],
)
def test_paths_that_are_not_there(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["message"].endswith((".", "read."))
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    if status == 405:
        assert "OPTIONS" in answer.headers["allow"]


def test_head_and_options(client):
    assert client.head("/v1/models").status_code == 200
    answer = client.options("/v1/recommend")
    assert (answer.status_code, answer.headers["allow"]) == (204, "OPTIONS, POST")


def test_the_id_of_a_request_comes_back(client):
    assert client.get("/v1/models", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/v1/models", headers={"X-Request-ID": "a b"}).headers["x-request-id"] != "a b"


def test_whole_numbers_may_be_written_with_a_fraction(client, service):
    for body in (b'{"user": 7.0, "k": 1e0, "exclude": [8.0]}', b'{"user": 7, "k": 1, "exclude": ["8.0"]}'):
        assert client.post("/v1/recommend", content=body, headers={"Content-Type": "application/json"}).status_code == 200
    one, other = service.tenants["default"].asked
    assert one == other


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b'{"user": 7.5}', 422, "user"),
        (b'{"k": 7.0, "k": 7}', 400, "twice"),
        (b'{"k": 7.0, "user": "\\ud800"}', 422, "k"),
        (b'{"k": 7.0, "context": {"a": NaN}}', 422, "k"),
        (b'{"k": 1e400}', 422, "k"),
        (b'{"k": 7.0, "context": {"a": 1e400}}', 422, "k"),
        (b'{"user": 1e300}', 422, "user"),
        (b"", 400, "empty"),
        (b"{", 400, "no JSON"),
        (b"[]", 422, "object"),
        (b'{"k": 1} x', 400, "trailing"),
        (b"\xef\xbb\xbf{}", 400, "byte order mark"),
        ("{}".encode("utf-16"), 400, "UTF-16"),
        (b'{"user": "\xff"}', 400, "UTF-8"),
        (b'{"user": "\\ud800"}', 400, "half of a pair"),
        (b'{"user": "a\\u0000"}', 422, "NUL"),
        (b'{"context": {"\\u0000": 1}}', 422, "NUL"),
        (b'{"context": {"a": NaN}}', 400, "NaN"),
        (b'{"context": {"a": 1e999}}', 422, "out of range"),
        (b'{"context": {"a": %s}}' % (b"9" * 400), 422, "context"),
        (b'{"user": %s}' % (b"9" * 5000), 422, "user"),
        (b'{"k": 1, "k": 2}', 400, "twice"),
        (b'{"k": 1, "\\u006b": 2}', 400, "twice"),
        (b'{"where": {"a": {"min": 1, "min": 2}}}', 400, "twice"),
        (b'{"where": {"a": %s1%s}}' % (b"[" * 50, b"]" * 50), 400, "deep"),
        (b'{"where": {"a": %s' % (b"[" * 1_000_000), 400, "deep"),
        (b'{"users": 1}', 422, "Did you mean 'user'?"),
        (b'{"k": 1001}', 422, "k: expected int <= 1000"),
        (b'{"user": true}', 422, "user"),
        (b'{"history": [{"item": "a", "time": "2024-01-01"}]}', 422, "no offset"),
        (b'{"history": [{"item": "a", "time": 1.7e12}]}', 422, "milliseconds"),
        (b'{"history": [{"item": "a", "time": 0}]}', 422, "1990"),
        (b'{"scenario": "none"}', 404, "Known: default"),
        (b'{"scenario": "secret"}', 404, "Known: default"),
    ],
)
def test_bodies_that_are_refused(client, body, status, word):
    answer = client.post("/v1/recommend", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert word in answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [b'{"user": "\\\\u0000"}', b'{"user": "\\ud83d\\ude00"}', b'{"context": {"a": "\\"k\\": 1, \\"k\\": 2"}}', b'{"exclude": ["k", "k"]}'],
)
def test_bodies_that_only_look_bad(client, body):
    assert client.post("/v1/recommend", content=body, headers={"Content-Type": "application/json"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_other_types_of_bodies(client, headers):
    assert client.post("/v1/recommend", content=b"{}", headers=headers).status_code == 415


def test_the_type_may_say_utf_8(client):
    assert client.post("/v1/recommend", content=b"{}", headers={"Content-Type": 'Application/JSON; charset="utf-8"'}).status_code == 200


def test_what_stands_behind_the_question_mark_counts_or_is_refused(client):
    assert "'k'" in client.post("/v1/recommend?k=3", json={}).json()["message"]
    for bad in ("0", "1001", "x", "1_0", "%C2%B2"):
        assert client.get(f"/v1/events/rejected?most={bad}").status_code == 422


def test_a_body_where_there_is_none(client):
    assert client.request("GET", "/v1/models", content=b"{}").status_code == 422


def test_too_much(tmp_path):
    client = TestClient(application(fake_service(tmp_path, limits=Limits(body=2048, batch=2))), headers={"X-API-Key": "vt_all"})
    assert client.post("/v1/events", json={"events": [{"event_id": str(i), "kind": "c"} for i in range(3)]}).status_code == 413
    answer = client.post("/v1/recommend", content=b"x" * 2049, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    chunks = (b"x" * 1000 for _ in range(100))
    assert client.post("/v1/recommend", content=chunks, headers={"Content-Type": "application/json"}).status_code == 413


def test_too_often(tmp_path):
    client = TestClient(application(fake_service(tmp_path, limits=Limits(rate=0.01, burst=2))), headers={"X-API-Key": "vt_all"})
    assert [client.post("/v1/recommend", json={}).status_code for _ in range(3)] == [200, 200, 429]
    answer = client.post("/v1/recommend", json={})
    assert int(answer.headers["retry-after"]) >= answer.json()["retry_after"] > 90
    assert client.post("/v1/recommend", json={}, headers={"X-API-Key": "vt_shop"}).status_code == 200


def test_another_site_cant_use_an_open_service(open_client):
    assert open_client.post("/v1/recommend", json={}).status_code == 200
    assert open_client.post("/v1/recommend", json={}, headers={"Origin": "http://localhost:8000"}).status_code == 200
    for origin in ("https://evil.example", "null", "http://localhost:9000"):
        assert open_client.post("/v1/recommend", json={}, headers={"Origin": origin}).status_code == 403
    for host in ("evil.example", "127.0.0.1.evil.example", "[", ""):
        assert open_client.post("/v1/recommend", json={}, headers={"Host": host}).status_code == 403
    for host in ("127.0.0.1:8000", "[::1]:8000", "localhost"):
        assert open_client.post("/v1/recommend", json={}, headers={"Host": host}).status_code == 200


def test_pages_of_a_site_that_is_named_may_ask(tmp_path):
    client = TestClient(application(fake_service(tmp_path, origins=("https://shop.example",))), headers={"X-API-Key": "vt_all"})
    preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    answer = client.options("/v1/recommend", headers=preflight)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert client.post("/v1/recommend", json={}, headers=preflight).headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in client.options("/v1/recommend", headers={"Origin": "https://evil.example"}).headers


def test_why_requests_are_answered_with_503_is_logged_once_a_minute(client, service, caplog, monkeypatch):
    monkeypatch.setattr(logs, "_SHOWN", {})

    def fails(error):
        async def add_events(rows):
            raise error

        service.tenants["default"].add_events = add_events

    event = {"event_id": "e", "kind": "click"}
    for error, again in (
        (StoreUnavailableError("The disk is full."), "1"),
        (WriteError("The file", "No space"), "1"),
        (TooBusyError(9, 2.0), "2"),
    ):
        fails(error)
        for _ in range(3):
            answer = client.post("/v1/events", json=event)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, again)
            assert answer.json()["error"] == "unavailable"
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line.removeprefix("Requests are answered with 503: ") for line in said] == [
        "The disk is full.",
        "The file can't be written: No space. Make room or choose a place that can be written to.",
        "9 requests wait for an answer already. Try again in 2 s.",
    ]


def test_a_failure_is_logged_and_says_nothing(client, service, caplog):
    async def fails(request, *, traced=False):
        raise KeyError("vt_all of /srv/secret")

    service.tenants["default"].recommend = fails
    answer = client.post("/v1/recommend", json={})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == caplog.records[-1].fields["request_id"]
