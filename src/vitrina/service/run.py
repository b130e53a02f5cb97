"""Start a service, listen, and stop it so that nothing is lost: one process, one event loop, two ports."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple, TypeVar, final

import uvicorn
from msgspec.json import encode

from vitrina.base.errors import ParameterError
from vitrina.data.dataset import Dataset
from vitrina.report.words import plural
from vitrina.service import logs
from vitrina.service.app import admin, application
from vitrina.service.background import Background
from vitrina.service.connections import Connection
from vitrina.service.service import Service
from vitrina.service.settings import Settings, without_password
from vitrina.service.tracing import Tracing
from vitrina.wire import Health, Problem

T = TypeVar("T")
Tell = Callable[[str], None]
Logs = Callable[[], Mapping[str, Dataset]]

LIVE, READY = "/v1/health/live", "/v1/health/ready"
BACKLOG = 2048  # connections that wait to be accepted
KEEP_ALIVE = 75  # seconds that an idle connection stays: longer than the 60 s of usual load balancers, so that they end it first
SWITCH = 0.0005  # seconds that a thread of Python runs while another wants to: with the usual 5 ms a short request waits for whole batches of the model
INTERRUPTED = 130  # exit code of a start that was broken off by Ctrl-C


@final
class Door:
    """Stands before an application: while there is none, or it is about to end, it says so; whoever asks whether the process lives gets an answer always."""

    def __init__(self) -> None:
        self.inner: Any = None
        self.closed: str | None = "The service is starting."

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if self.inner is not None and not (self.closed and scope.get("path") == READY):
            await self.inner(scope, receive, send)
        elif scope["type"] == "http":
            await self._say(scope["path"], send)
        else:
            await send({"type": "websocket.close", "code": 1013})

    async def _say(self, path: str, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        reason = self.closed or "The service is starting."
        status, answer = 503, Problem("unavailable", f"{reason} Come again in a moment.", 1.0)
        if path == LIVE:
            status, answer = 200, Health("live")
        elif path == READY:
            answer = Health("not ready", [reason])
        body = encode(answer)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"retry-after", b"1"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@final
class Signals:
    """SIGTERM and SIGINT: the first asks the service to stop, the second ends the process at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.first: signal.Signals | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, self._came, one)
        try:
            yield
        finally:
            for one in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(one)

    def _came(self, one: signal.Signals) -> None:
        if self.first is not None:
            os._exit(128 + one)
        self.first = one
        self.asked.set()


class Ended(NamedTuple):
    """How a service ended: the exit code, and whether it had been ready. Where it hadn't, a thread may still read a log, in code that aborts a process that ends around it."""

    code: int
    was_ready: bool


