"""Every route and who may ask it; nothing of another tenant, and no key, shows in answers or in the log."""

import hmac
import json
import logging
import re

import httpx
import pytest
from fake_service import KEYS, fake_service
from live_server import served, toy_settings
from starlette.testclient import TestClient

from vitrina.service import auth as module
from vitrina.service.app import application
from vitrina.service.auth import Auth, cookie_header
from vitrina.service.problems import RefusedError
from vitrina.service.routes import API
from vitrina.service.settings import SCOPES, Key, hash_of

ASKED = [endpoint for endpoint in API if endpoint.scope]
NAMES = [f"{endpoint.method} {endpoint.path}" for endpoint in ASKED]


@pytest.fixture
def service(tmp_path):
    keys = KEYS | {f"not_{scope}": Key(hash=hash_of(f"vt_not_{scope}"), scopes=[one for one in SCOPES if one != scope]) for scope in SCOPES}
    return fake_service(tmp_path, keys=keys)


@pytest.fixture
def ask(service):
    client = TestClient(application(service), raise_server_exceptions=False)

    def asked(endpoint, headers, subject="default"):
        path = re.sub("{.*}", subject, endpoint.path)
        body = (
            {}
            if endpoint.request is None
            else {"content": json.dumps(endpoint.example), "headers": {"Content-Type": "application/json"} | headers}
        )
        return client.request(endpoint.method, path, **({"headers": headers} | body))

    return asked


