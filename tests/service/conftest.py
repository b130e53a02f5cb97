"""What the service's tests share: a PostgreSQL server that they start themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # the server is the benchmarks' too

from benchmarks.kit.postgres_server import NoPostgresError, PostgresServer

collect_ignore = ["conftest.py"]


def started() -> PostgresServer:
    pytest.importorskip("psycopg")
    try:
        return PostgresServer()
    except NoPostgresError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server for all tests of a process; nobody stops it."""
    with started() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> str:
    """The address of an empty database."""
    return postgres_server.database(f"test_{uuid4().hex[:12]}")


@pytest.fixture
def stoppable_postgres() -> Iterator[PostgresServer]:
    """A server of the test's own, to stop, kill and start."""
    with started() as server:
        yield server
