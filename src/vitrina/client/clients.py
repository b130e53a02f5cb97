"""The two clients: what takes the steps over HTTP, and the same methods."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from vitrina.base.errors import ParameterError
from vitrina.client import steps as step
from vitrina.client.rows import Given
from vitrina.client.steps import Call, Pause, Reply, Steps
from vitrina.wire import AnswerAnswer, BatchAnswer, ErasedAnswer, Health, Id, ModelAnswer, ModelRequest, RecommendAnswer

T = TypeVar("T")


class Client:
    """Asks a service and waits for the answer. It may be shared by threads.

    Requests are made again after 429, 502, 503, 504 and broken connections, with pauses of 0.1, 0.2, 0.4 ... 10 seconds (up to half as long again by chance),
    or as long as the service asks for. What is asked twice is done once: events have ids, and the rest says what shall be, not what shall change.

    Args:
        url: of the service, as "http://localhost:8000".
        key: of the API, where the service demands one.
        timeout: seconds that one try may take.
        retries: tries after the first; with 8 they go on for some 25 seconds.
    Raises:
        ClientError: from every method: the service refused, with its sentence, or couldn't be reached.
        NotAcknowledgedError: from `send`, `put_items` and `put_users`: the same, with the rows that the service didn't acknowledge.

    >>> Client("localhost:8000")
    Traceback (most recent call last):
        ...
    vitrina.base.errors.ParameterError: The 'url' of a client must begin with http:// or https://. Got 'localhost:8000'.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 10.0, retries: int = 8) -> None:
        self._http = httpx.Client(**_connection(url, key, timeout, retries))
        self._retries = retries

    def recommend(self, user: Id | None = None, **asked: Any) -> RecommendAnswer:
        """A list for a person, or for a visitor; `asked` are the other fields of `vitrina.wire.RecommendRequest`."""
        return self._take(step.recommend(self._retries, user, asked))

    def search(self, text: str, **asked: Any) -> RecommendAnswer:
        """What is found for a text; `asked` are the other fields of `vitrina.wire.SearchRequest`."""
        return self._take(step.search(self._retries, text, asked))

    def answer(self, question: str, **asked: Any) -> AnswerAnswer:
        """A question, answered in sentences that cite items; `asked` are the other fields of `vitrina.wire.AnswerRequest`."""
        return self._take(step.answer(self._retries, question, asked))

    def similar(self, item: Id, **asked: Any) -> RecommendAnswer:
        """Items that are like one; `asked` are the other fields of `vitrina.wire.SimilarRequest`."""
        return self._take(step.similar(self._retries, item, asked))

    def send(self, events: Given | Iterable[Given]) -> BatchAnswer:
        """Tell what happened: one event or many, as `vitrina.wire.EventIn` or as dictionaries, which need no `event_id` (they get one) and no `time` (it is now).
        When it returns, what is stored or duplicate is on the service's disk, and what was rejected has its reason."""
        return self._take(step.send(self._retries, events))

    def put_items(self, items: Given | Iterable[Given]) -> BatchAnswer:
        """Set columns of items, or delete some: `vitrina.wire.ItemIn`, or dictionaries."""
        return self._take(step.put_items(self._retries, items))

    def put_users(self, users: Given | Iterable[Given]) -> BatchAnswer:
        """Set columns of people: `vitrina.wire.UserIn`, or dictionaries."""
        return self._take(step.put_users(self._retries, users))

    def erase(self, user: Id) -> ErasedAnswer:
        """Forget a person: their events, columns, and what they were shown."""
        return self._take(step.erase(self._retries, user))

    def load_model(self, folder: str, scenario: str = "default") -> ModelAnswer:
        """Serve a scenario with the artifact in a folder of the service's machine."""
        return self._take(step.change_model(self._retries, scenario, ModelRequest(folder=folder)))

    def roll_back(self, scenario: str = "default") -> ModelAnswer:
        """Serve a scenario with the model before. It isn't asked again where the answer was lost, as that would go back twice."""
        return self._take(step.change_model(self._retries, scenario, ModelRequest(rollback=True)))

    def health(self) -> Health:
        """Whether the service is ready to answer, and why not."""
        return self._take(step.health())

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _take(self, steps: Steps[T]) -> T:
        reply: Reply | None = None
        while True:
            try:
                next_one = steps.send(reply)
            except StopIteration as done:
                return done.value
            reply = time.sleep(next_one.seconds) if isinstance(next_one, Pause) else self._reply(next_one)

    def _reply(self, call: Call) -> Reply:
        try:
            return _told(self._http.request(call.method, call.path, content=call.body))
        except httpx.TransportError as error:
            return _failed(error)


