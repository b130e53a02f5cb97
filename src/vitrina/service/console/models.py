"""Models: what serves each scenario, what served before, what lies beside it; another one, or the one before, serves after one question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from vitrina.artifacts.layout import KIND, MANIFEST
from vitrina.report.html import Column, Html, el, join, name, section, sentence, table
from vitrina.report.words import count
from vitrina.service.console import trying
from vitrina.service.console.asked import Asked, Call, Page, address
from vitrina.service.console.frame import post, unsaid
from vitrina.service.console.words import age, model_of, moment, when

if TYPE_CHECKING:
    from vitrina.service.registry import Version
    from vitrina.service.scenario import Scenario

MOST_FOLDERS, MOST_AUDITED = 30, 50
FOLDER = " folder "  # in the key of a model: an artifact that lies beside that of the scenario


class Model(Struct):
    """A model that serves, served, or could."""

    role: str  # "serves", "before", "arm NAME", "" for one that lies beside
    folder: str
    model: str
    created: str | None
    metrics: dict[str, float]
    events: int | None
    version: str | None = None
    loaded: int | None = None
    key: str | None = None  # of the way, where it can be compared at once


class Place(Struct):
    """A scenario with its models."""

    scenario: str
    models: list[Model]


class Done(Struct):
    """A line of the audit."""

    time: int
    who: str
    action: str
    subject: str
    detail: str


class Seen(Struct):
    """All that the page shows."""

    places: list[Place]
    audited: list[Done]


async def load(asked: Asked) -> Seen:
    """The page's numbers."""
    tenant = asked.tenant
    found = await asyncio.gather(*(asyncio.to_thread(_place, one, trying.ways(tenant)) for one in tenant.scenarios.values()))
    audited = await asyncio.to_thread(asked.service.store.audited, tenant.name, MOST_AUDITED)
    return Seen(list(found), [Done(one.time, one.who, one.action, one.subject, one.detail) for one in audited])


def _place(scenario: Scenario, ways: list[trying.Named]) -> Place:
    """The versions in memory, and the artifacts in the folder where the scenario's own lies."""
    own = [_of_version(scenario, one) for one in ways if one.scenario == scenario.name]
    held = {model.folder for model in own}
    beside = [model for model in _beside(scenario.settings.artifact.resolve().parent) if model.folder not in held]
    return Place(scenario.name, own + beside)


def _of_version(scenario: Scenario, named: trying.Named) -> Model:
    version: Version = named.way.version
    role = named.key.removeprefix(scenario.name).strip() or "serves"
    return _of_manifest(version.artifact.manifest, str(version.folder.resolve()), role, version.id, version.loaded, named.key)


