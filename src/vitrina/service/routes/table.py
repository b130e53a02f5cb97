"""What a route is: a row of one table, from which the routing and the description of the API come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from vitrina.service.auth import Caller
from vitrina.service.decoding import decoded
from vitrina.service.problems import Header, RefusedError

if TYPE_CHECKING:
    from vitrina.service.scenario import Scenario
    from vitrina.service.service import Service
    from vitrina.service.tenant import Tenant

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """A request whose caller is known, on its way to a handler.

    Args:
        subject: the last part of the path, where the route has one.
        query: what stands behind the question mark; only what the route names.
    """

    service: Service
    caller: Caller
    body: bytes = b""
    subject: str = ""
    query: Mapping[str, int] = field(default_factory=dict)

    @property
    def tenant(self) -> Tenant:
        """Whose data the caller sees, and no other."""
        tenant = self.service.tenants.get(self.caller.tenant)
        if tenant is None:
            raise RefusedError(
                404, f"The tenant {self.caller.tenant!r} of this key has no scenario. Add one to the settings of the service."
            )
        return tenant

    def scenario(self, name: str) -> Scenario:
        """A scenario of the caller's tenant.

        Raises:
            RefusedError: 404, and lists those that there are.
        """
        known = self.tenant.scenarios
        if name not in known:
            raise RefusedError(404, f"There is no scenario {name[:128]!r}. Known: {', '.join(known)}.")
        return known[name]

    async def in_thread(self, reader: Callable[..., T], *arguments: Any) -> T:
        """What a reader of the store gives, without holding up others."""
        return await asyncio.to_thread(reader, *arguments)

    def read(self, decoder: msgspec.json.Decoder[T]) -> T:
        """The body."""
        return decoded(self.body, decoder, self.service.settings.limits.depth)


class Reply(NamedTuple):
    """An answer that isn't the usual one: 200, and JSON of a struct."""

    body: bytes
    status: int = 200
    content_type: bytes = b"application/json"
    headers: tuple[Header, ...] = ()


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, eq=False)
class Endpoint:
    """A route.

    Args:
        method: GET, POST, PUT or DELETE; HEAD goes with GET.
        path: may end with one part in braces.
        handler: gives a struct, or a `Reply`.
        scope: what the key must open; None: anybody, without a key.
        summary: a line for the description.
        answer: the struct of a good answer, or the type of its content where that is no JSON of ours.
        request: the struct of the body, where it has one.
        many: the name of a list of such bodies, which may come instead.
        query: parameters behind the question mark, all whole numbers: their defaults and limits.
        example: a body.
        answered: an answer to it.
        model: it waits for the model, and is refused at once where too many do.
        long: it takes as long as it takes; only its body has to come in time.
        statuses: that only this route has.
        links: from what was asked or answered to parameters of other operations, by their ids.
    """

    method: str
    path: str
    handler: Handler
    scope: str | None
    summary: str
    answer: Any
    request: Any = None
    many: str | None = None
    query: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    example: Any = None
    answered: Any = None
    model: bool = False
    long: bool = False
    statuses: tuple[int, ...] = ()
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def has_body(self) -> bool:
        return self.request is not None
