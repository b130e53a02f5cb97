"""Lists that are looked at and shown to nobody: every way in which a tenant's models answer, also ways that don't serve."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitrina.artifacts.layout import MANIFEST
from vitrina.rerank.rules.ruled import Rules
from vitrina.service.console.asked import Asked
from vitrina.service.console.words import model_of
from vitrina.wire import RecommendRequest

if TYPE_CHECKING:
    from vitrina.service.pipeline import Answered
    from vitrina.service.registry import Version
    from vitrina.service.scenario import Scenario, Way
    from vitrina.service.settings import ScenarioSettings
    from vitrina.service.tenant import Tenant

BEFORE = "before"  # behind the name of a scenario: the version that it can be rolled back to
KEPT = 4  # ways that were tried and are kept


@dataclass(frozen=True)
class Named:
    """A way to answer with the names that pages give it.

    Args:
        key: in addresses: "home", "home before", "home arm new".
        label: on the page.
    """

    key: str
    label: str
    scenario: str
    way: Way

    @property
    def version(self) -> str:
        return self.way.version.id

    @property
    def model(self) -> str:
        return model_of(self.way.version.artifact.manifest)


def ways(tenant: Tenant) -> list[Named]:
    """All ways that serve, and those that can be rolled back to; an arm that is served as the scenario is isn't one of its own."""
    found = []
    for name, scenario in tenant.scenarios.items():
        own = scenario.ways
        found.append(Named(name, name, name, own[""]))
        found += [Named(f"{name} arm {arm}", f"{name}, arm {arm}", name, way) for arm, way in own.items() if way is not own[""]]
        before = scenario.serving.previous if scenario.serving is not None else None
        if before is not None:
            found.append(Named(f"{name} {BEFORE}", f"{name}, the version before", name, before.way))
    return found


async def ask(way: Way, request: RecommendRequest, *, traced: bool = False) -> Answered:
    """A list that nobody was shown: it is not kept, and is no part of an experiment."""
    return await way.batcher.ask(request, traced=traced)


class Tried:
    """Ways with other settings than those that serve: made when somebody looks, and a few of them kept."""

    def __init__(self) -> None:
        self._ways: OrderedDict[tuple[Any, ...], Way] = OrderedDict()

    async def without(self, scenario: Scenario, version: Version, arm: str | None, names: frozenset[str]) -> Way:
        """A version of a scenario, or of an arm, without some of its rules."""
        made = lambda: scenario.tried(without_rules(scenario.settings_of(arm), names), version)  # noqa: E731  made if it isn't there
        return await self._kept((id(scenario), arm, version.id, names), made)

    async def beside(self, scenario: Scenario, folder: str) -> Way:
        """An artifact that lies beside that of a scenario, with the scenario's settings; it is read again when it was written again.

        Raises:
            ModelRefusedError: there is none, or it isn't sound.
        """
        path = scenario.settings.artifact.resolve().parent / folder / MANIFEST
        written = path.stat().st_mtime_ns if path.is_file() else 0
        return await self._kept((id(scenario), str(path), written), lambda: scenario.tried(scenario.settings, folder=str(path.parent)))

    async def _kept(self, key: tuple[Any, ...], made: Callable[[], Awaitable[Way]]) -> Way:
        if key not in self._ways:
            self._ways[key] = await made()
            while len(self._ways) > KEPT:
                self._ways.popitem(last=False)
        self._ways.move_to_end(key)
        return self._ways[key]


def without_rules(settings: ScenarioSettings, names: frozenset[str]) -> ScenarioSettings:
    """The settings of a scenario with fewer rules."""
    assert settings.rules is not None
    kept = {name: rule for name, rule in settings.rules.rules.items() if name not in names}
    changed = (
        {"rules": Rules(rules=kept, then=settings.rules.then)}
        if kept
        else {"rules": None, "rerank": settings.rules.then or settings.rerank}
    )
    return settings.model_copy(update=changed)


def rules_of(scenario: Scenario, arm: str | None = None) -> dict[str, str]:
    """The rules of a scenario, or of an arm, that can be left out, each with what it says."""
    rules = scenario.settings_of(arm).rules
    return {} if rules is None else {name: repr(rule) for name, rule in rules.rules.items()}


def diversity_of(scenario: Scenario, arm: str | None = None) -> float | None:
    """What the scenario's order is set to; None where nothing in it reads a diversity."""
    inner: Any = scenario.settings_of(arm).reranker
    while inner is not None:
        if getattr(inner, "diversity", None) is not None:
            return float(inner.diversity)
        inner = getattr(inner, "then", None)
    return _diversity_in(scenario.version.artifact.manifest.get("model"))


def _diversity_in(model: Any) -> float | None:
    """Of the re-ranker that a model was fitted with."""
    fields = model.get("fields", model) if isinstance(model, dict) else {}
    ordering = fields.get("reranker") or fields.get("then")
    if not isinstance(ordering, dict):
        return None
    own = ordering.get("fields", ordering)
    return float(own["diversity"]) if isinstance(own.get("diversity"), (int, float)) else _diversity_in(ordering)


def heads_of(scenario: Scenario) -> dict[str, float]:
    """The heads of the ranker with their weights, where it has several."""
    fitted: Any = scenario.version.artifact.recommender
    while not hasattr(fitted, "heads") and hasattr(fitted, "recommender"):
        fitted = fitted.recommender
    heads = getattr(fitted, "heads", ())
    return {head.name: float(head.weight) for head in heads} if len(heads) > 1 else {}


def request_of(asked: Asked, scenario: str, *, changed: bool = True, k: int | None = None) -> RecommendRequest:
    """What the controls ask for; without the changes what the person is asked for anyway."""
    user, typed = asked.text("user") or None, asked.typed
    length = asked.whole("k", 10, 1, 50) if k is None else k
    history = [*typed] if typed and (changed or user is None) else None
    whole = {"user": user, "history": history, "k": length, "scenario": scenario, "explain": changed}
    if not changed:
        return RecommendRequest(**whole)
    repeat = {"yes": True, "no": False}.get(asked.text("repeat"))
    weights = {key.removeprefix("weight_"): asked.number(key) for key in asked.query if key.startswith("weight_")}
    given = {name: weight for name, weight in weights.items() if weight is not None}
    return RecommendRequest(**whole, where=where_of(asked), repeat=repeat, diversity=asked.share("diversity"), weights=given or None)


TESTS = {
    "is": "is", "is_not": "is not", "contains": "contains", "at_least": "is at least", "at_most": "is at most",
}  # fmt: skip
NUMBERS = ("at_least", "at_most")


def where_of(asked: Asked) -> dict[str, Any] | None:
    """The condition on a column, where there is a whole one."""
    column, test, value = asked.text("column"), asked.text("test") or "is", asked.text("value")
    if not column or not value or test not in TESTS:
        return None
    if test in NUMBERS:
        number = asked.number("value")
        return None if number is None else {column: {test: number}}
    return {column: value} if test == "is" else {column: {test: value}}


def is_changed(asked: Asked, scenario: Scenario, arm: str | None, off: frozenset[str]) -> bool:
    """Whether the list is another than the one that the person would be shown; `off` are rules that are left out."""
    request = request_of(asked, scenario.name)
    diversity = request.diversity if request.diversity != diversity_of(scenario, arm) else None
    weights = {name: weight for name, weight in (request.weights or {}).items() if weight != heads_of(scenario).get(name)}
    other = (request.where, request.repeat, diversity, weights or None) != (None, None, None, None)
    return other or bool(off) or (request.user is not None and bool(request.history))
