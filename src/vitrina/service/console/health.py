"""Whether the service is well: what health checks say, and what stands behind them."""

from __future__ import annotations

from msgspec import Struct

import vitrina
from vitrina.report.html import Column, Html, el, name, section, table
from vitrina.report.words import count
from vitrina.service.console.asked import Asked, Call, Page
from vitrina.service.console.frame import unsaid
from vitrina.service.console.gauged import Gauged
from vitrina.service.console.words import age, duration, fitted, model_of
from vitrina.service.settings import without_password


class Model(Struct):
    """What serves a scenario."""

    scenario: str
    model: str
    version: str
    fitted: str | None
    loaded: int


class Seen(Struct):
    """All that the page shows."""

    not_ready: list[str]
    software: str
    store: str
    state: str
    open: bool
    lag: float
    lost: int
    depth: dict[str, float]
    errors: dict[str, int]
    failed: int
    models: list[Model]


async def load(asked: Asked) -> Seen:
    """The page's numbers."""
    gauged, settings = Gauged(asked.service.metrics), asked.service.settings
    models = [
        Model(name, model_of(one.version.artifact.manifest), one.version.id, fitted(one.version), one.version.loaded)
        for name, one in asked.tenant.scenarios.items()
    ]
    return Seen(
        list(asked.service.not_ready), vitrina.__version__, without_password(settings.store), str(settings.state), not settings.keys,
        gauged.total("vitrina_ingest_lag_seconds"), int(gauged.total("vitrina_shown_lost_total")),
        {labels["queue"]: value for labels, value in gauged.of("vitrina_queue_depth")},
        {labels["task"]: int(value) for labels, value in gauged.of("vitrina_background_errors_total") if value},
        int(sum(value for labels, value in gauged.of("vitrina_requests_total") if labels["status"].startswith("5"))), models,
    )  # fmt: skip


def render(asked: Asked, seen: Seen) -> Page:
    """The page."""
    well = not seen.not_ready
    said = "The service is ready." if well else "The service can’t serve:"
    reasons = el("ul", *(el("li", reason) for reason in seen.not_ready), class_="warnings") if seen.not_ready else None
    calls = [Call("GET", "/v1/health/ready", what="For a load balancer"), Call("GET", "/v1/health/live", what="For who restarts it")]
    return Page(
        "Health",
        [el("span", said, class_="good" if well else "bad")],
        [reasons, _state(seen), _models(seen)],
        [f"Vitrina {seen.software}"],
        calls,
    )


def _state(seen: Seen) -> Html:
    """A line per thing that can be wrong, and what to do then."""
    waits = ", ".join(f"{queue} {count(n)}" for queue, n in seen.depth.items()) or "nothing"
    rows = [
        ("Store", f"{seen.store}, state in {seen.state}", None),
        ("Oldest row that waits to be kept", duration(seen.lag * 1e6) if seen.lag else "none waits", seen.lag > 5),
        ("Waiting", waits, None),
        ("Answers whose showing was lost", count(seen.lost), seen.lost > 0),
        ("Requests that failed since the start", count(seen.failed), seen.failed > 0),
        ("Errors of what runs by itself", ", ".join(f"{task} {n}" for task, n in seen.errors.items()) or "none", bool(seen.errors)),
        ("Who may come", "this machine, without a key" if seen.open else "whoever has a key", None),
    ]
    body = [[label, el("span", text, class_={True: "bad", False: "good", None: None}[wrong])] for label, text, wrong in rows]
    return section(
        "state",
        "What stands behind it",
        table([Column(unsaid("What"), number=False), Column(unsaid("How it is"), number=False)], body, caption="Now"),
    )


def _models(seen: Seen) -> Html:
    columns = [Column(title, number=False) for title in ("Scenario", "Model", "Fitted", "Loaded", "Version")]
    body = [
        [name(m.scenario), m.model, f"{age(m.fitted)} ago" if m.fitted else "–", f"{age(m.loaded)} ago", el("code", m.version)]
        for m in seen.models
    ]
    return section("models", "What serves", table(columns, body, caption="By scenario"))
