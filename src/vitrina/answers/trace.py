"""What happened on the way to an answer: each step with what came in and out, tokens, money and time; plain data, and printable."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, final

import numpy as np

from vitrina.language.forms import T
from vitrina.language.protocol import LanguageModel, Message, Reply
from vitrina.types import Eligibility

BEFORE = ("asked", "understood", "found")  # records of earlier steps inside a record: they stand in the trace already
WIDE = 110  # letters of a printed line


def plain_of(value: Any, *, top: bool = True) -> Any:
    """A record in values that JSON has. Records of earlier steps are only named, as they stand in the trace already."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Eligibility):
            return {name: plain_of(own) for name in ("repeat",) if (own := getattr(value, name)) is not None}
        fields = {own.name: getattr(value, own.name) for own in dataclasses.fields(value) if own.repr}
        return {"kind": type(value).__name__} | {
            name: {"kind": type(own).__name__} if name in BEFORE and dataclasses.is_dataclass(own) else plain_of(own, top=False)
            for name, own in fields.items()
        }
    if isinstance(value, Mapping):
        return {str(name): plain_of(own, top=False) for name, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_of(own, top=False) for own in value]
    value = value.item() if isinstance(value, np.generic) else value.value if isinstance(value, Enum) else value
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


@dataclass(frozen=True)
class Call:
    """A call of a language model: what it read, what it filled in, what it cost."""

    messages: tuple[Message, ...]
    value: Any
    prompt_tokens: int
    answer_tokens: int
    money: float
    seconds: float
    cached: bool
    repaired: bool


@dataclass(frozen=True)
class Done:
    """A step that was taken.

    Args:
        step: its name.
        came: the kind of its input.
        gave: the kind of its output, which decided where it went on.
        output: plain data; the input is the output of the step before.
        calls: of the model, as plain data.
    """

    step: str
    came: str
    gave: str
    input: Mapping[str, Any]
    output: Mapping[str, Any]
    ms: float
    calls: tuple[Mapping[str, Any], ...] = ()

    @property
    def tokens(self) -> tuple[int, int]:
        """Read and written."""
        return sum(call["prompt_tokens"] for call in self.calls), sum(call["answer_tokens"] for call in self.calls)

    @property
    def money(self) -> float:
        return sum(call["money"] for call in self.calls)


@final
@dataclass(frozen=True)
class Trace:
    """The steps of one answer, in their order. Prints as a table; `plain()` is for JSON, `times=False` without what differs from run to run.

    It holds what the model was told, the instructions too: it is for whoever runs the shop, not for its visitors.
    """

    steps: tuple[Done, ...] = ()

    def plain(self, *, times: bool = True) -> list[dict[str, Any]]:
        rows = [
            {"step": done.step, "came": done.came, "gave": done.gave, "input": done.input, "output": done.output, "ms": done.ms, "money": done.money,
             "prompt_tokens": done.tokens[0], "answer_tokens": done.tokens[1], "calls": list(done.calls)}
            for done in self.steps
        ]  # fmt: skip
        return rows if times else [{name: value for name, value in row.items() if name != "ms"} for row in rows]

    @property
    def ms(self) -> float:
        return sum(done.ms for done in self.steps)

    @property
    def money(self) -> float:
        return sum(done.money for done in self.steps)

    @property
    def tokens(self) -> tuple[int, int]:
        """Read and written."""
        return sum(done.tokens[0] for done in self.steps), sum(done.tokens[1] for done in self.steps)

    def __str__(self) -> str:
        return self.table()

    def table(self, *, times: bool = True) -> str:
        """A line per step: where it came from, what it gave, and what matters of it."""
        width = max((len(done.step) for done in self.steps), default=0)
        gave = max((len(done.gave) for done in self.steps), default=0)
        return "\n".join(
            f"{done.step:<{width}}  {done.gave:<{gave}}  {_cost(done, times)}{_said(done.output)}".rstrip() for done in self.steps
        )


def _cost(done: Done, times: bool) -> str:
    spent = [f"{done.ms:.0f} ms"] if times else []
    spent += [f"{len(done.calls)} calls, {done.tokens[0]}+{done.tokens[1]} tokens"] if done.calls else []
    return f"[{', '.join(spent)}] " if spent else ""


def _said(output: Mapping[str, Any]) -> str:
    """What a reader wants to know of an output, on one line."""
    words = []
    for name in ("searches", "language", "extracts", "verdict", "unanswered", "sentences", "by", "status", "code", "detail", "notes"):
        value = output.get(name)
        if value in (None, "", [], {}):
            continue
        if name == "extracts":
            shown = f"{len(value)} items: " + ", ".join(str(one["item"]) for one in value[:5])
        elif name == "verdict":
            shown = ("enough" if value["enough"] else value["reason"]) + ("" if value["score"] is None else f" ({value['score']:.2f})")
        elif name == "sentences":
            shown = f"{len(value)} sentences"
        else:
            shown = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
        words.append(shown)
    line = " · ".join(words)
    return line if len(line) <= WIDE else f"{line[: WIDE - 1]}…"


@final
@dataclass
class Metered:
    """A model whose calls are noted, for one answer."""

    model: LanguageModel
    calls: list[Call] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.model.name

    def complete(self, messages: Sequence[Message], schema: type[T], *, sample: int = 0) -> Reply[T]:
        began = time.perf_counter()
        reply = self.model.complete(messages, schema, sample=sample) if sample else self.model.complete(messages, schema)
        seconds = time.perf_counter() - began
        value = reply.value.model_dump(mode="json")
        self.calls.append(
            Call(tuple(messages), value, reply.prompt_tokens, reply.answer_tokens, reply.money, seconds, reply.cached, reply.repaired)
        )
        return reply
