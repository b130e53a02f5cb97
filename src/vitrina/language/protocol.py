"""The one contract of language models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """A validated answer, and what it cost.

    Args:
        value: the schema, filled in.
        prompt_tokens, answer_tokens: of all turns that it took; an estimate where the model doesn't say.
        seconds: from asking to the validated answer, with pauses and repair; of a cached one, those that it once took.
        cached: it was kept from an earlier call, and cost nothing now.
        repaired: the first answer broke the schema, the second one kept it.
        money: by the price of the model; 0 where none was said.
    """

    value: T
    prompt_tokens: int
    answer_tokens: int
    seconds: float
    cached: bool = False
    repaired: bool = False
    money: float = 0.0


@runtime_checkable
class LanguageModel(Protocol):
    """Reads messages and fills in a schema. What comes back has been validated on our side, whatever the endpoint promised.

    `sample` numbers independent draws of the same question: a cache keeps each, and a model with a seed seeds it. At temperature 0 they may be equal.

    Raises:
        LanguageModelError: from `complete`: there is no valid answer; see `vitrina.language.errors`.
    """

    @property
    def name(self) -> str: ...  # who it is: two that are the same model have the same name

    def complete(self, messages: Sequence[Message], schema: type[T], *, sample: int = 0) -> Reply[T]: ...


@dataclass(frozen=True)
class TopTokens:
    """The first token of an answer, and the log-probabilities of the likeliest ones (of which it is one, or not)."""

    generated: str
    logprobs: Mapping[str, float]


@runtime_checkable
class TokenModel(Protocol):
    """A model that tells the log-probabilities of the first token of its answer."""

    @property
    def name(self) -> str: ...

    def first_token(self, messages: Sequence[Message]) -> TopTokens: ...
