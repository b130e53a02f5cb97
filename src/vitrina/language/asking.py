"""One question to a model: its answer read strictly, and one turn of repair."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vitrina.language.errors import InvalidAnswerError
from vitrina.language.forms import T, form_text, read_form
from vitrina.language.protocol import Message, Reply

SHOWN = 4000  # letters of a broken answer that its repair is shown


@dataclass(frozen=True)
class Raw:
    """What a model wrote, before anybody has looked at it. `complaint` is a reason why it can't be an answer, such as that it was cut."""

    text: str
    prompt_tokens: int
    answer_tokens: int
    money: float = 0.0
    complaint: str = ""


def ask(who: str, write: Callable[[Sequence[Message]], Raw], messages: Sequence[Message], schema: type[T]) -> Reply[T]:
    """The validated answer; where the first one breaks the schema, the model is told why and has one more turn.

    Raises:
        InvalidAnswerError: the second answer broke it too.
    """
    began = time.perf_counter()
    first = write(messages)
    try:
        return _reply(first, schema, began)
    except ValueError as error:
        problem = str(error)
    said = first.text if len(first.text) <= SHOWN else first.text[:SHOWN] + " [...]"
    told = f"Your answer can't be used: {problem}. {form_text(schema)}"
    second = write([*messages, Message("assistant", said), Message("user", told)])
    both = Raw(
        second.text, first.prompt_tokens + second.prompt_tokens, first.answer_tokens + second.answer_tokens, first.money + second.money,
        second.complaint,
    )  # fmt: skip
    try:
        return _reply(both, schema, began, repaired=True)
    except ValueError as error:
        raise InvalidAnswerError(
            f"{who} broke the schema {schema.__name__} twice: first {problem}; then {error}. "
            "Ask for less in one schema, allow what may be absent to be null, or take a larger model.",
            answer=second.text,
        ) from None


def _reply(raw: Raw, schema: type[T], began: float, *, repaired: bool = False) -> Reply[T]:
    try:
        value = read_form(raw.text, schema)
    except ValueError as error:
        raise ValueError(f"{raw.complaint}; {error}" if raw.complaint else str(error)) from None
    return Reply(value, raw.prompt_tokens, raw.answer_tokens, time.perf_counter() - began, repaired=repaired, money=raw.money)
