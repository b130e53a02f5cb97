"""The console in a real browser: every page in each form, the main paths clicked through and typed through. Screenshots are kept in test-output/console."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from looked_at import KEY, Looked

from vitrina.service.console.routes import PAGES

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed: pip install playwright")

SHOTS = Path(__file__).parents[3] / "test-output" / "console"
PLACES = {
    "overview": "/", "people": "/people", "person": "/people?user=u1", "person-changed": "/people?user=u1&scenario=basket&diversity=0.9&without=one+drink",
    "visitor": "/people?history=3%0A4", "stranger": "/people?user=nobody", "items": "/items?q=number", "item": "/items/3", "dashboard": "/dashboard", "experiments": "/experiments",
    "models": "/models", "compare": "/models/compare?a=home&b=basket", "promote": "/models/promote?scenario=home&folder=x",
    "rollback": "/models/rollback?scenario=home", "data": "/data", "health": "/health", "search": "/search?q=u1",
    "ask": "/ask?text=Is+drinks+number+6+made+by+hand%3F",
}  # fmt: skip
FORMS = {
    "wide-light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "phone-dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True},
}
DARK = {"wide-dark": FORMS["wide-light"] | {"color_scheme": "dark"}, "phone-light": FORMS["phone-dark"] | {"color_scheme": "light"}}
FEW = ("person-changed", "dashboard", "experiments", "models")  # that are looked at in the other two forms, too
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => { for (; node; node = node.parentElement) { const found = rgb(getComputedStyle(node).backgroundColor); if (found[3] === 255) return found; } return [255, 255, 255]; };
  const poor = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const holder = walk.currentNode.parentElement, style = getComputedStyle(holder), inside = holder.closest("svg");
    const box = holder.getBoundingClientRect();
    if (!walk.currentNode.textContent.trim() || !box.width || style.visibility === "hidden" || holder.closest("title, desc, script, .hidden, .skip, option")) continue;
    const [a, b] = [light(rgb(inside ? style.fill : style.color)), light(behind(holder))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && +style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.add(`${ratio.toFixed(2)} ${holder.tagName}.${holder.getAttribute("class")} ${walk.currentNode.textContent.trim().slice(0, 30)}`);
  }
  return [...poor];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("There is no chromium on this machine: apt install chromium")
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


class Watched:
    """A page with all that went wrong on it."""

    def __init__(self, browser: Any, address: str, **form: Any) -> None:
        self.context = browser.new_context(base_url=address, **(FORMS["wide-light"] | form))
        self.context.set_default_timeout(30_000)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "requestfailed",
            lambda request: self.wrong.append(f"{request.url} failed") if "aborted" not in (request.failure or "").lower() else None,
        )
        self.page.on("response", lambda answer: self.wrong.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)
        self.page.on("dialog", lambda dialog: self.wrong.append(f"a dialog: {dialog.message}"))

    def shot(self, name: str) -> None:
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


@pytest.fixture
def watched(browser: Any, opened: Looked) -> Iterator[Watched]:
    made = Watched(browser, opened.address)
    yield made
    made.context.close()
    assert made.wrong == []


@pytest.mark.parametrize("form", [*FORMS, *DARK])
def test_every_page_opens_in_every_form(browser: Any, opened: Looked, form: str) -> None:
    """Without an error or a failed request, without scrolling sideways, with enough contrast; the pictures are kept."""
    made = Watched(browser, opened.address, **(FORMS | DARK)[form])
    for name, path in ((name, path) for name, path in PLACES.items() if form in FORMS or name in FEW):
        made.page.goto(path)
        made.shot(f"{name}-{form}")
        wide = made.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px wider than the screen"
        assert made.page.evaluate(CONTRAST) == [], name
    made.context.close()
    assert [said for said in made.wrong if "404" not in said] == []  # `rollback` has nothing to go back to and says so


def test_all_pages_are_among_them() -> None:
    plain = {path.partition("?")[0].replace("/items/3", "/items/{item:path}") for path in PLACES.values()}
    assert plain == set(PAGES)


def test_a_person_is_found_by_keyboard_alone(watched: Watched) -> None:
    page = watched.page
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):  # the name and the pages, then the field
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "q":
            break
    page.keyboard.type("u11")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=u11")
    found = page.locator("#people a").first
    found.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/people?user=u11*")
    assert page.locator("h1").inner_text() == "Person u11"


@pytest.mark.parametrize("path", ["/people?user=u1&scenario=basket", "/models", "/dashboard"])
def test_whatever_has_the_focus_shows_it_and_comes_in_order(watched: Watched, path: str) -> None:
    page = watched.page
    page.goto(path)
    seen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => { const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect();
            return { tag: it.tagName, outline: parseFloat(style.outlineWidth) * (style.outlineStyle !== "none"), shown: box.width > 0, top: box.top + scrollY }; }"""
        )
        if found["tag"] == "BODY":
            break
        seen.append(found)
        assert found["outline"] >= 1, found
        assert found["shown"], found
    assert len(seen) > 10


