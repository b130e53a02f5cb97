"""Tokens and money: estimates before a call, prices, limits, what was spent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated, final

from pydantic import Field

from vitrina.base.config import Config
from vitrina.language.errors import BudgetError

ASCII_PER_TOKEN = 4.0  # of English; tokenisers differ by a quarter
OTHERS_PER_TOKEN = 2.0  # letters of other scripts: 2 to 3 in Russian, about 1 in Chinese
TURN = 4  # tokens around each message


def count_tokens(text: str) -> int:
    """About how many tokens a text has, by its letters: 4 of ASCII per token, 2 of anything else. No tokeniser is asked.

    >>> count_tokens("green tea"), count_tokens("зелёный чай"), count_tokens("")
    (3, 6, 0)
    """
    ascii_letters = len(text.encode("ascii", "ignore"))
    return math.ceil(ascii_letters / ASCII_PER_TOKEN + (len(text) - ascii_letters) / OTHERS_PER_TOKEN)


@final
class Price(Config):
    """What a million tokens cost, in any currency.

    >>> Price(prompt=0.4, answer=1.6).of(1000, 100)
    0.00056

    Args:
        prompt: of what is read.
        answer: of what is written.
    """

    prompt: Annotated[float, Field(ge=0)] = 0.0
    answer: Annotated[float, Field(ge=0)] = 0.0

    def of(self, prompt_tokens: float, answer_tokens: float) -> float:
        return (prompt_tokens * self.prompt + answer_tokens * self.answer) / 1e6


@final
class Limit(Config):
    """How much may be spent; None is no limit.

    Args:
        tokens: read and written together.
        money: in the currency of the price.
    """

    tokens: Annotated[int, Field(gt=0)] | None = None
    money: Annotated[float, Field(gt=0)] | None = None


@final
@dataclass(frozen=True)
class Spent:
    """What calls have cost. `reserved` is what those under way may still cost at most."""

    calls: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    money: float = 0.0
    reserved_tokens: int = 0
    reserved_money: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.answer_tokens

    def __str__(self) -> str:
        return f"{self.calls:,} calls, {self.prompt_tokens:,} tokens read, {self.answer_tokens:,} written, {self.money:.4g} of money"


@final
@dataclass
class Purse:
    """Holds calls to a limit, also those of several threads: each reserves the most that it may cost, and pays what it did cost."""

    limit: Limit
    price: Price
    spent: Spent = field(default_factory=Spent)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def reserve(self, who: str, prompt_tokens: int, answer_tokens: int) -> None:
        """Set aside what a call may cost.

        Raises:
            BudgetError: with what is spent and under way it would be more than the limit.
        """
        money = self.price.of(prompt_tokens, answer_tokens)
        with self._lock:
            now = self.spent
            tokens_after = now.tokens + now.reserved_tokens + prompt_tokens + answer_tokens
            money_after = now.money + now.reserved_money + money
            if self.limit.tokens is not None and tokens_after > self.limit.tokens:
                raise _over(
                    who,
                    f"{prompt_tokens + answer_tokens:,} tokens",
                    f"{self.limit.tokens:,}",
                    f"{now.tokens:,}",
                    f"{now.reserved_tokens:,}",
                )
            if self.limit.money is not None and money_after > self.limit.money:
                raise _over(who, f"{money:.4g} of money", f"{self.limit.money:.4g}", f"{now.money:.4g}", f"{now.reserved_money:.4g}")
            self._set(calls=now.calls + 1, reserved=(now.reserved_tokens + prompt_tokens + answer_tokens, now.reserved_money + money))

    def pay(self, reserved: tuple[int, int], prompt_tokens: int, answer_tokens: int) -> float:
        """Give back what was reserved, and pay what it cost; the money."""
        money = self.price.of(prompt_tokens, answer_tokens)
        with self._lock:
            now = self.spent
            left = (now.reserved_tokens - sum(reserved), max(now.reserved_money - self.price.of(*reserved), 0.0))
            self._set(
                prompt_tokens=now.prompt_tokens + prompt_tokens,
                answer_tokens=now.answer_tokens + answer_tokens,
                money=now.money + money,
                reserved=left,
            )
        return money

    def _set(self, *, reserved: tuple[int, float], **changed: float) -> None:
        now = {name: getattr(self.spent, name) for name in ("calls", "prompt_tokens", "answer_tokens", "money")}
        self.spent = Spent(**{**now, **changed}, reserved_tokens=reserved[0], reserved_money=reserved[1])


def _over(who: str, call: str, limit: str, spent: str, reserved: str) -> BudgetError:
    return BudgetError(
        f"A call of {who} may cost {call}, and the limit is {limit}, of which {spent} are spent and {reserved} are under way. "
        "It was not made. Raise the 'limit', or lower 'max_answer_tokens' or the length of what is asked."
    )
