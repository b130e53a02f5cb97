"""The store that the tests of this folder open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vitrina.service.store.store import Store

collect_ignore = ["conftest.py"]


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], Store]:
    """Opens one and the same store, again and again."""
    return lambda: Store.open(tmp_path / "state")