def _beside(folder: Path) -> list[Model]:
    """Artifacts in a folder, the latest first."""
    found = []
    for path in sorted(folder.glob(f"*/{MANIFEST}"))[:MOST_FOLDERS]:
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            if manifest["kind"] == KIND:
                found.append(_of_manifest(manifest, str(path.parent)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # whatever else lies there is no model
    return sorted(found, key=lambda model: -(moment(model.created) or 0))


def _of_manifest(manifest: Mapping[str, Any], folder: str, role: str = "", version: str | None = None, loaded: int | None = None, key: str | None = None) -> Model:  # fmt: skip
    metrics = {metric: float(value) for metric, value in (manifest.get("metrics") or {}).items()}
    return Model(
        role, folder, model_of(manifest), manifest.get("created"), metrics, (manifest.get("data") or {}).get("events"), version, loaded, key
    )


def render(asked: Asked, seen: Seen) -> Page:
    """The page."""
    first = seen.places[0]
    said = [f"{place.scenario} is served by {place.models[0].model}{_fitted(place.models[0])}" for place in seen.places]
    answer = [". ".join(said) + "."]
    notice = _notice(asked, seen)
    ways = trying.ways(asked.tenant)
    parts = [
        notice,
        *(_scenario(asked, place) for place in seen.places),
        _compare(asked, [(one.key, f"{one.label}: {one.model}") for one in ways]),
        _audit(seen),
    ]
    body = msgspec.json.encode({"folder": first.models[0].folder}).decode()
    calls = [
        Call("GET", "/v1/models", what="What serves"), Call("POST", f"/v1/models/{first.scenario}", body, "Another model"),
        Call("POST", f"/v1/models/{first.scenario}", '{"rollback":true}', "Back to the one before"), Call("GET", "/v1/audit", what="Who did what"),
    ]  # fmt: skip
    return Page("Models", answer, parts, calls=calls)


def _fitted(model: Model) -> str:
    return f", fitted {age(model.created)} ago" if model.created else ""


def _told(model: Model) -> str:
    return f"{model.model} (fitted {age(model.created)} ago)" if model.created else model.model


def _notice(asked: Asked, seen: Seen) -> Html | None:
    """What was just done, and how to undo it."""
    place = next((place for place in seen.places if place.scenario == asked.text("done")), None)
    if place is None:
        return None
    said = f"{place.scenario} is now served by {place.models[0].model}{_fitted(place.models[0])}. "
    undo = post(asked, "/models/rollback", "Undo", class_="plain-act", scenario=place.scenario) if _before(place) else None
    return el("div", said, undo, class_="notice", role="status")


def _before(place: Place) -> Model | None:
    return next((model for model in place.models if model.role == trying.BEFORE), None)


def _scenario(asked: Asked, place: Place) -> Html:
    """The models of a scenario, with what can be done."""
    metrics = list(dict.fromkeys(metric for model in place.models for metric in model.metrics))[:4]
    columns = [
        Column("Model", number=False, class_="first"), Column(unsaid("Whether it serves"), number=False), Column("Fitted", number=False, class_="date"), *map(Column, metrics), Column("Events"),
        Column(unsaid("What can be done"), number=False),
    ]  # fmt: skip
    body = []
    for model in place.models:
        role = {"serves": el("strong", "serves", class_="good"), trying.BEFORE: "served before"}.get(
            model.role, name(model.role) if model.role else ""
        )
        numbers = (f"{model.metrics[m]:.4g}" if m in model.metrics else "–" for m in metrics)
        where = el(
            "span",
            el("code", name(Path(model.folder).name)),
            el("span", f" {model.version}") if model.version else None,
            class_="remark",
            title=model.folder,
        )
        body.append(
            [
                el("div", model.model, where),
                role,
                age(model.created) + " ago" if model.created else "–",
                *numbers,
                count(model.events),
                _acts(asked, place, model),
            ]
        )
    alone = (
        None
        if len(place.models) > 1
        else sentence(f"No other artifact lies in {Path(place.models[0].folder).parent}. Fit one beside it: vitrina fit CONFIG --out DIR.")
    )
    return section(f"scenario-{place.scenario}", place.scenario, table(columns, body, caption=f"Models of {place.scenario}"), alone)


def _acts(asked: Asked, place: Place, model: Model) -> Html | str:
    """What can be done with a model that doesn't serve."""
    if model.role == "serves":
        return ""
    other = model.key or f"{place.scenario}{FOLDER}{Path(model.folder).name}"
    look = el("a", "Compare", href=address("/models/compare", [("a", place.scenario), ("b", other)]))
    if "models" not in asked.caller.scopes:
        return look
    back = address("/models/rollback", [("scenario", place.scenario)])
    on = address("/models/promote", [("scenario", place.scenario), ("folder", model.folder)])
    act = el("a", "Roll back to it …", href=back) if model.role == trying.BEFORE else el("a", "Promote …", href=on)
    return join((act, " · ", look))


def _compare(asked: Asked, choices: list[tuple[str, str]]) -> Html | None:
    """Two models for the same people."""
    if len(choices) < 2:
        return None
    second = choices[1][0]
    selects = [
        el(
            "label",
            el("span", label),
            el("select", *(el("option", text, value=key, selected=key == chosen) for key, text in choices), name=field),
        )
        for field, label, chosen in (("a", "One", choices[0][0]), ("b", "The other", second))
    ]
    form = el(
        "form",
        *selects,
        el("button", "Compare", type="submit", class_="main-act"),
        action="/models/compare",
        method="get",
        class_="controls",
    )
    return section("compare", "Two models for the same people", form)


def _audit(seen: Seen) -> Html:
    if not seen.audited:
        return section("audit", "Who did what", sentence("Nobody has changed anything yet."))
    columns = [Column(title, number=False) for title in ("When (UTC)", "Who", "What", "On", "How it ended")]
    body = [[when(one.time), name(one.who), one.action, name(one.subject), name(one.detail)] for one in seen.audited]
    return section("audit", "Who did what", table(columns, body, caption=f"The latest {len(body)}"))


# One question before something changes


def promote(asked: Asked, seen: Seen) -> Page:
    """Whether another model shall serve."""
    scenario, folder = asked.scenario, asked.text("folder")
    place = next(place for place in seen.places if place.scenario == scenario.name)
    model = next((one for one in place.models if one.folder == folder), None)
    to = _told(model) if model else f"the artifact in {folder}"
    return _question(asked, f"Shall {to} serve {scenario.name}?", place, "Yes, let it serve", "/models/promote", folder=folder)


def rollback(asked: Asked, seen: Seen) -> Page:
    """Whether the version before shall serve again."""
    place = next(place for place in seen.places if place.scenario == asked.scenario.name)
    before = _before(place)
    if before is None:
        said = f"{place.scenario} has no version before the one that serves."
        return Page("Roll back", [said], [el("p", el("a", "To the models", href="/models"))], status=404)
    return _question(asked, f"Shall {_told(before)} serve {place.scenario} again?", place, "Yes, roll back", "/models/rollback")


def _question(asked: Asked, question: str, place: Place, yes: str, action: str, **fields: str) -> Page:
    now = (
        f"{_told(place.models[0])} serves it now, goes on until the other one is checked and warm, and can be brought back with one click."
    )
    acts = el(
        "div",
        post(asked, action, yes, class_="main-act", scenario=place.scenario, **fields),
        el("a", "No", href="/models", class_="button"),
        class_="acts",
    )
    return Page(question, [now], [acts])
