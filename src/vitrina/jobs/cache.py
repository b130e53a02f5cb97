"""When a job is one that was done before: its key is made of the config, the source of one's own classes, and what it is asked."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vitrina
from vitrina.base.config import fingerprint

# Part of every key. Raise it when a model of Vitrina's answers otherwise than it did, so that nobody's board holds lists of former code;
# tests/test_answers.py fails until that is done.
ANSWERS = 3


def key_of(*asked: Any) -> str:
    """The name of finished work: of what was asked, by this version."""
    return fingerprint(*asked, ANSWERS, vitrina.__version__)


def code_stamp(spec: Any) -> str:
    """sha256 over the source files of the classes in a spec that are not Vitrina's: a changed class is another one."""
    digest = hashlib.sha256()
    for module in sorted(set(_modules(spec))):
        digest.update(_source_of(module))
    return digest.hexdigest()[:16]


def _modules(spec: Any) -> Iterator[str]:
    if isinstance(spec, list):
        for part in spec:
            yield from _modules(part)
    elif isinstance(spec, dict):
        if "class" in spec:
            yield spec["class"].rpartition(":")[0]
        for part in spec.values():
            yield from _modules(part)


def _source_of(module: str) -> bytes:
    if module.startswith("vitrina."):
        return b""
    place = None if module.endswith(".py") else importlib.util.find_spec(module)
    path = Path(module) if place is None else Path(place.origin or "")
    return path.read_bytes() if path.is_file() else b""
