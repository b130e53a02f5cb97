"""Refusals over HTTP: which error is which status, with the sentence that it has anyway."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from msgspec.json import encode

from vitrina.base.errors import MemoryBudgetError, MissingExtraError, VitrinaError, WriteError
from vitrina.service.batcher import TooBusyError
from vitrina.service.store.base import StoreUnavailableError
from vitrina.wire import Problem

Header = tuple[bytes, bytes]

WORDS = {
    400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "not_allowed", 408: "too_slow", 409: "conflict", 413: "too_large", 415: "unsupported",
    422: "invalid", 429: "too_many", 431: "too_large", 500: "internal", 503: "unavailable",
}  # fmt: skip
AGAIN = 1.0  # seconds until a database that was away, or a disk that was full, is asked again


class RefusedError(VitrinaError):
    """A request that is not answered as it is.

    Args:
        status: of HTTP, one of `WORDS`.
        message: a sentence with the remedy.
        retry_after: seconds, where trying again helps.
        headers: that go with it.
    """

    def __init__(self, status: int, message: str, *, retry_after: float | None = None, headers: Sequence[Header] = ()) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after
        self.headers = [*headers, (b"retry-after", b"%d" % -(-retry_after // 1))] if retry_after is not None else [*headers]

    def body(self, request_id: str | None) -> bytes:
        """The `Problem` as JSON."""
        again = UNSET if self.retry_after is None else self.retry_after
        return encode(Problem(WORDS[self.status], str(self), again, request_id))


def refusal_of(error: BaseException) -> RefusedError | None:
    """The refusal that an error of Vitrina is; None for one that nobody raised on purpose.

    >>> from vitrina.base.errors import ParameterError
    >>> refusal_of(ParameterError("The 'k' is too large.")).status, refusal_of(TooBusyError(1000, 1.0)).status, refusal_of(KeyError("k"))
    (422, 503, None)
    """
    match error:
        case RefusedError():
            return error
        case StoreUnavailableError() | WriteError() | TooBusyError():
            return RefusedError(503, str(error), retry_after=error.retry_after if isinstance(error, TooBusyError) else AGAIN)
        case MemoryBudgetError() | MissingExtraError():
            return RefusedError(503, str(error))
        case VitrinaError():
            return RefusedError(422, str(error))
    return None
