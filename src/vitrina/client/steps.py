"""What is asked of the service, when it is asked again, and what comes of it, with no line to it: a client takes the steps, waiting as its kind waits."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import uniform
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from vitrina.base.errors import VitrinaError
from vitrina.client.rows import Given, encoded, rows_of, struct_of
from vitrina.wire import (
    MOST_EVENTS,
    AnswerAnswer,
    AnswerRequest,
    BatchAnswer,
    ErasedAnswer,
    EventIn,
    Health,
    Id,
    ItemIn,
    ModelAnswer,
    ModelRequest,
    Problem,
    RecommendAnswer,
    RecommendRequest,
    RowResult,
    SearchRequest,
    SimilarRequest,
    UserIn,
)

T = TypeVar("T")

NOT_READY = 503
BUSY = frozenset({429, 502, 503, 504})  # nothing was done, or nobody knows: the same may be asked again
TOO_LARGE = 413
MOST_BYTES = 1 << 20  # of the rows of a batch; a service takes twice that by default
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0  # seconds between tries
LONGEST_WAIT = 60.0  # seconds that a service may ask to wait, or the client gives up at once


class ClientError(VitrinaError):
    """The service refused, or couldn't be reached.

    Args:
        status: of HTTP; None where there was no answer.
        problem: what the service said, where it said something.
    """

    def __init__(self, message: str, *, status: int | None = None, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.status, self.problem = status, problem


class NotAcknowledgedError(ClientError):
    """Some rows were not acknowledged: they may have been kept or not, and it is safe to send them again.

    Args:
        rows: the structs as they were sent, events with their ids; in their order.
        answer: what became of the rows before them.
    """

    def __init__(self, cause: ClientError, rows: Sequence[Any], answer: BatchAnswer) -> None:
        total = len(rows) + len(answer.results)
        message = (
            f"{len(rows)} of {total} rows were not acknowledged: they are the 'rows' of this error, to be sent again as they are. {cause}"
        )
        super().__init__(message, status=cause.status, problem=cause.problem)
        self.rows, self.answer = list(rows), answer


@dataclass(frozen=True, slots=True)
class Call:
    """A request to make. `once`: where it may have arrived, it isn't made again, as that would do it twice."""

    method: str
    path: str
    body: bytes | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; or, without a status, the failure that came instead, and whether the request may have arrived."""

    status: int | None
    body: bytes = b""
    retry_after: float = 0.0
    failure: str = ""
    arrived: bool = True


Steps = Generator[Call | Pause, Reply | None, T]


def recommend(retries: int, user: Id | None, asked: Mapping[str, Any]) -> Steps[RecommendAnswer]:
    """A list for a person."""
    request = struct_of(RecommendRequest, {"user": user, **asked})
    return (yield from _asked(retries, Call("POST", "/v1/recommend", encoded(request)), RecommendAnswer))


def search(retries: int, text: str, asked: Mapping[str, Any]) -> Steps[RecommendAnswer]:
    """What is found for a text."""
    request = struct_of(SearchRequest, {"text": text, **asked})
    return (yield from _asked(retries, Call("POST", "/v1/search", encoded(request)), RecommendAnswer))


def answer(retries: int, question: str, asked: Mapping[str, Any]) -> Steps[AnswerAnswer]:
    """What comes of a question."""
    request = struct_of(AnswerRequest, {"question": question, **asked})
    return (yield from _asked(retries, Call("POST", "/v1/answer", encoded(request)), AnswerAnswer))


def similar(retries: int, item: Id, asked: Mapping[str, Any]) -> Steps[RecommendAnswer]:
    """Items that are like one."""
    request = struct_of(SimilarRequest, {"item": item, **asked})
    return (yield from _asked(retries, Call("POST", "/v1/similar", encoded(request)), RecommendAnswer))


def send(retries: int, events: Given | Iterable[Given]) -> Steps[BatchAnswer]:
    """What happened."""
    return (yield from _sent(retries, "POST", "events", rows_of(EventIn, events)))


def put_items(retries: int, items: Given | Iterable[Given]) -> Steps[BatchAnswer]:
    """Columns of items."""
    return (yield from _sent(retries, "PUT", "items", rows_of(ItemIn, items)))


def put_users(retries: int, users: Given | Iterable[Given]) -> Steps[BatchAnswer]:
    """Columns of people."""
    return (yield from _sent(retries, "PUT", "users", rows_of(UserIn, users)))


def erase(retries: int, user: Id) -> Steps[ErasedAnswer]:
    """A person is forgotten."""
    return (yield from _asked(retries, Call("DELETE", f"/v1/users/{quote(str(user), safe='')}"), ErasedAnswer))


def change_model(retries: int, scenario: str, request: ModelRequest) -> Steps[ModelAnswer]:
    """Another model for a scenario, or the one before."""
    call = Call("POST", f"/v1/models/{quote(scenario, safe='')}", encoded(request), once=request.rollback)
    return (yield from _asked(retries, call, ModelAnswer))


def health() -> Steps[Health]:
    """Whether it is ready; that it isn't is an answer too, and isn't waited out."""
    call = Call("GET", "/v1/health/ready")
    reply = yield call
    assert reply is not None
    return _decoded(call, replace(reply, status=200) if reply.status == NOT_READY else reply, Health)


def _asked(retries: int, call: Call, kind: type[T]) -> Steps[T]:
    return _decoded(call, (yield from _tried(retries, call)), kind)


def _sent(retries: int, method: str, name: str, rows: Sequence[Any]) -> Steps[BatchAnswer]:
    """Rows in batches, one after the other; a batch that is still too large in halves."""
    done: list[RowResult] = []
    told = [encoded(row) for row in rows]
    waiting = _batches([len(row) for row in told])[::-1]
    while waiting:
        begin, end = waiting.pop()
        call = Call(method, f"/v1/{name}", b'{"%s":[%s]}' % (name.encode(), b",".join(told[begin:end])))
        try:
            reply = yield from _tried(retries, call)
            if reply.status == TOO_LARGE and end - begin > 1:
                middle = (begin + end) // 2
                waiting += [(middle, end), (begin, middle)]
                continue
            done += _decoded(call, reply, BatchAnswer).results
        except ClientError as error:
            raise NotAcknowledgedError(error, rows[begin:], BatchAnswer.of(done)) from None
    return BatchAnswer.of(done)


def _batches(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """The first row and the one after the last of each batch, of rows with so many bytes.

    >>> _batches([10, MOST_BYTES - 10, 5])
    [(0, 2), (2, 3)]
    """
    batches, begin, size = [], 0, 0
    for at, bytes_of_row in enumerate(sizes):
        if at > begin and (at - begin == MOST_EVENTS or size + bytes_of_row > MOST_BYTES):
            batches.append((begin, at))
            begin, size = at, 0
        size += bytes_of_row
    return [*batches, (begin, len(sizes))] if sizes else []


def _tried(retries: int, call: Call) -> Steps[Reply]:
    """Ask until there is an answer that asking again wouldn't change; pauses double, are never shorter than the service asks for, and differ per client."""
    for tries in range(1, retries + 2):
        reply = yield call
        assert reply is not None
        if reply.status is not None and reply.status not in BUSY:
            return reply
        if tries > retries or reply.retry_after > LONGEST_WAIT or (call.once and reply.status is None and reply.arrived):
            raise _error(call, reply, tries)
        yield Pause(max(reply.retry_after, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tries - 1))) * uniform(1.0, 1.5))
    raise AssertionError


def _decoded(call: Call, reply: Reply, kind: type[T]) -> T:
    if reply.status is None or not 200 <= reply.status < 300:
        raise _error(call, reply, 1)
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except msgspec.DecodeError as error:  # a ValidationError is one
        message = f"What answered {call.method} {call.path} isn't this service: {error}. Look at the client's 'url'."
        raise ClientError(message, status=reply.status) from None


def _error(call: Call, reply: Reply, tries: int) -> ClientError:
    """The sentence of a refusal, or of a silence."""
    where = f"{call.method} {call.path}"
    often = f" after {tries} tries" if tries > 1 else ""
    if reply.status is None:
        return ClientError(f"{where} has no answer{often}: {reply.failure}. Look whether the service runs, and at the client's 'url'.")
    try:
        problem = msgspec.json.decode(reply.body, type=Problem)
    except msgspec.DecodeError:
        return ClientError(f"{where} was answered with status {reply.status}{often}, and no reason.", status=reply.status)
    return ClientError(f"{where} was refused{often}: {problem.message}", status=reply.status, problem=problem)
