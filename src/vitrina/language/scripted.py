"""A model whose answers are written beforehand: for tests, and for pages that run without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, final

from pydantic import BaseModel

from vitrina.language.asking import Raw, ask
from vitrina.language.cost import TURN, count_tokens
from vitrina.language.errors import LanguageModelError
from vitrina.language.forms import T
from vitrina.language.protocol import Message, Reply

Said = str | Mapping[str, Any] | BaseModel  # a text is what the model writes, and is read as the text of any model is


@final
class Scripted:
    """Answers from a function or a list.

    What it gives goes through the same reading, validation and repair as the answer of an endpoint does: a text may be broken, fenced or of the wrong shape.

    Args:
        answers: a function of (messages, schema), or answers that are taken in turn. A repair takes a turn too.
        name: who it is.

    Raises:
        LanguageModelError: from `complete`: the answers are used up.

    >>> from vitrina.language.forms import Form
    >>> class Colour(Form):
    ...     colour: str
    >>> Scripted(["blue, I think", {"colour": "blue"}]).complete([Message("user", "Which colour?")], Colour).repaired
    True
    """

    def __init__(self, answers: Callable[[Sequence[Message], type[BaseModel]], Said] | Iterable[Said], name: str = "scripted") -> None:
        self._function = answers if callable(answers) else None
        self._left = iter(() if callable(answers) else answers)
        self._name = name
        self._lock = Lock()
        self.read: list[tuple[Message, ...]] = []  # what it was asked, turn by turn

    @property
    def name(self) -> str:
        return self._name

    def complete(self, messages: Sequence[Message], schema: type[T], *, sample: int = 0) -> Reply[T]:
        return ask(self.name, lambda turns: self._write(turns, schema), messages, schema)

    def _write(self, messages: Sequence[Message], schema: type[BaseModel]) -> Raw:
        with self._lock:
            self.read.append(tuple(messages))
            said = next(self._left, None) if self._function is None else self._function(messages, schema)
        if said is None:
            raise LanguageModelError(f"The answers of {self.name} are used up after {len(self.read) - 1:,} turns: write more of them.")
        text = (
            said
            if isinstance(said, str)
            else said.model_dump_json()
            if isinstance(said, BaseModel)
            else json.dumps(said, ensure_ascii=False)
        )
        return Raw(text, sum(count_tokens(m.content) + TURN for m in messages), count_tokens(text))
