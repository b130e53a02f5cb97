"""Pages without a browser: what they say, that everything is escaped, who may look, and that they are the data of their JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from looked_at import KEY, NASTY, OTHER, READER, Looked

import vitrina as vt
from vitrina.cli.serve_env import from_environment
from vitrina.cli.serve_file import read_service
from vitrina.service.console.experiments import example
from vitrina.service.console.routes import ACTS, CSP, PAGES

PATHS = [
    "/", "/people", "/people?user=u1", "/people?user=u1&scenario=basket&diversity=0.9", "/people?user=u1&without=one+drink", "/people?history=3%0Anumber+4",
    "/people?user=u1&column=aisle&test=is_not&value=drinks", "/people?user=stranger", "/items", "/items?q=number", "/items/3", "/items/5?scenario=basket",
    "/dashboard", "/dashboard?scenario=basket", "/experiments", "/models", "/models/compare?a=home&b=basket", "/models/compare?a=home&b=home+folder+together",
    "/models/promote?scenario=home&folder=x", "/data", "/health", "/search?q=u1", "/search?q=number", "/ask",
    "/ask?text=Is+bread+made+by+hand%3F", "/ask?text=number&scenario=find",
]  # fmt: skip


@pytest.fixture
def web(opened: Looked) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=opened.address, timeout=60) as client:
        yield client


class Seen(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_sound(web: httpx.Client, path: str) -> None:
    """One title, one heading of it, labels for fields, nothing in line that a strict policy forbids, nothing from elsewhere, no double ids."""
    answer = web.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["cache-control"] == "no-store"
    seen = Seen(answer.text)
    assert len(seen.all("h1")) == len(seen.all("main")) == 1
    assert [a.get("src") for a in seen.all("script")] == [a["src"] for a in seen.all("script") if (a["src"] or "").startswith("/console/")]
    assert not [a for tag, a in seen.tags if any(name.startswith("on") or name == "style" for name in a)]
    ids = [a["id"] for _, a in seen.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert "alert(" not in re.sub(r"&lt;script&gt;alert\(&#39;title&#39;\)&lt;/script&gt;|alert%28[^ ]*", "", answer.text)
    heard = [a for tag in ("input", "select", "textarea") for a in seen.all(tag) if a.get("type") not in ("hidden",)]
    assert all(a.get("aria-label") or a.get("name") for a in heard)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_gives_its_data_as_json(web: httpx.Client, path: str) -> None:
    answer = web.get(path, headers={"accept": "application/json"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    joined = "&" if "?" in path else "?"
    assert web.get(f"{path}{joined}as=json").status_code == 200


def test_every_page_is_among_those_that_are_looked_at() -> None:
    plain = {re.sub(r"\?.*", "", path) for path in PATHS} | {"/items/{item:path}", "/models/rollback"}
    assert set(PAGES) <= plain


def test_a_search_shows_what_it_finds_and_every_step_to_an_answer(web: httpx.Client) -> None:
    found = web.get("/ask?text=Is+drinks+number+6+made+by+hand%3F&as=json").json()
    assert found["scenario"] == "find"
    assert found["items"][0]["title"] == "drinks number 6"
    assert found["answer"]["status"] == "answered"
    assert [step["step"] for step in found["answer"]["trace"]][:2] == ["understand", "retrieve"]
    page = Seen(web.get("/ask?text=Is+drinks+number+6+made+by+hand%3F").text)
    assert "made by hand" in page.text
    assert "Every step" in page.text


def test_titles_that_are_markup_are_shown_and_not_run(web: httpx.Client) -> None:
    for path in ("/items/3", "/people?history=3", "/items?q=script", "/search?q=script", "/data"):
        page = web.get(path).text
        assert NASTY not in page
        assert NASTY in Seen(page).text


@pytest.mark.parametrize(
    "words", [NASTY, '"><img src=x onerror=alert(1)>', "\0", "\ud800".encode("utf-8", "surrogatepass"), "a" * 5000, "%", "{}", "’"]
)
def test_whatever_is_asked_is_answered(web: httpx.Client, words: str | bytes) -> None:
    for path, name in (("/people", "user"), ("/people", "history"), ("/people", "value"), ("/items", "q"), ("/search", "q"), ("/ask", "text"), ("/models/compare", "a"), ("/dashboard", "scenario")):  # fmt: skip
        asked = {name: words, "column": "aisle"} if name == "value" else {name: words}
        asked = asked | ({"user": "u1"} if name == "value" else {})
        answer = web.get(path, params=asked)
        assert answer.status_code in (200, 404, 422), answer.text
        assert (
            "onerror=alert" not in re.sub(r"&[a-z#0-9]+;", "", answer.text).replace("img src=x onerror=alert(1)", "")
            or "<img" not in answer.text
        )
        assert "<script>alert" not in answer.text


def test_a_person_has_a_list_with_titles_reasons_and_what_was_left_out(web: httpx.Client) -> None:
    found = web.get("/people?user=u1&scenario=home&as=json").json()
    assert found["events"] >= 36
    assert found["lists"][0]["places"][0]["rank"] == 1
    assert {one["key"] for one in found["lists"]} >= {"home", "basket"}
    assert [stage["name"] for stage in found["stages"]][:1] == ["history"]
    left = {one["by"]: one for stage in found["stages"] for one in stage["dropped"]}
    odd = next(one for by, one in left.items() if "no odd things" in by)
    assert odd["count"] == 10
    assert {int(item) % 4 for item, _ in odd["items"]} == {3}
    page = Seen(web.get("/people?user=u1&scenario=home").text)
    assert "What was left out" in page.text
    assert "no odd things" in page.text


def test_diversity_moves_the_list_and_the_page_says_from_where(web: httpx.Client) -> None:
    plain, moved = (web.get(f"/people?user=u1&scenario=basket{more}&as=json").json() for more in ("", "&diversity=1"))
    one, other = ([place["item"] for place in found["lists"][0]["places"]] for found in (plain, moved))
    assert one != other
    assert moved["changed"]
    assert not plain["changed"]
    ranks = {item: rank for rank, item in enumerate(one, 1)}
    assert all(place["before"] == ranks[place["item"]] for place in moved["lists"][0]["places"] if place["item"] in ranks)
    assert {item for _, item, _ in moved["gone"]} == set(one) - set(other)


def test_a_rule_that_is_left_out_lets_its_items_come_back(web: httpx.Client) -> None:
    """People had odd things, and may get again what they had: only the rule holds them back."""
    odd = {str(item) for item in range(40) if item % 4 == 3}

    def gets(more: str) -> set[str]:
        found = (web.get(f"/people?user=u{user}&scenario=home{more}&as=json").json() for user in range(4))
        return {place["item"] for one in found for place in one["lists"][0]["places"]}

    assert not gets("") & odd
    assert gets("&without=no+odd+things") & odd


def test_a_condition_keeps_only_what_it_names(web: httpx.Client) -> None:
    found = web.get("/people?user=u1&scenario=basket&column=aisle&test=is&value=bread&as=json").json()
    assert found["lists"][0]["places"]
    assert all(int(place["item"]) % 4 == 1 for place in found["lists"][0]["places"])
    refused = web.get("/people?user=u1&column=aisle&test=is&value=nonsense")
    assert refused.status_code == 200
    assert "nonsense" in refused.text


def test_a_typed_history_is_a_visitor(web: httpx.Client) -> None:
    found = web.get("/people", params={"history": "number 4\n7\nnobody knows this", "as": "json"}).json()
    assert found["user"] is None
    assert found["unknown"] == ["nobody knows this"]
    assert found["lists"][0]["places"]


def test_looking_shows_nobody_anything(web: httpx.Client, opened: Looked) -> None:
    """Lists of the console are not kept as shown, so that experiments and click-through are of people."""
    opened.does(opened.service.store.flush())
    before = sum(frame.height for frame in opened.service.store.shown("default"))
    for path in ("/people?user=u2", "/items/4", "/models/compare?a=home&b=basket"):
        web.get(path)
    opened.does(opened.service.store.flush())
    assert sum(frame.height for frame in opened.service.store.shown("default")) == before


def test_the_dashboard_counts_what_was_shown(web: httpx.Client, opened: Looked) -> None:
    shown = [row for frame in opened.service.store.shown("default") for row in frame.iter_rows(named=True)]
    found = web.get("/dashboard?scenario=home&as=json").json()
    assert found["lists"] == len({row["recommendation_id"] for row in shown if row["scenario"] == "home"})
    assert found["reach"]["places"] == sum(row["scenario"] == "home" for row in shown)
    assert found["kind"] == "click"
    assert {row["of"] for row in found["by_scenario"]} == {"home", "basket"}
    assert {offline["metric"]: offline["value"] for offline in found["offline"]} == {"nDCG@10": 0.25, "recall@10": 0.4}
    assert found["by_position"][0]["share"] > found["by_position"][5]["share"]


def test_an_experiment_says_honestly_that_it_is_too_early(web: httpx.Client) -> None:
    (found,) = web.get("/experiments?as=json").json()["running"]
    assert found["units"].keys() == {"top", "together"}
    assert sum(found["units"].values()) > 20
    assert found["verdict"] in ("pass", "warn")
    assert not [row for row in found["compared"] if row["verdict"] != "too early"]
    assert "too early" in Seen(web.get("/experiments").text).text


def test_rows_that_were_refused_are_told_with_their_reasons(web: httpx.Client) -> None:
    found = web.get("/data?as=json").json()
    assert found["refused"][0]["reason"].startswith("The 'kind' is missing")
    assert found["rejected"] == 1
    assert found["duplicates"] == 1
    assert ["unheard-of", 1] in found["unknown_items"]


def test_what_is_not_there_is_404_in_a_sentence(web: httpx.Client) -> None:
    for path in ("/items/nothing", "/people?scenario=nowhere", "/models/compare?a=home&b=gone"):
        answer = web.get(path)
        assert answer.status_code == 404
        assert "Nobody knows" in answer.text or "There is no" in answer.text
        told = web.get(path, headers={"accept": "application/json"})
        assert told.status_code == 404
        assert json.loads(told.text)["error"] == "not_found"


def test_assets_are_kept_for_good_and_change_their_address_with_their_content(web: httpx.Client) -> None:
    links = re.findall(r'(?:href|src)="(/console/[0-9a-f]{12}/[\w.]+)"', web.get("/").text)
    assert len(links) == 2
    for link in links:
        answer = web.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


# Forms


def token_of(page: str) -> str:
    return re.findall(r'name="token" value="([0-9a-f]+)"', page)[0]


def test_a_model_is_promoted_after_one_question_and_brought_back(web: httpx.Client, models: Path) -> None:
    folder = str((models / "together").resolve())
    asked = web.get("/models/promote", params={"scenario": "basket", "folder": folder})
    assert "Shall Cooccurrence" in asked.text
    done = web.post("/models/promote", data={"token": token_of(asked.text), "scenario": "basket", "folder": folder})
    assert done.status_code == 303
    page = web.get(done.headers["location"]).text
    assert "basket is now served by Cooccurrence" in page
    undone = web.post("/models/rollback", data={"token": token_of(page), "scenario": "basket"})
    assert undone.status_code == 303
    found = web.get("/models?as=json").json()
    place = next(place for place in found["places"] if place["scenario"] == "basket")
    assert place["models"][0]["model"] == "Cooccurrence, re-ranked by MMR"
    assert [one["action"] for one in found["audited"]][:2] == ["rollback", "load"]
    assert found["audited"][0]["who"] == "local"


def test_a_folder_outside_is_refused_and_what_served_goes_on(web: httpx.Client) -> None:
    asked = web.get("/models/promote?scenario=home&folder=x")
    refused = web.post("/models/promote", data={"token": token_of(asked.text), "scenario": "home", "folder": "/etc"})
    assert refused.status_code == 422
    assert web.get("/models?as=json").json()["places"][0]["models"][0]["model"] == "TopPersonal"


@pytest.mark.parametrize("path", [*ACTS, "/logout"])
def test_a_form_without_its_token_changes_nothing(web: httpx.Client, path: str) -> None:
    web.get("/models")
    for fields in ({"scenario": "home", "folder": "together"}, {"scenario": "home", "token": "0" * 64}):
        assert web.post(path, data=fields).status_code == 403


def test_forms_of_other_sites_are_refused(web: httpx.Client, opened: Looked) -> None:
    page = web.get("/models/promote?scenario=home&folder=x").text
    refused = web.post(
        "/models/promote",
        data={"token": token_of(page), "scenario": "home", "folder": "together"},
        headers={"origin": "https://evil.example"},
    )
    assert refused.status_code == 403
    assert httpx.get(opened.address, headers={"host": "rebound.example"}).status_code == 403


# Keys


def test_without_a_session_every_page_leads_to_the_login_and_json_is_401(locked: Looked) -> None:
    as_json = {"accept": "application/json"}
    with httpx.Client(base_url=locked.address) as web:
        for path in PATHS:
            answer = web.get(path)
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")
            for key in ({}, {"authorization": "Bearer vt_wrong"}):
                refused = web.get(path, headers=as_json | key)
                assert refused.status_code == 401
                assert refused.json()["error"] == "unauthorized"


def test_a_login_lasts_until_the_logout(locked: Looked) -> None:
    with httpx.Client(base_url=locked.address) as web:
        assert web.post("/login", data={"key": "vt_wrong", "next": "/data"}).status_code == 401
        done = web.post("/login", data={"key": KEY, "next": "/people?user=u1"})
        assert (done.status_code, done.headers["location"]) == (303, "/people?user=u1")
        cookie = done.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert KEY not in cookie
        page = web.get("/people?user=u1")
        assert page.status_code == 200
        assert web.post("/logout", data={"token": token_of(page.text)}).headers["location"] == "/login"
        assert web.get("/data").status_code == 303
    copied = {"Cookie": cookie.partition(";")[0]}
    assert httpx.get(f"{locked.address}/data", headers=copied).status_code == 303  # a copy of the cookie has ended too


def test_behind_a_proxy_that_speaks_tls_the_cookie_goes_over_tls_alone(locked: Looked) -> None:
    form = {"key": KEY, "next": "/"}
    plain = httpx.post(f"{locked.address}/login", data=form)
    secure = httpx.post(f"{locked.address}/login", data=form, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" not in plain.headers["set-cookie"]
    assert secure.headers["set-cookie"].endswith("; Secure")


def test_a_login_leads_to_no_other_site(locked: Looked) -> None:
    for wanted in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        done = httpx.post(f"{locked.address}/login", data={"key": KEY, "next": wanted})
        assert done.headers["location"] == "/"


def test_a_key_that_may_only_read_changes_nothing(locked: Looked) -> None:
    with httpx.Client(base_url=locked.address) as web:
        web.post("/login", data={"key": READER, "next": "/"})
        page = web.get("/models").text
        assert "Promote" not in page
        assert web.post("/models/rollback", data={"token": token_of(page), "scenario": "home"}).status_code == 403


def test_another_tenant_sees_its_own(locked: Looked) -> None:
    with httpx.Client(base_url=locked.address) as web:
        web.post("/login", data={"key": OTHER, "next": "/"})
        page = Seen(web.get("/").text).text
        assert "secret" in page
        assert "basket" not in page
        assert web.get("/people?scenario=home").status_code == 404
        assert web.get("/data?as=json").json()["events"] == 0


def test_the_example_of_an_experiment_begins_one(tmp_path: Path) -> None:
    """What the page tells to do works, beside a scenario with a name of its own."""
    models = tmp_path / "models"
    vt.save(vt.Popularity().fit(vt.testing.toy()), tmp_path / "model", data=vt.testing.toy())
    vt.save(vt.Popularity().fit(vt.testing.toy()), models / "new", data=vt.testing.toy())
    (tmp_path / "shop.toml").write_text(f'[scenarios."home.page"]\nartifact = "model"\n\n{example("home.page")}\n')
    served = read_service(tmp_path / "shop.toml", from_environment({}), {}).experiments["new-model"]
    assert (served.scenario, served.experiment.control) == ("home.page", "old")
    assert served.arms["new"].artifact == models / "new"
