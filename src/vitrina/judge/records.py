"""What a judge has said, a line for each answer in a file of its own: a batch that is stopped goes on where it was."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vitrina.base.files import speaking_of


@final
@dataclass(frozen=True)
class Record:
    """One answer and what it cost.

    Args:
        key: fingerprint of what was asked, and who was.
        value: the answer in plain values.
        prompt_tokens, answer_tokens, seconds: what it cost when it was given.
        estimated: tokens to be read, by the letters: what later estimates are held against.
        repaired: the first answer broke the schema.
        cached: the model had it already, and asked nobody.
    """

    key: str
    value: Mapping[str, Any]
    prompt_tokens: int
    answer_tokens: int
    seconds: float
    estimated: int
    repaired: bool = False
    cached: bool = False


@final
class Records:
    """Answers by their keys, in memory; and in a file where there is a folder.

    Each line is written whole and at once. One that a kill cut short is left out when the file is read, and its answer is asked for again.

    Args:
        folder: where the file is; None keeps nothing beyond this object.
        name: of the file, without its ending.
    """

    def __init__(self, folder: str | Path | None = None, name: str = "judged") -> None:
        self.path = None if folder is None else Path(folder) / f"{name}.jsonl"
        self._lock = threading.Lock()
        self._known: dict[str, Record] = {}
        self._before: frozenset[str] = frozenset()
        if self.path is not None and self.path.exists():
            self._read(self.path)
            self._before = frozenset(self._known)

    def before(self, key: str) -> bool:
        """Whether the answer was there when this object was made."""
        return key in self._before

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> Record | None:
        return self._known.get(key)

    def all(self) -> list[Record]:
        return list(self._known.values())

    def add(self, record: Record) -> None:
        with self._lock:
            self._known[record.key] = record
            if self.path is None:
                return
            with speaking_of(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(_plain(record), ensure_ascii=False) + "\n")

    def _read(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8", errors="replace")
        read = [(line, record) for line in text.split("\n") if (record := _record(line)) is not None]
        self._known = {record.key: record for _, record in read}
        if text and not text.endswith("\n"):  # the next line must not be glued to half of one
            with speaking_of(path):
                path.write_text("".join(f"{line}\n" for line, _ in read), encoding="utf-8")


def _plain(record: Record) -> dict[str, Any]:
    return dict(vars(record))


def _record(line: str) -> Record | None:
    try:
        return Record(**json.loads(line)) if line.strip() else None
    except (ValueError, TypeError):
        return None
