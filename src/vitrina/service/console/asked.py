"""What a page is made of: who asks for it, with which words, and what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from vitrina.base.errors import UnknownNameError
from vitrina.report.html import Html

if TYPE_CHECKING:
    from vitrina.service.auth import Caller
    from vitrina.service.console.names import Names
    from vitrina.service.console.trials import Looks
    from vitrina.service.console.trying import Tried
    from vitrina.service.console.window import Windows
    from vitrina.service.scenario import Scenario
    from vitrina.service.service import Service
    from vitrina.service.tenant import Tenant

LONGEST = 4000  # letters of a field that are read
MOST_TYPED = 100  # lines of a history


@dataclass(frozen=True)
class Asked:
    """A page that somebody asked for.

    Args:
        service: that is looked at.
        tenant: of the caller: nothing of another one is shown.
        caller: who has logged in.
        windows: what was shown and what happened lately, by tenant.
        names: titles of the items.
        tried: ways to answer that serve nobody.
        looks: what was computed of experiments lately.
        path: of the page, and `parts` of it that vary, such as the id of an item.
        query: what the address or the form says.
        token: that forms carry.
        base: of the service as the browser knows it, "http://localhost:8000".
    """

    service: Service
    tenant: Tenant
    caller: Caller
    windows: Windows
    names: Names
    tried: Tried
    looks: Looks
    path: str
    query: QueryParams
    token: str
    base: str
    parts: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A field without the blanks around it; empty where it isn't there."""
        return self.query.get(name, "")[:LONGEST].replace("\0", "").strip()

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number within its limits; the default where it can't be read."""
        text = self.text(name)
        return min(max(int(text), low), high) if text.removeprefix("-").isdecimal() and len(text) < 10 else default

    def share(self, name: str) -> float | None:
        """A number from 0 to 1; None where there is none."""
        number = self.number(name)
        return None if number is None else min(max(number, 0.0), 1.0)

    def number(self, name: str) -> float | None:
        """A finite number; None where there is none."""
        try:
            number = float(self.text(name))
        except ValueError:
            return None
        return number if abs(number) < 1e300 else None

    def link(self, **changes: Any) -> str:
        """The address of this page with other words; None takes one away."""
        kept = [(key, value) for key, value in self.query.multi_items() if key not in changes and value]
        return address(self.path, [*kept, *((key, value) for key, value in changes.items() if value not in (None, ""))])

    @cached_property
    def typed(self) -> list[str]:
        """The ids of the typed history: a line is an id, a title, or words of one; what nobody knows stays as it was typed.

        Cost: a pass over the titles per line that is no id, the first time.
        """
        lines = [line.strip() for line in self.text("history").splitlines() if line.strip()][:MOST_TYPED]
        best = [[] if self.names.known(self.tenant, line) else self.names.find(self.tenant, line, 1) for line in lines]
        return [found[0][0] if found else line for line, found in zip(lines, best, strict=True)]

    @property
    def scenario(self) -> Scenario:
        """The one that the page is about: the named one, else the first.

        Raises:
            UnknownNameError: there is none of that name.
        """
        named = self.text("scenario")
        scenarios = self.tenant.scenarios
        if named and named not in scenarios:
            raise UnknownNameError.of("scenario", named, scenarios)
        return scenarios[named] if named else next(iter(scenarios.values()))


def address(path: str, words: Sequence[tuple[str, Any]]) -> str:
    """A path with a query.

    >>> address("/people", [("user", "a b"), ("k", 5)]), address("/health", [])
    ('/people?user=a+b&k=5', '/health')
    """
    return f"{path}?{urlencode(words)}" if words else path


@dataclass(frozen=True)
class Call:
    """A call of the API that gives what the page shows."""

    method: str
    path: str
    body: str | None = None
    what: str = ""


@dataclass(frozen=True)
class Page:
    """A page without its frame.

    Args:
        title: of the window and of the page.
        answer: sentences, the most important first.
        parts: sections.
        dateline: short facts below the title.
        calls: of the API, for the same data.
        before: what stands between the head and the parts and isn't replaced by the script: the controls.
        status: of HTTP.
    """

    title: str
    answer: Sequence[object] = ()
    parts: Sequence[Html | None] = ()
    dateline: Sequence[object] = ()
    calls: Sequence[Call] = ()
    before: Html | None = None
    status: int = 200


Load = Callable[[Asked], Awaitable[Any]]
Render = Callable[[Asked, Any], Page]
