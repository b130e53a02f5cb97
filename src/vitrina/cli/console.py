"""What the commands print: results on stdout, all else on stderr; plain when piped; no colour under NO_COLOR."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vitrina.cli.letters import is_wide

PIPED_WIDTH = 160  # columns of a table that no terminal limits


def out() -> Console:
    """For results."""
    return _console(sys.stdout)


def err() -> Console:
    """For progress, warnings and paths of what was written."""
    return _console(sys.stderr)


def _console(stream: Any) -> Console:
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(file=stream, highlight=False, soft_wrap=False, width=width)


def note(text: str) -> None:
    """A line for people on stderr."""
    err().print(text, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """A line on stderr that begins with "Note:" and stands out on a terminal."""
    err().print(f"Note: {text}", style="yellow", markup=False, soft_wrap=True)


@contextlib.contextmanager
def working(text: str) -> Iterator[Callable[[object], None]]:
    """A sign of life on a terminal, called with how far the work is if it tells; nothing when piped."""
    console = err()
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(text, spinner="line") as status:
        yield lambda far: status.update(f"{text}: {far}")


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """A bar with the time left on a terminal, called with what is being done, its number and how many there are."""
    console = err()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, number, of: bar.update(task, description=what, completed=number, total=of)


def print_json(value: Any) -> None:
    """One document on stdout."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=not is_wide(sys.stdout), indent=2) + "\n")


def plain(value: Any) -> Any:
    """What JSON can say: records by `to_dict`, tables as lists of rows, NaN and infinities as null, all else as text."""
    for method in ("to_dicts", "to_dict", "tolist"):
        if hasattr(value, method):
            return plain(getattr(value, method)())
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float)) or value is None else str(value)