@final
class _Server(uvicorn.Server):
    """Uvicorn, which leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(settings: Settings, read_logs: Logs, tell: Tell) -> Ended:
    """Serve until a signal comes.

    Args:
        read_logs: reads the histories at the start; called in a thread, after the ports are open.
        tell: prints a line for whoever has typed the command.

    Raises:
        ParameterError: a port is taken, or an address isn't of this machine.
        VitrinaError: whatever `Service.open` and `read_logs` refuse.
    """
    import uvloop  # noqa: PLC0415  there is none on Windows

    sys.setswitchinterval(SWITCH)
    os.umask(os.umask(0o077) | 0o007)  # others on this machine read nothing of what people did, in whatever folder
    with logs.written(settings.logs), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, read_logs, tell))


async def _serve(settings: Settings, read_logs: Logs, tell: Tell) -> Ended:
    signals, doors = Signals(), (Door(), Door())
    with signals.caught():
        async with contextlib.AsyncExitStack() as stack:
            if settings.admin_port is not None:  # the first to come and the last to go
                at = await stack.enter_async_context(
                    _listening(doors[1], settings.admin_host, settings.admin_port, "--admin-port", settings)
                )
                tell(f"Health and metrics: {at}/metrics")
            public = _listening(doors[0], settings.host, settings.port, "--port", settings)
            async with public as at:
                opening = asyncio.create_task(_opened(settings, read_logs, tell))
                if not await _first(opening, signals):
                    return _broken_off(signals)
                service = opening.result()
                gc.collect()
                gc.freeze()  # histories and models stay: no collection walks through them again
                stack.push_async_callback(_closed, service, settings)
                tracing = Tracing(settings.telemetry) if settings.telemetry.endpoint else None
                _open_doors(doors, service, tracing)
                background = asyncio.create_task(Background(service).run())
                _tell_ready(settings, at, tell)
                await signals.asked.wait()
                assert signals.first is not None
                logs.say("stopping", signal=signals.first.name)
                tell("Stopping: requests that run are answered, what waits is written. Again to end at once.")
                for door in doors:
                    door.closed = "The service is stopping."
                background.cancel()
            if tracing is not None:
                await asyncio.to_thread(tracing.close)
    logs.say("stopped")
    tell("Stopped.")
    return Ended(0, was_ready=True)


def _open_doors(doors: tuple[Door, Door], service: Service, tracing: Tracing | None) -> None:
    for door, made in zip(doors, (application(service, tracing), admin(service)), strict=True):
        door.inner, door.closed = made, None


async def _first(opening: asyncio.Task[Service], signals: Signals) -> bool:
    """Whether the service was open before a signal came; an error of the start is raised."""
    stopping = asyncio.create_task(signals.asked.wait())
    await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if opening.done():
        opening.result()
        return True
    opening.cancel()
    await asyncio.wait({opening}, timeout=1)  # what it has begun in a thread ends with the process
    return False


def _broken_off(signals: Signals) -> Ended:
    logs.say("stopped before it was ready")
    return Ended(0 if signals.first is signal.SIGTERM else INTERRUPTED, was_ready=False)


async def _opened(settings: Settings, read_logs: Logs, tell: Tell) -> Service:
    """The log, the store and the models, in this order."""
    started = time.perf_counter()
    histories = await in_thread(read_logs)
    for tenant, data in histories.items():
        whose = "" if len(settings.tenants) == 1 else f" of the tenant {tenant!r}"
        tell(
            f"Histories{whose}: {plural(data.n_events, 'event')} of {data.n_users:,} people, from the log ({time.perf_counter() - started:.1f} s)"
        )
    service = await Service.open(settings, logs=histories)
    tell(f"Store: {without_password(settings.store)}, in {settings.state}")
    for name, tenant in service.tenants.items():
        for scenario in tenant.scenarios.values():
            version = scenario.version
            of = scenario.name if name == "default" else f"{name}/{scenario.name}"
            tell(f"Model of {of!r}: {version.model} {version.id}, from {version.folder}")
    for sentence in service.told:
        tell(sentence)
    return service


def _tell_ready(settings: Settings, at: str, tell: Tell) -> None:
    if settings.keys:
        tell(f"It answers whoever has a key: {', '.join(settings.keys)}")
    else:
        tell("Open: it answers everybody on this machine without a key, and nobody else. For others make one with: vitrina key NAME")
    tell(f"Ready: {at}  (console at /, the API at /docs; stop with Ctrl-C)")
    logs.say("ready", address=at)


async def _closed(service: Service, settings: Settings) -> None:
    """Write what waits; a database that doesn't answer isn't waited for without an end: what was acknowledged is on disk anyway."""
    try:
        await asyncio.wait_for(service.close(), settings.stop_seconds)
    except TimeoutError:
        logs.warn(
            f"The store didn't close within {settings.stop_seconds:g} s: what was shown last may not be kept. Events that were acknowledged are."
        )


@asynccontextmanager
async def _listening(app: Any, host: str, port: int, option: str, settings: Settings) -> AsyncIterator[str]:
    """A server inside; at the end it takes no more connections, and answers what runs. Gives its address."""
    bound = listen(host, port, option)
    config = uvicorn.Config(
        app, http=Connection, ws="none", lifespan="off", loop="none", log_config=None, access_log=False, server_header=False, proxy_headers=False,
        backlog=BACKLOG, timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=settings.stop_seconds,  # type: ignore[arg-type]
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve([bound]))
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{name}:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def listen(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens.

    Args:
        option: by which the command gives another port.

    Raises:
        ParameterError: the port is taken or not for us, or the address isn't of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError:
        raise ParameterError(f"There is no address {host!r} on this machine. Give another: --host 127.0.0.1") from None
    bound = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart needn't wait for old connections
        bound.bind(address)
        bound.listen(BACKLOG)  # else another process could still bind it
    except OSError as error:
        bound.close()
        raise ParameterError(_no_port(host, port, option, error)) from None
    bound.setblocking(False)
    return bound


def _no_port(host: str, port: int, option: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"Ports below 1024 are the system's: {port} can't be taken. Give another: {option} 8000"
    if error.errno == errno.EADDRINUSE:
        return f"The port {port} of {host} is taken by another program. Give another: {option} {port + 10}, or {option} 0 for a free one."
    return f"The service can't listen on {host}:{port}: {error.strerror}. Give another address: --host 127.0.0.1"


async def in_thread(call: Callable[[], T]) -> T:
    """What a call gives, from a thread that nobody waits for when the process ends."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def told(result: T | None, error: BaseException | None) -> None:
        if not future.done():
            future.set_result(result) if error is None else future.set_exception(error)  # type: ignore[arg-type]

    def work() -> None:
        try:
            outcome: tuple[Any, BaseException | None] = (call(), None)
        except BaseException as error:
            outcome = (None, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(told, *outcome)

    threading.Thread(target=work, name="vitrina-start", daemon=True).start()
    return await future


def printed(line: str) -> None:
    """Print a line at once; whoever has closed the pipe doesn't end the service."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
