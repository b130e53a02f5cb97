"""A line to an endpoint: one request, made again while that helps, with one deadline per try."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import uniform
from threading import Lock
from typing import Any, final

from vitrina.base.errors import MissingExtraError
from vitrina.language.errors import UnreachableError

AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between tries, each drawn from 0 to twice the one before
LONGEST_WAIT = 120.0  # seconds that a server may ask to wait, or the call is given up at once
MOST_BYTES = 8 << 20  # of an answer
SHOWN = 300  # letters of what a server said
HINTS = {
    400: "If it refuses the schema, set response_format='json_object'.",
    401: "Look at the key in the environment variable of 'key_variable'.",
    403: "Look at the rights of the key.",
    404: "Look at the 'url', which ends before /chat/completions, and at the name of the 'model'.",
    413: "Ask with a shorter context.",
}


class _TryAgainError(Exception):
    """This try failed, another one may not; what happened, and how long the server asks to wait."""

    def __init__(self, told: str, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(told)
        self.status, self.wait = status, wait


@final
@dataclass
class Line:
    """Connections to one endpoint, shared by threads; opened when first used."""

    url: str
    timeout: float
    retries: int
    path: str = "/chat/completions"
    _client: Any = None
    _lock: Lock = field(default_factory=Lock, repr=False)

    def post(self, body: dict[str, Any], key: str | None) -> Any:
        """The JSON that came back.

        Raises:
            UnreachableError: refused, or no answer after all tries.
        """
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        for tried in range(self.retries + 1):
            try:
                return self._once(content, headers, key)
            except _TryAgainError as failed:
                ceiling = min(FIRST_PAUSE * 2**tried, LONGEST_PAUSE)
                wait = uniform(0, ceiling) if failed.wait is None else failed.wait + uniform(0, 0.1 * failed.wait)
                if tried == self.retries or wait > LONGEST_WAIT:
                    asked = f" The server asks to wait {failed.wait:.0f} seconds." if wait > LONGEST_WAIT else ""
                    raise UnreachableError(
                        f"{self.url} gave no answer in {tried + 1} tries of {self.timeout:g} seconds, the last: {failed}.{asked} "
                        "Look whether it is up; raise 'timeout' or 'retries' where it is slow or busy.", status=failed.status,
                    ) from None  # fmt: skip
                time.sleep(wait)
        raise AssertionError("a try returns or raises")

    def _once(self, content: bytes, headers: dict[str, str], key: str | None) -> Any:
        httpx = require_httpx()
        until = time.monotonic() + self.timeout
        parts, size = [], 0
        try:
            with self._open(httpx).stream("POST", f"{self.url}{self.path}", content=content, headers=headers) as response:
                for part in response.iter_bytes():  # each read has the time-out of httpx, all of them together ours
                    parts.append(part)
                    size += len(part)
                    if time.monotonic() > until:
                        raise _TryAgainError("the answer took too long")
                    if size > MOST_BYTES:
                        raise UnreachableError(
                            f"{self.url} answered with more than {MOST_BYTES >> 20} MiB: it is no answer of this protocol.", status=200
                        )
        except httpx.TimeoutException:
            raise _TryAgainError("it took too long") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _TryAgainError(_without(key, f"{type(error).__name__}: {error}")) from None
        return _read(self.url, response.status_code, b"".join(parts), response.headers, key)

    def _open(self, httpx: Any) -> Any:
        with self._lock:
            if self._client is None:
                self._client = httpx.Client(timeout=self.timeout, follow_redirects=False)  # a key goes nowhere else
            return self._client


def _read(url: str, status: int, content: bytes, headers: Any, key: str | None) -> Any:
    said = _without(key, " ".join(content.decode("utf-8", "replace").split()))[:SHOWN]
    if status in AGAIN and "insufficient_quota" not in said:
        raise _TryAgainError(f"{status} {said}".strip(), status, _seconds(headers.get("retry-after")))
    if not 200 <= status < 300:
        raise UnreachableError(f"{url} refused with {status}: {said or 'without a word'}. {HINTS.get(status, '')}".strip(), status=status)
    try:
        return json.loads(content)
    except ValueError:
        raise _TryAgainError(f"the answer is no JSON: {said!r}", status) from None


def _seconds(after: str | None) -> float | None:
    """What Retry-After asks for: seconds, or a date."""
    if after is None:
        return None
    try:
        return max(float(after), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _without(key: str | None, text: str) -> str:
    """Servers like to repeat the key that they refuse."""
    return text.replace(key, "[key]") if key else text


def require_httpx() -> Any:
    """The module; it is an extra."""
    try:
        import httpx  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError.of("httpx", "language", "A language model behind HTTP") from None
    return httpx
