"""A service on a real server, in a thread of its own, for tests that speak to it by sockets."""

import re
import socket
import threading
import time
from contextlib import contextmanager

import uvicorn

from vitrina.service.app import application
from vitrina.service.connections import Connection


@contextmanager
def served(service):
    """The address (host, port) of an application that listens."""
    config = uvicorn.Config(
        application(service),
        port=0,
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the server didn't start"
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


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
