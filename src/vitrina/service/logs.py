"""What a service says while it runs: a line per request and per event of its life, as JSON or for people. Never a key, never a body."""

from __future__ import annotations

import logging
import queue
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any, TextIO, final

from msgspec.json import encode

from vitrina.service.settings import without_password

LOGGER = logging.getLogger("vitrina.service")
MOST_WAITING = 10_000  # lines; where the reader is slower, lines are lost and counted, and requests don't wait
TOGETHER = 0.02  # seconds that a line waits for others: the thread that writes isn't woken, nor a request held up by it, for each
MOST_TOGETHER = 100  # lines
SAME = 60.0  # seconds in which an error's trace is shown once
SECRETS = re.compile(r"\bvt_[\w-]{20,}|\b\w+://[^\s/@]*@\S*")  # keys, addresses with a password


def say(message: str, **fields: Any) -> None:
    """A line about the service itself."""
    LOGGER.info(message, extra={"fields": fields})


def warn(message: str, **fields: Any) -> None:
    """A line about what an operator should look at."""
    LOGGER.warning(message, extra={"fields": fields})


def request(
    request_id: str, method: str, route: str, status: int, seconds: float, *, tenant: str | None = None, key: str | None = None
) -> None:
    """A request was answered; `route` is its pattern, and `key` the name of the key."""
    if LOGGER.isEnabledFor(logging.INFO):
        fields = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "tenant": tenant,
            "key": key,
        }
        LOGGER.info("request", extra={"fields": {name: value for name, value in fields.items() if value is not None}})


def error(message: str, problem: BaseException, **fields: Any) -> None:
    """Something that nobody expected; its trace comes once a minute, the line always."""
    shown = _is_due(problem)
    said = {"error": type(problem).__name__, "what": str(problem)[:300]} | fields
    LOGGER.error(message, extra={"fields": said, "trace": "".join(traceback.format_exception(problem))[-8000:] if shown else None})


def unavailable(problem: BaseException, **fields: Any) -> None:
    """Why requests are answered with 503, once a minute per reason: the lines of the requests have the status alone."""
    if _is_due(problem):
        LOGGER.warning(f"Requests are answered with 503: {problem}", extra={"fields": fields})


_SHOWN: dict[tuple[Any, ...], float] = {}  # when an error of one kind and place was shown


def _is_due(problem: BaseException) -> bool:
    """Whether an error of this kind and place wasn't shown in the last minute."""
    last = problem.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = (type(problem).__name__, *(() if last is None else (last.tb_frame.f_code.co_filename, last.tb_lineno)))
    now = time.monotonic()
    due = now - _SHOWN.get(place, -SAME) >= SAME
    if due:
        _SHOWN[place] = now
    return due


def redacted(text: str) -> str:
    """A text without what looks like a key or a password.

    >>> redacted("no answer from postgresql://ann:secret@db/shop for vt_0123456789abcdefghijklm")
    'no answer from postgresql://ann@db/shop for vt_...'
    """
    return SECRETS.sub(lambda found: without_password(found[0]) if "://" in found[0] else "vt_...", text)


@final
class AsJson(logging.Formatter):
    """A line of JSON: time, level, message, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "message": record.getMessage(), **_fields(record)}
        if trace := _trace(record):
            line["trace"] = trace
        return _last(record, encode(line, enc_hook=str).decode())


@final
class AsText(logging.Formatter):
    """A line for people; a request is its status, route and time."""

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(_fields(record))
        said = record.getMessage()
        if said == "request":
            said = f"{fields.pop('status')} {fields.pop('method')} {fields.pop('route')} {fields.pop('ms')} ms"
        elif record.levelno > logging.INFO:
            said = f"{record.levelname.capitalize()}: {said}"
        more = "".join(f" {name}={value}" for name, value in fields.items())
        trace = _trace(record)
        return _last(record, f"{_time(record)[11:19]} {said}{more}" + (f"\n{trace.rstrip()}" if trace else ""))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    return getattr(record, "fields", {})


def _trace(record: logging.LogRecord) -> str | None:
    """Of an error of ours, or of one that a library logs."""
    return "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else getattr(record, "trace", None)


def _last(record: logging.LogRecord, line: str) -> str:
    """A request's line has nothing in it that came from outside; any other is looked through."""
    return line if record.msg == "request" else redacted(line)


@final
class _Dropping(QueueHandler):
    """Hands lines to a thread; what doesn't fit is counted."""

    lost = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.lost += 1

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # nothing in it changes, and it stays in this process


@final
class _Together(QueueListener):
    """Writes the lines that wait at once."""

    def _monitor(self) -> None:
        ended = False
        while not ended:
            records = [self.dequeue(True)]
            if self.queue.qsize() < MOST_TOGETHER:  # type: ignore[attr-defined]
                time.sleep(TOGETHER)
            while len(records) < MOST_TOGETHER and not self.queue.empty():  # type: ignore[attr-defined]
                records.append(self.dequeue(False))
            ended = self._sentinel in records  # type: ignore[attr-defined]
            self._write([record for record in records if record is not self._sentinel])  # type: ignore[attr-defined]

    def _write(self, records: list[logging.LogRecord]) -> None:
        for handler in self.handlers:
            assert isinstance(handler, logging.StreamHandler)
            try:
                handler.stream.write("".join(handler.format(record) + handler.terminator for record in records))
                handler.flush()
            except Exception:
                handler.handleError(records[-1])


@contextmanager
def written(form: str, stream: TextIO | None = None) -> Iterator[None]:
    """Write what is logged inside, by a thread of its own.

    Args:
        form: "json", "text", or "auto": text on a terminal.
        stream: standard error by default.
    """
    target: TextIO = sys.stderr if stream is None else stream
    writer = logging.StreamHandler(target)
    writer.setFormatter(AsText() if form == "text" or (form == "auto" and target.isatty()) else AsJson())
    lines: queue.Queue[logging.LogRecord] = queue.Queue(MOST_WAITING)
    handler, listener = _Dropping(lines), _Together(lines, writer)
    loggers = {LOGGER: logging.INFO, logging.getLogger("uvicorn"): logging.WARNING, logging.getLogger("asyncio"): logging.WARNING}
    before = {logger: (logger.level, logger.propagate) for logger in loggers}
    for logger, level in loggers.items():
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    listener.start()
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.level, logger.propagate = before[logger]
        if handler.lost:
            handler.enqueue(
                LOGGER.makeRecord(
                    LOGGER.name, logging.WARNING, "", 0, f"{handler.lost:,} lines of the log were lost: its reader is too slow", (), None
                )
            )
        listener.stop()
