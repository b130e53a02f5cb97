"""Asking a model many things: known answers first, a bar, a few at a time, and nothing lost on the way."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import final

from pydantic import BaseModel

from vitrina.base.errors import DataError, VitrinaError
from vitrina.judge.records import Record, Records
from vitrina.language.batch import IN_A_ROW, as_they_come, bar
from vitrina.language.cost import TURN, Price, count_tokens
from vitrina.language.errors import BudgetError
from vitrina.language.protocol import LanguageModel, Message

REASONS = 80.0  # tokens of an answer, where nothing was measured: two sentences of reasons and a label


@final
@dataclass(frozen=True)
class Asked:
    """One thing to be asked."""

    key: str
    messages: Sequence[Message]

    @property
    def tokens(self) -> int:
        """About, by the letters."""
        return sum(TURN + count_tokens(message.content) for message in self.messages)


@final
@dataclass(frozen=True)
class Cost:
    """What a batch will cost, before it starts.

    Args:
        calls: of the model; what is known already is not asked again.
        known: answers that are there.
        prompt_tokens, answer_tokens: of the calls, an estimate.
        money: by the price; None where no price was said.
        measured: whether the tokens go by answers of this judge, and not by the letters alone.
    """

    calls: int
    known: int
    prompt_tokens: int
    answer_tokens: int
    money: float | None
    measured: bool

    def __str__(self) -> str:
        told = "" if self.money is None else f", {self.money:.4g} of money"
        basis = "as earlier answers took" if self.measured else "by the letters: a rough estimate"
        known = f" ({self.known:,} more are known)" if self.known else ""
        return (
            f"{self.calls:,} calls{known}, about {self.prompt_tokens:,} tokens to read and {self.answer_tokens:,} to write ({basis}){told}."
        )


def cost_of(asked: Sequence[Asked], records: Records, price: Price | None) -> Cost:
    """What is left to be asked, and what it will take."""
    distinct = {one.key: one for one in asked}
    left = [one for one in distinct.values() if records.get(one.key) is None]
    earlier = [r for r in records.all() if r.estimated and r.prompt_tokens]
    ratio = sum(r.prompt_tokens for r in earlier) / sum(r.estimated for r in earlier) if earlier else 1.0
    answer = sum(r.answer_tokens for r in earlier) / len(earlier) if earlier else REASONS
    prompt_tokens, answer_tokens = round(sum(one.tokens for one in left) * ratio), round(answer * len(left))
    money = None if price is None else price.of(prompt_tokens, answer_tokens)
    return Cost(len(left), len(distinct) - len(left), prompt_tokens, answer_tokens, money, bool(earlier))


def ask_all(
    asked: Sequence[Asked], model: LanguageModel, schema: type[BaseModel], records: Records, workers: int, progress: bool, told: str = ""
) -> dict[str, str]:
    """Ask what `records` doesn't know, and add each answer to them as it comes; the errors of those that failed, by their keys.

    On Ctrl-C, and when ten fail one after another, nothing new is asked and what is under way is waited for.

    Raises:
        KeyboardInterrupt: Ctrl-C; `records` have what was finished.
        DataError: ten in a row failed.
        BudgetError: the model's own budget is spent.
    """
    left = [one for key, one in {one.key: one for one in asked}.items() if records.get(key) is None]
    failed: dict[str, str] = {}
    row = 0
    with bar("judging", len(left), progress, told) as advance, ThreadPoolExecutor(max(workers, 1)) as pool:
        for one, future in as_they_come(pool, left, lambda one: records.add(_ask(one, model, schema)), max(workers, 1)):
            try:
                future.result()
                row = 0
            except BudgetError:
                raise  # nothing more will be answered
            except VitrinaError as error:
                failed[one.key], row = f"{type(error).__name__}: {error}", row + 1
                if row >= IN_A_ROW:
                    raise DataError(
                        f"{row} calls of {model.name} failed one after another, the last with {failed[one.key]!r}. {len(records):,} answers are kept: "
                        "the same call goes on with the rest once the model answers."
                    ) from error
            advance()
    return failed


def _ask(one: Asked, model: LanguageModel, schema: type[BaseModel]) -> Record:
    reply = model.complete(one.messages, schema)
    value = schema.model_validate(reply.value.model_dump()).model_dump()  # whatever the model's object is, it keeps our schema
    return Record(one.key, value, reply.prompt_tokens, reply.answer_tokens, reply.seconds, one.tokens, reply.repaired, reply.cached)
