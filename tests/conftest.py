"""What tests of several packages share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vitrina.jobs import worker

collect_ignore = ["conftest.py"]  # as a page of doctests it would have the name of the ones below


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons run each job here, for tests of something else: a process of its own takes seconds to import what this one has."""

    def run_job(job: Mapping[str, Any], out: Path, *_: Any, **__: Any) -> dict[str, Any]:
        (out / "job.json").write_text(json.dumps(dict(job) | {"out": str(out)}), encoding="utf-8")
        worker.main(str(out / "job.json"))
        return json.loads((out / worker.RESULT).read_text(encoding="utf-8"))

    monkeypatch.setattr(worker, "_end_with_parent", lambda: None)
    monkeypatch.setattr("vitrina.jobs.processes.run_job", run_job)


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal of whoever runs the tests has no part in what is printed."""
    monkeypatch.delenv("COLUMNS", raising=False)