class AsyncClient:
    """As `Client`, with methods to await; of one event loop.

    >>> AsyncClient("http://localhost:8000", retries=-1)
    Traceback (most recent call last):
        ...
    vitrina.base.errors.ParameterError: The 'retries' of a client must be 0 or more. Got -1.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 10.0, retries: int = 8) -> None:
        self._http = httpx.AsyncClient(**_connection(url, key, timeout, retries))
        self._retries = retries

    async def recommend(self, user: Id | None = None, **asked: Any) -> RecommendAnswer:
        return await self._take(step.recommend(self._retries, user, asked))

    async def search(self, text: str, **asked: Any) -> RecommendAnswer:
        return await self._take(step.search(self._retries, text, asked))

    async def answer(self, question: str, **asked: Any) -> AnswerAnswer:
        return await self._take(step.answer(self._retries, question, asked))

    async def similar(self, item: Id, **asked: Any) -> RecommendAnswer:
        return await self._take(step.similar(self._retries, item, asked))

    async def send(self, events: Given | Iterable[Given]) -> BatchAnswer:
        return await self._take(step.send(self._retries, events))

    async def put_items(self, items: Given | Iterable[Given]) -> BatchAnswer:
        return await self._take(step.put_items(self._retries, items))

    async def put_users(self, users: Given | Iterable[Given]) -> BatchAnswer:
        return await self._take(step.put_users(self._retries, users))

    async def erase(self, user: Id) -> ErasedAnswer:
        return await self._take(step.erase(self._retries, user))

    async def load_model(self, folder: str, scenario: str = "default") -> ModelAnswer:
        return await self._take(step.change_model(self._retries, scenario, ModelRequest(folder=folder)))

    async def roll_back(self, scenario: str = "default") -> ModelAnswer:
        return await self._take(step.change_model(self._retries, scenario, ModelRequest(rollback=True)))

    async def health(self) -> Health:
        return await self._take(step.health())

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def _take(self, steps: Steps[T]) -> T:
        reply: Reply | None = None
        while True:
            try:
                next_one = steps.send(reply)
            except StopIteration as done:
                return done.value
            reply = await (asyncio.sleep(next_one.seconds) if isinstance(next_one, Pause) else self._reply(next_one))

    async def _reply(self, call: Call) -> Reply:
        try:
            return _told(await self._http.request(call.method, call.path, content=call.body))
        except httpx.TransportError as error:
            return _failed(error)


def _connection(url: str, key: str | None, timeout: float, retries: int) -> dict[str, Any]:
    """How both speak HTTP."""
    if not url.startswith(("http://", "https://")):
        raise ParameterError(
            f"The 'url' of a client must begin with http:// or https://. Got {url!r}.", owner="Client", parameter="url", value=url
        )
    if retries < 0:
        raise ParameterError(
            f"The 'retries' of a client must be 0 or more. Got {retries}.", owner="Client", parameter="retries", value=retries
        )
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    return {"base_url": url.rstrip("/"), "headers": headers, "timeout": timeout}


def _told(response: httpx.Response) -> Reply:
    wait = response.headers.get("Retry-After", "")
    return Reply(response.status_code, response.content, float(wait) if wait.isdecimal() else 0.0)


def _failed(error: httpx.TransportError) -> Reply:
    """Where no connection was made, nothing has arrived."""
    nothing = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
    return Reply(None, failure=str(error) or type(error).__name__, arrived=not nothing)