def test_the_list_moves_while_the_slider_does(watched: Watched) -> None:
    """Without loading the page again, by keyboard; the address can be sent, and says the same."""
    page = watched.page
    page.goto("/people?user=u1&scenario=basket")
    page.evaluate("window.same = true")
    titles = lambda: page.locator(".lead-list .ranked .title").all_inner_texts()  # noqa: E731  said often
    before = titles()
    page.locator("input[name=diversity]").focus()
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    page.wait_for_url("**diversity=0.9**")
    page.locator(".moved").first.wait_for()
    after = titles()
    assert after != before
    assert page.evaluate("window.same")
    assert "changed" in page.locator("#said").text_content()
    assert page.locator("label:has(input[name=diversity]) output").inner_text() == "0.90"
    watched.shot("after-the-slider")
    page.reload()
    assert titles() == after
    page.get_by_text("As it is served").click()
    page.wait_for_url("**/people?user=u1&scenario=basket")
    assert titles() == before


def test_rules_and_conditions_and_a_typed_history_change_it_too(watched: Watched) -> None:
    page = watched.page
    page.goto("/people?user=u2&scenario=home")
    page.evaluate("window.same = true")
    page.get_by_label("no odd things").check()
    page.wait_for_url("**without=no**")
    page.select_option("[name=column]", "aisle")
    page.fill("[name=value]", "drinks")
    page.locator("[name=value]").blur()
    page.wait_for_url("**value=drinks**")
    page.goto("/people?user=u2&scenario=home")
    page.evaluate("window.same = true")
    page.locator(".lead-list .add").first.click()
    page.wait_for_url("**history=**")
    page.get_by_text("typed").first.wait_for()
    assert page.evaluate("window.same")


def test_suggestions_come_while_typing(watched: Watched) -> None:
    page = watched.page
    page.goto("/items")
    page.locator("main input[name=q]").type("number 2")
    page.locator("#known-q option").nth(1).wait_for(state="attached")


def test_without_scripts_the_same_works_by_its_button(browser: Any, opened: Looked) -> None:
    made = Watched(browser, opened.address, java_script_enabled=False)
    made.page.goto("/people?user=u1&scenario=basket")
    made.page.fill("[name=k]", "4")
    made.page.get_by_role("button", name="Show").click()
    assert made.page.locator(".lead-list .ranked li").count() == 4
    made.shot("without-scripts")
    made.context.close()
    assert made.wrong == []


def test_promote_asks_once_and_is_undone(watched: Watched) -> None:
    page = watched.page
    page.goto("/models")
    home = page.locator("#scenario-home")
    assert "TopPersonal" in home.locator("tbody tr:has-text('serves')").first.inner_text()
    home.locator("tr:has-text('MMR')").get_by_text("Promote").click()
    watched.shot("promote-asked")
    page.get_by_text("No", exact=True).click()
    page.wait_for_url("**/models")
    home.locator("tr:has-text('MMR')").get_by_text("Promote").click()
    page.get_by_role("button", name="Yes, let it serve").click()
    page.wait_for_url("**/models?done=home")
    assert "re-ranked by MMR" in page.locator(".notice").inner_text()
    watched.shot("promoted")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url("**/models?done=home")
    assert "TopPersonal" in page.locator(".notice").inner_text()
    page.goto("/models")
    page.get_by_text("Roll back to it").first.click()
    watched.shot("rollback-asked")
    page.get_by_role("button", name="Yes, roll back").click()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_load_state()
    assert "TopPersonal" in page.locator(".notice").inner_text()


def test_a_key_opens_and_a_logout_closes(browser: Any, locked: Looked) -> None:
    made = Watched(browser, locked.address)
    page = made.page
    page.goto("/people?user=u1")
    page.wait_for_url("**/login?next=*")
    made.shot("login")
    page.get_by_label("Key").fill("vt_wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    page.get_by_label("Key").fill(KEY)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/people?user=u1")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.goto("/data")
    page.wait_for_url("**/login?next=*")
    made.context.close()
    assert [said for said in made.wrong if "401" not in said] == []


def test_the_policy_of_the_page_stops_what_is_put_into_it(browser: Any, opened: Looked) -> None:
    page = Watched(browser, opened.address).page
    page.goto("/items/3")
    page.evaluate(
        'document.body.insertAdjacentHTML(\'beforeend\', \'<img src="data:," onerror="window.hacked = 1"><a href="javascript:window.hacked=1" id=bad>x</a>\')'
    )
    page.evaluate("const s = document.createElement('script'); s.textContent = 'window.hacked = 1'; document.body.append(s)")
    page.locator("#bad").click()
    page.wait_for_timeout(100)
    assert page.evaluate("window.hacked") is None
    page.context.close()


def test_on_paper_there_are_no_controls(watched: Watched) -> None:
    page = watched.page
    page.goto("/people?user=u1")
    page.emulate_media(media="print")
    assert not page.locator(".controls").is_visible()
    assert not page.locator(".top nav").is_visible()
    assert page.locator(".ranked").first.is_visible()
    page.pdf(path=SHOTS / "person.pdf", format="A4")
