"""The one contract of language models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Message:
    """One turn of what a model reads."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Reply(Generic[T]):
    """A validated answer, and what it cost."""

    value: T
    prompt_tokens: int
    answer_tokens: int
    seconds: float
    cached: bool = False
    repaired: bool = False  # the first answer broke the schema, the second one kept it


@runtime_checkable
class LanguageModel(Protocol):
    """Reads messages and fills in a schema. What comes back has been validated on our side, whatever the endpoint promised."""

    @property
    def name(self) -> str: ...  # who it is: two that are the same model have the same name

    def complete(self, messages: Sequence[Message], schema: type[T]) -> Reply[T]: ...
