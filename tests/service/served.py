"""A service in a process of its own, as a user starts it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import vitrina as vt

PATIENCE = 60.0  # seconds that a start may take on a busy machine


def write_model(folder, data=None, source=None):
    """An artifact beside its log; the path of the artifact."""
    data = vt.testing.toy() if data is None else data
    log = folder / "log.csv"
    data.frame().write_csv(log)
    time_column = {"time": "timestamp"} if "timestamp" in data.frame().columns else {}
    read = {"source": str(log), "user": "user_id", "item": "item_id", **time_column}
    config = vt.Cooccurrence()
    vt.save(
        config.fit(data),
        folder / "model",
        model=config,
        data=data,
        source={"read": read, "filters": {}, "repeat": True} if source is None else source,
    )
    return folder / "model"


class Served:
    """`vitrina serve` with ports of its own; its lines are in files."""

    def __init__(self, folder, target, *options, before=(), **environ):
        self.lines, self.errors = Path(folder) / f"out-{time.monotonic_ns()}.txt", Path(folder) / f"err-{time.monotonic_ns()}.txt"
        words = [*before, sys.executable, "-m", "vitrina", "serve", str(target), "--port", "0", "--admin-port", "0", *map(str, options)]
        known = {name: value for name, value in os.environ.items() if not name.startswith("VITRINA_")}
        with open(self.lines, "w") as out, open(self.errors, "w") as err:
            self.process = subprocess.Popen(words, stdout=out, stderr=err, env={**known, **environ}, cwd=folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def said(self):
        return self.lines.read_text()

    @property
    def logged(self):
        return self.errors.read_text()

    def wait_for(self, text):
        """The line that begins so, once it is printed."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in self.said.splitlines():
                if line.startswith(text):
                    return line
            assert self.process.poll() is None, self.logged
            time.sleep(0.02)
        raise AssertionError(f"{text!r} was not said:\n{self.said}\n{self.logged}")

    def port(self, text="Ready: "):
        return int(self.wait_for(text).partition("http://127.0.0.1:")[2].split("/")[0].split()[0])

    def stop(self, one=signal.SIGTERM):
        """The exit code after a signal, and the seconds that it took."""
        started = time.monotonic()
        self.process.send_signal(one)
        return self.process.wait(PATIENCE), time.monotonic() - started


def ask(port, method, path, body=None, headers=()):
    """(status, answer as JSON)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json", **dict(headers)})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")


class Half:
    """A request of which half the body is sent; `finish` sends the rest."""

    def __init__(self, port, path, body):
        text = json.dumps(body).encode()
        self.rest = text[len(text) // 2 :]
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        self.socket.sendall(head.encode() + text[: len(text) // 2])

    def finish(self):
        """(status, answer as JSON)."""
        with contextlib.closing(self.socket):
            self.socket.sendall(self.rest)
            answer = http.client.HTTPResponse(self.socket)
            answer.begin()
            return answer.status, json.loads(answer.read())
