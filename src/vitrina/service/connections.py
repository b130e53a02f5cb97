"""Connections of the server, with limits that uvicorn lacks: the size of headers, and how long they may take to come."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vitrina.service.problems import RefusedError

MOST_HEADERS = 32_768  # bytes of the first line and the headers
MOST_PENDING = 1 << 19  # bytes that came before headers are whole; a read of the socket may hold a body before them
HEADER_SECONDS = 10.0
TOO_LARGE = f"The headers may have {MOST_HEADERS:,} bytes. Send what is longer in the body."


class Connection(HttpToolsProtocol):
    """A connection of uvicorn; `uvicorn.Config(..., http=Connection)`. What isn't HTTP is answered by a `Problem`, and the connection ends."""

    _size = _pending = 0
    _timer: asyncio.TimerHandle | None = None
    _unused: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unused = self.loop.call_later(
            self.timeout_keep_alive, transport.close
        )  # opened beforehand, it may be used as long as one between two requests

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._used()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._unused is not None:
            self._used()
            self._wait_for_headers()
        super().data_received(data)
        if self._timer is None:
            self._pending = 0
            if self.timeout_keep_alive_task is None and (self.cycle is None or self.cycle.response_complete):
                self._wait_for_headers()  # of bytes between two requests, which no timer of uvicorn ends
            return
        self._pending += len(data)
        if self._pending > MOST_PENDING:
            self._refuse(431, TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._size = 0
        self._wait_for_headers()

    def on_url(self, url: bytes) -> None:
        self._grown(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grown(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "This is not a request of HTTP/1.1 that can be read. Send it by an HTTP client.")

    def _grown(self, size: int) -> None:
        self._size += size
        if self._size > MOST_HEADERS:
            self._refuse(431, TOO_LARGE)
            raise ValueError(TOO_LARGE)  # the parser stops

    def _used(self) -> None:
        if self._unused is not None:
            self._unused.cancel()
            self._unused = None

    def _wait_for_headers(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(
                HEADER_SECONDS, self._refuse, 408, f"The headers didn't come within {HEADER_SECONDS:g} s. Send them at once."
            )

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int, message: str) -> None:
        """Say what is wrong and end the connection; where an earlier answer is still on its way, only end it: ours would be taken for that."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        if not self.pipeline and (self.cycle is None or self.cycle.response_complete or not self.cycle.response_started):
            body = RefusedError(status, message).body(None)
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        self.transport.close()
