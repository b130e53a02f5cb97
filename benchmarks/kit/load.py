"""A load generator in a process of its own: HTTP/1.1 over kept connections, at a rate that doesn't wait for the answers, or as quickly as they come.

At a fixed rate request n is due at start + n / rate, whatever became of those before it, and its latency counts from that moment: a server that stalls for a second has
a second in its percentiles, where a generator that waits for answers would have sent nothing and seen nothing ("coordinated omission"). Timers are good to a millisecond,
which is part of the latency. `hammer` starts it; by itself it reads a `Plan` as JSON from its input.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.kit.places import ROOT

NUMBER = "@" * 12  # in a body: replaced by a number that no other request has
GRACE = 3.0  # seconds for the last answers
TICK = 0.001  # seconds: a loop's timers know no finer ones
clock = time.perf_counter  # the loop's own stands still within a round


@dataclass(frozen=True)
class Request:
    """One of those that are sent in turn; percentiles are told for each `label` too."""

    path: str
    body: Any = None  # JSON; None: none
    method: str = "POST"
    label: str = ""

    def raw(self, host: str, key: str | None) -> str:
        body = "" if self.body is None else json.dumps(self.body, separators=(",", ":"))
        auth = f"Authorization: Bearer {key}\r\n" if key else ""
        kind = "Content-Type: application/json\r\n" if body else ""
        return f"{self.method} {self.path} HTTP/1.1\r\nHost: {host}\r\n{auth}{kind}Content-Length: {len(body.encode())}\r\n\r\n{body}"


@dataclass(frozen=True)
class Loaded:
    """What came of it.

    Args:
        rate: good answers per second while it was measured.
        sent, answered: requests that were due and those with a good answer, while it was measured.
        p50, p95, p99, most: latency in milliseconds, unanswered requests with the time that they had.
        errors: how many by the status, "lost" (the connection ended) or "unanswered".
        labels: answered, p50 and p99 by the label of the request.
        processor: seconds of the processor that the generator took per second.
        body: of the last good answer.
    """

    rate: float
    sent: int
    answered: int
    p50: float
    p95: float
    p99: float
    most: float
    errors: Mapping[str, int]
    labels: Mapping[str, Any]
    processor: float
    body: str

    def holds(self, rate: float, p99: float) -> bool:
        """Whether everything was answered well, at the rate, within so many milliseconds."""
        return not self.errors and self.p99 <= p99 and self.rate >= 0.98 * rate


def hammer(
    port: int,
    requests: Sequence[Request],
    *,
    rate: float = 0,
    seconds: float,
    warmup: float = 1,
    connections: int = 64,
    key: str | None = None,
) -> Loaded:
    """Send requests in turn to 127.0.0.1 from a process of its own; without a rate each connection sends its next one as soon as it has its answer."""
    raw = [(request.raw(f"127.0.0.1:{port}", key), request.label) for request in requests]
    plan = {"port": port, "requests": raw, "rate": rate, "seconds": seconds, "warmup": warmup, "connections": connections}
    command = [sys.executable, "-m", "benchmarks.kit.load"]
    done = subprocess.run(command, input=json.dumps(plan), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"The load generator failed:\n{done.stderr[-3000:]}")
    return Loaded(**json.loads(done.stdout))


@dataclass
class _Run:
    """The state of a run: what is due, what waits for a connection, what came back."""

    port: int
    requests: list[tuple[str, str]]
    rate: float
    seconds: float
    warmup: float
    connections: int
    free: list[_Line] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)
    due: int = 0  # how many requests were due up to now
    spent: list[tuple[float, str]] = field(default_factory=list)  # seconds and label of what was measured
    good: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    body: bytes = b""

    async def go(self) -> dict[str, Any]:
        self.loop = asyncio.get_running_loop()
        self.raw = [(text.encode(), label) for text, label in self.requests]
        self.base = time.time_ns() // 1_000_000 % 10**9 * 1000  # of the numbers in bodies: another run has others
        for _ in range(self.connections):
            await self.connect()
        self.start = clock() + 0.05
        self.measured = self.start + self.warmup
        self.end = self.measured + self.seconds
        (self.pump if self.rate else self.fill)()
        await asyncio.sleep(self.measured - clock())
        before = _processor()
        await asyncio.sleep(self.end - clock())
        processor = (_processor() - before) / self.seconds
        last = self.end + GRACE
        while clock() < last and (self.waiting or len(self.free) < self.connections):
            await asyncio.sleep(0.01)
        self.give_up()
        return asdict(self.told(processor))

    async def connect(self) -> None:
        _, line = await self.loop.create_connection(lambda: _Line(self), "127.0.0.1", self.port)
        self.free.append(line)

    def pump(self) -> None:
        """Queue what is due by now, and come again when the next is."""
        now = clock()
        while (due := self.start + self.due / self.rate) <= now and due < self.end:
            self.waiting.append(self.due)
            self.due += 1
        self.fill()
        if due < self.end:
            self.loop.call_later(max(due - now, TICK), self.pump)

    def fill(self) -> None:
        while self.free and (self.waiting if self.rate else clock() < self.end):
            number = self.waiting.popleft() if self.rate else self.due
            self.due += not self.rate
            raw, _ = self.raw[number % len(self.raw)]
            due = self.start + number / self.rate if self.rate else clock()
            self.free.pop().send(raw.replace(NUMBER.encode(), b"%012d" % (self.base + number)), number, due)

    def answered(self, line: _Line, status: bytes, body: bytes) -> None:
        ok = status.startswith(b"2")
        self.count(line.number, line.due, None if ok else status.decode())
        self.body = body if ok else self.body
        self.free.append(line)
        self.fill()

    def lost(self, line: _Line) -> None:
        self.count(line.number, line.due, "lost")
        self.loop.create_task(self.connect())

    def count(self, number: int, due: float, error: str | None) -> None:
        if not self.measured <= due < self.end:
            return
        label = self.requests[number % len(self.requests)][1]
        self.spent.append((clock() - due, label))
        if error is None:
            self.good[label] += 1
        else:
            self.errors[error] += 1

    def give_up(self) -> None:
        for line in _Line.busy:
            self.count(line.number, line.due, "unanswered")
        for number in self.waiting:
            self.count(number, self.start + number / self.rate, "unanswered")

    def told(self, processor: float) -> Loaded:
        spent = sorted(seconds for seconds, _ in self.spent)
        labels = {}
        for name in sorted({label for _, label in self.spent if label}):
            own = sorted(seconds for seconds, label in self.spent if label == name)
            labels[name] = {"answered": self.good[name], "p50": _at(own, 0.5), "p99": _at(own, 0.99)}
        answered = sum(self.good.values())
        return Loaded(
            answered / self.seconds, len(spent), answered, *(_at(spent, share) for share in (0.5, 0.95, 0.99, 1)), dict(self.errors), labels,
            processor, self.body.decode(errors="replace"),
        )  # fmt: skip


class _Line(asyncio.Protocol):
    """A kept connection, with one request at a time."""

    busy: set[_Line] = set()  # noqa: RUF012

    def __init__(self, run: _Run) -> None:
        self.run, self.seen, self.size = run, b"", -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, raw: bytes, number: int, due: float) -> None:
        self.number, self.due = number, due
        self.busy.add(self)
        self.transport.write(raw)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if self.size < 0:
            head = self.seen.find(b"\r\n\r\n")
            if head < 0:
                return
            named = self.seen[:head].lower().partition(b"content-length:")[2]
            self.size = head + 4 + int(named.partition(b"\r")[0] or 0)
        if len(self.seen) < self.size:
            return
        seen, size = self.seen, self.size
        self.seen, self.size = b"", -1
        self.busy.discard(self)
        self.run.answered(self, seen[9:12], seen[:size].partition(b"\r\n\r\n")[2])

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.busy:
            self.busy.discard(self)
            self.run.lost(self)
        elif self in self.run.free:
            self.run.free.remove(self)
            self.run.loop.create_task(self.run.connect())


def _at(ordered: Sequence[float], share: float) -> float:
    """A quantile in milliseconds; 0 of nothing."""
    return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    plan = json.load(sys.stdin)
    gc.disable()
    try:
        import uvloop  # half the cost per request
    except ImportError:
        print(json.dumps(asyncio.run(_Run(**plan).go())))
    else:
        print(json.dumps(uvloop.run(_Run(**plan).go())))


if __name__ == "__main__":
    main()
