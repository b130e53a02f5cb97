"""One shop and its models for all tests of the console, and a server with and without keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from looked_at import Looked, artifacts, looked_at, shop

import vitrina as vt

collect_ignore = ["conftest.py"]


@pytest.fixture(scope="session")
def log() -> vt.Dataset:
    return shop()


@pytest.fixture(scope="session")
def models(log: vt.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("console")
    artifacts(folder, log)
    return folder


@pytest.fixture(scope="session")
def opened(models: Path, log: vt.Dataset) -> Iterator[Looked]:
    """Without keys, on this machine."""
    with looked_at(models, log) as running:
        yield running


@pytest.fixture(scope="session")
def locked(models: Path, log: vt.Dataset) -> Iterator[Looked]:
    """With keys."""
    with looked_at(models, log, keys=True, lists=5) as running:
        yield running
