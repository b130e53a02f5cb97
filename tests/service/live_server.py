"""A service on a real server, in a thread of its own, for tests that speak to it by sockets."""

import asyncio
import re
import socket
import threading
from contextlib import contextmanager

import polars as pl
import uvicorn
import uvloop

import vitrina as vt
from vitrina.service.app import application
from vitrina.service.connections import Connection
from vitrina.service.service import Service
from vitrina.service.settings import AnswerSettings, ScenarioSettings, Settings

TEAS = pl.DataFrame(
    {"sku": ["tea", "mint", "jam"], "title": ["Green tea", "Green mint tea", "Berry jam"], "brand": ["Lipton", "Ahmad", None]}
)


def toy_settings(folder, **more):
    """Two tenants with a model each of the toy log, and a second model in the first one's folder."""
    data = vt.testing.toy()
    vt.save(vt.EASE(l2=1).fit(data), folder / "models" / "one", data=data)
    vt.save(vt.Popularity().fit(data), folder / "models" / "next", data=data)
    vt.save(vt.Popularity().fit(data), folder / "theirs" / "one", data=data)
    index = vt.search.ItemIndex.build(TEAS, id="sku", columns={"title": 1})
    vt.save(index, folder / "models" / "index")
    scenarios = {
        "default": ScenarioSettings(artifact=folder / "models" / "one"),
        "search": ScenarioSettings(artifact=folder / "models" / "index", answers=AnswerSettings()),
        "b": ScenarioSettings(artifact=folder / "theirs" / "one", tenant="other", name="secret"),
    }
    return Settings(scenarios=scenarios, state=folder / "state", **more)


async def opened(settings):
    """The service with the toy log as the first tenant's history."""
    return await Service.open(settings, logs={"default": vt.testing.toy()})


@contextmanager
def served(service):
    """The address (host, port) of a service, or of one that is opened from settings, while it listens."""
    ready, failed = threading.Event(), []
    server = None

    async def serve():
        nonlocal server
        made = await opened(service) if isinstance(service, Settings) else service
        server = uvicorn.Server(
            uvicorn.Config(
                application(made), port=0, http=Connection, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
                timeout_keep_alive=1,
            )
        )  # fmt: skip
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        ready.set()
        await task
        if made is not service:
            await made.close()

    def run():
        try:
            uvloop.run(serve())
        except BaseException as error:
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60), "the server didn't start"
    if failed:
        raise failed[0]
    try:
        yield server.servers[0].sockets[0].getsockname()
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)
    assert not failed, failed


def exchanged(address, sent, *, seconds=5.0, end=False):
    """What comes back for bytes that are sent, until the server closes or is silent for so long."""
    with socket.create_connection(address, timeout=seconds) as connection:
        try:
            for part in [sent] if isinstance(sent, bytes) else sent:
                connection.sendall(part)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except (TimeoutError, ConnectionResetError):
            pass
        return received


def statuses(received):
    """The status of each answer that stands in what came back."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]
