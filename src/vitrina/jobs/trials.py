"""The file of a search: a line when a trial begins, and one when it has ended, so that nothing is tried twice."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def add_trial(path: Path, line: Mapping[str, Any]) -> None:
    """Append one line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def finished_trials(path: Path) -> dict[str, dict[str, Any]]:
    """Trials that came to an end, by the fingerprint of their config; a line that was cut short is left out."""
    return {line["key"]: line for line in trial_lines(path) if line["state"] == "finished"}


def trial_lines(path: Path) -> list[dict[str, Any]]:
    """Every whole line."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(text))
    return lines


def mark_dead(path: Path, keys: Sequence[str], error: str) -> None:
    """The trial that was running when the process ended has failed; a process that began none fails the first one left."""
    done = finished_trials(path)
    started = [line["key"] for line in trial_lines(path) if line["state"] == "started" and line["key"] not in done]
    key = started[-1] if started else next(k for k in keys if k not in done)
    add_trial(path, {"key": key, "state": "finished", "value": None, "seconds": 0.0, "error": error})