@pytest.mark.parametrize("endpoint", ASKED, ids=NAMES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "vt_al"},
        {"X-API-Key": "vt_alll"},
        {"X-API-Key": "vt_all\u00e9".encode()},
        {"X-API-Key": hash_of("vt_all")},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic dnRfYWxsOg=="},
        {"Authorization": "vt_all"},
        {"Authorization": "Bearer vt_all", "X-API-Key": "vt_other"},
    ],
    ids=str,
)
def test_without_a_key_that_is_known(ask, endpoint, headers, caplog):
    caplog.set_level(logging.DEBUG)
    answer = ask(endpoint, headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"] == "unauthorized"
    shown = answer.text + str(answer.headers) + caplog.text
    assert not [value for value in map(str, headers.values()) if len(value) > 6 and value in shown]


@pytest.mark.parametrize("endpoint", ASKED, ids=NAMES)
def test_with_a_key_of_a_lesser_scope(ask, endpoint):
    answer = ask(endpoint, {"Authorization": f"bearer vt_not_{endpoint.scope}"})
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert repr(endpoint.scope) in answer.json()["message"]
    for scope in set(SCOPES) - {endpoint.scope}:
        assert ask(endpoint, {"X-API-Key": f"vt_not_{scope}"}).status_code == 200


@pytest.mark.parametrize("endpoint", ASKED, ids=NAMES)
def test_of_another_tenant_nothing_shows(ask, service, endpoint, caplog):
    caplog.set_level(logging.DEBUG)
    own, other = service.tenants["default"], service.tenants["other"]
    fill(ask)
    before = (dict(own.events), dict(own.kept_items), dict(own.kept_users), len(own.asked))
    answer = ask(endpoint, {"X-API-Key": "vt_other"})
    shown = answer.text + str(answer.headers) + caplog.text
    assert "default-" not in shown
    assert "hidden" not in shown
    if "scenario" in json.dumps(endpoint.path) or endpoint.model:
        assert answer.status_code == 404
        assert "Known: secret." in answer.text
    else:
        assert answer.status_code == 200
    assert (dict(own.events), dict(own.kept_items), dict(own.kept_users), len(own.asked)) == before
    assert not {"hidden"} & ({*other.events} | {*other.kept_items} | {*other.kept_users})


def test_of_another_tenant_nothing_shows_on_a_real_server(tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="vitrina")
    caplog.set_level(logging.DEBUG, logger="uvicorn")
    with served(toy_settings(tmp_path, keys=KEYS)) as (host, port):
        own = httpx.Client(base_url=f"http://{host}:{port}", headers={"X-API-Key": "vt_all"})
        for method, path, body in (
            ("PUT", "/v1/items", {"item": "hidden-item", "columns": {"title": "hidden title"}}),
            ("PUT", "/v1/users", {"user": "hidden-user", "columns": {"country": "hidden"}}),
            ("POST", "/v1/events", {"event_id": "hidden-event", "kind": "purchase", "user": "hidden-user", "item": "tea"}),
            ("POST", "/v1/events", {"events": [{"event_id": "hidden-refused", "kind": 1}]}),
            ("POST", "/v1/recommend", {"user": "hidden-user"}),
            ("POST", "/v1/models/default", {"folder": "next"}),
        ):
            assert own.request(method, path, json=body).status_code == 200
        assert own.get("/v1/users/hidden-user").json()["events"] == 1
        other = httpx.Client(base_url=f"http://{host}:{port}", headers={"X-API-Key": "vt_other"})
        asked = [
            ("GET", path, None) for path in ("/v1/users/hidden-user", "/v1/events/rejected", "/v1/audit", "/v1/models", "/v1/models/default")
        ] + [
            ("POST", "/v1/recommend", {"user": "hidden-user", "scenario": scenario, "candidates": ids})
            for scenario in ("default", "secret") for ids in (None, ["hidden-item"])
        ] + [
            ("POST", "/v1/similar", {"item": "hidden-item", "scenario": "secret"}),
            ("POST", "/v1/events", {"event_id": "hidden-event", "kind": "click"}),
            ("PUT", "/v1/items", {"item": "hidden-item", "delete": True}),
            ("POST", "/v1/models/default", {"rollback": True}),
            ("POST", "/v1/models/secret", {"folder": str(tmp_path / "models" / "one")}),
            ("POST", "/v1/models/secret", {"folder": "../models/one"}),
            ("DELETE", "/v1/users/hidden-user", None),
        ]  # fmt: skip
        caplog.clear()
        for method, path, body in asked:
            answer = other.request(method, path, json=body)
            assert answer.status_code in (200, 404, 409, 422), f"{method} {path} {answer.text}"
            sent = f"{path} {body}"
            shown = re.findall(r"hidden[\w -]*", answer.text + str(answer.headers))
            assert not [word for word in shown if word not in sent], f"{sent} {answer.text}"
            if path.endswith("hidden-user") and method == "GET":
                assert (answer.json()["events"], answer.json()["columns"]) == (0, {})
            if path == "/v1/events":
                assert answer.json()["stored"] == 1
            if path == "/v1/models/secret":
                assert answer.status_code == 422
            if path == "/v1/models/default":
                assert answer.status_code == 404
        assert "hidden" not in caplog.text
        assert "vt_" not in caplog.text
        assert own.get("/v1/users/hidden-user").json()["events"] == 1
        assert own.get("/v1/models/default").json()["model"] == "Popularity"
        assert not [entry for entry in own.get("/v1/audit").json()["entries"] if entry["who"] == "other"]


def fill(ask):
    """Things of the default tenant that nobody else may see."""
    by_path = {endpoint.path: endpoint for endpoint in API}
    for path, example in (
        ("/v1/events", {"event_id": "hidden", "kind": "click", "user": "default"}),
        ("/v1/events", {"event_id": "hidden", "kind": 1}),
        ("/v1/items", {"item": "hidden"}),
        ("/v1/users", {"user": "hidden"}),
    ):
        endpoint = by_path[path]
        body = json.dumps(example)
        ask(
            type(endpoint)(endpoint.method, path, endpoint.handler, None, "", None, endpoint.request, example=json.loads(body)),
            {"X-API-Key": "vt_all"},
        )


def test_a_failure_shows_no_key(ask, service, caplog):
    async def fails(request, *, traced=False):
        raise KeyError("broken")

    service.tenants["default"].recommend = fails
    answer = ask(API[0], {"X-API-Key": "vt_all"})
    assert answer.status_code == 500
    assert "vt_all" not in answer.text + caplog.text
    assert "broken" not in answer.text
    assert "vt_all" not in repr(service.settings) + repr(service.settings.keys)


def test_a_key_is_compared_as_a_digest_with_all_keys_whatever_it_is(tmp_path, monkeypatch):
    compared = []
    compare = hmac.compare_digest

    def counting(one, other):
        compared.append((len(one), len(other)))
        return compare(one, other)

    auth = Auth.of(fake_service(tmp_path).settings)
    monkeypatch.setattr(module.hmac, "compare_digest", counting)
    for key in ("vt_all", "vt_alk", "", "x" * 10_000, "vt_other"):
        compared.clear()
        auth.caller_of(key)
        assert compared == [(32, 32)] * len(KEYS)


def test_sessions_end_with_their_time_and_with_their_key(tmp_path):
    settings = fake_service(tmp_path).settings
    auth = Auth.of(settings)
    caller = auth.caller_of("vt_shop")
    cookie = auth.session(caller)
    assert auth.caller_of_session(cookie) == caller == Auth.of(settings).caller_of_session(cookie)
    assert auth.caller_of_session(cookie, now=4e9) is None
    other_key = settings.model_copy(update={"keys": {"shop": Key(hash=hash_of("vt_new"))}})
    assert Auth.of(other_key).caller_of_session(cookie) is None
    for changed in ("", ".", "a.b", cookie[:-1], cookie + "0", "x" + cookie, cookie.partition(".")[0] + ".", "é.é", None):
        assert auth.caller_of_session(changed) is None


def test_forms_carry_a_token_of_their_session(tmp_path):
    auth = Auth.of(fake_service(tmp_path).settings)
    one, other = (auth.session(auth.caller_of("vt_all")) for _ in range(2))
    auth.check_form(one, auth.form_token(one))
    for wrong in ("", "é", auth.form_token(other), one.partition(".")[2]):
        with pytest.raises(RefusedError):
            auth.check_form(one, wrong)


def test_the_secret_of_sessions_is_for_the_service_alone(tmp_path):
    Auth.of(fake_service(tmp_path).settings)
    assert (tmp_path / "state" / "session.secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["session.secret"]
    assert "HttpOnly; SameSite=Strict" in cookie_header("x")
