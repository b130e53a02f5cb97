"""Answers that are kept: what was asked once isn't paid for twice, and a batch that was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, final

from pydantic import BaseModel

from vitrina.base.files import one_at_a_time, write_text
from vitrina.language.forms import T
from vitrina.language.protocol import LanguageModel, Message, Reply

FORMAT = 1


@final
class Cached:
    """A model that keeps its answers in a folder, by who it is, what was asked, the schema and the sample.

    Several threads and processes may share the folder: an answer is written whole or not at all, and who asks what another is asking waits for its answer. What is damaged, or
    no longer keeps the schema, is asked again. A file holds the answer and a fingerprint of the question, not the question.

    Args:
        model: any language model. Where it has an `identity` (as `Endpoint` has, with temperature and the rest), answers are kept apart by it.
        folder: where they are kept; made when the first one comes.

    >>> import tempfile
    >>> from vitrina.language import Form, Message, Scripted
    >>> class Colour(Form):
    ...     colour: str
    >>> asked, folder = [Message("user", "Which colour?")], tempfile.mkdtemp()
    >>> [Cached(Scripted([{"colour": "blue"}]), folder).complete(asked, Colour).cached for _ in range(2)]
    [False, True]
    """

    def __init__(self, model: LanguageModel, folder: str | Path) -> None:
        self.model, self.folder = model, Path(folder)
        self._threads: dict[str, Lock] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Cached({self.model!r}, {str(self.folder)!r})"

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def identity(self) -> str:
        return getattr(self.model, "identity", self.model.name)

    def complete(self, messages: Sequence[Message], schema: type[T], *, sample: int = 0) -> Reply[T]:
        key = self.key(messages, schema, sample)
        if (known := self._kept(key, schema)) is not None:
            return known
        locks = self.folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with self._lock:
            thread = self._threads.setdefault(key[:3], Lock())
        with thread, one_at_a_time(locks / key[:3]):
            if (known := self._kept(key, schema)) is not None:
                return known
            reply = self.model.complete(messages, schema, sample=sample) if sample else self.model.complete(messages, schema)
            write_text(self._file(key), json.dumps(_plain(key, self.name, reply), ensure_ascii=False))
        return reply

    def knows(self, messages: Sequence[Message], schema: type[BaseModel], *, sample: int = 0) -> bool:
        """Whether an answer is kept."""
        return self._kept(self.key(messages, schema, sample), schema) is not None

    def key(self, messages: Sequence[Message], schema: type[BaseModel], sample: int = 0) -> str:
        """The fingerprint of a question: 64 hex digits."""
        asked = [self.identity, [[m.role, m.content] for m in messages], schema.__name__, schema.model_json_schema(), sample]
        return hashlib.sha256(json.dumps(asked, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def _kept(self, key: str, schema: type[T]) -> Reply[T] | None:
        try:
            kept = json.loads(self._file(key).read_text(encoding="utf-8"))
            if (kept["format"], kept["key"]) != (FORMAT, key):
                return None
            value = schema.model_validate_json(json.dumps(kept["value"]))
            reply = Reply(
                value, int(kept["prompt_tokens"]), int(kept["answer_tokens"]), float(kept["seconds"]), repaired=bool(kept["repaired"])
            )
        except (OSError, ValueError, KeyError, TypeError):  # not there, damaged, of another schema
            return None
        return replace(reply, cached=True)


def _plain(key: str, name: str, reply: Reply[Any]) -> dict[str, Any]:
    return {
        "format": FORMAT, "key": key, "model": name, "value": reply.value.model_dump(mode="json"), "prompt_tokens": reply.prompt_tokens,
        "answer_tokens": reply.answer_tokens, "seconds": reply.seconds, "repaired": reply.repaired, "money": reply.money,
    }  # fmt: skip
