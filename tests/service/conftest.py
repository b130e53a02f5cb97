"""What the service's tests share: a PostgreSQL server that they start themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # the server is the benchmarks' too

from benchmarks.kit.postgres_server import NoPostgresError, PostgresServer

collect_ignore = ["conftest.py"]


@pytest.fixture(scope="session")
def new_postgres() -> Callable[[], PostgresServer]:
    """Starts a server; skips the test where there are no programs for it."""

    def started() -> PostgresServer:
        pytest.importorskip("psycopg")
        try:
            return PostgresServer()
        except NoPostgresError as error:
            pytest.skip(str(error))

    return started


@pytest.fixture(scope="session")
def postgres_server(new_postgres: Callable[[], PostgresServer]) -> Iterator[PostgresServer]:
    """A server for all tests of a process; nobody stops it."""
    with new_postgres() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> str:
    """The address of an empty database."""
    return postgres_server.database(f"test_{uuid4().hex[:12]}")


@pytest.fixture
def stoppable_postgres(new_postgres: Callable[[], PostgresServer]) -> Iterator[PostgresServer]:
    """A server of the test's own, to stop, kill and start."""
    with new_postgres() as server:
        yield server
