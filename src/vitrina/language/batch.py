"""Many questions to one model: what they will cost, before the first is asked; a few at a time, with a bar; and nothing lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar, final

from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vitrina.base.errors import ParameterError
from vitrina.language.cost import TURN, Price, count_tokens
from vitrina.language.errors import BudgetError, LanguageModelError
from vitrina.language.forms import T
from vitrina.language.protocol import LanguageModel, Message, Reply

IN_A_ROW = 10  # failures: then it is the endpoint and not the question
Asking = TypeVar("Asking")
Given = TypeVar("Given")

Questions = Sequence[Sequence[Message]]


@final
@dataclass(frozen=True)
class Cost:
    """What a batch will take, before it starts; tokens are estimates by the letters.

    Args:
        calls: that have to be made.
        known: answers that a cache has.
        prompt_tokens: of the calls, without repairs.
        answer_tokens: at so many per answer as was said.
        money: by the price.
    """

    calls: int
    known: int
    prompt_tokens: int
    answer_tokens: int
    money: float

    def __str__(self) -> str:
        known = f" ({self.known:,} more are known)" if self.known else ""
        money = f", {self.money:.4g} of money" if self.money else ""
        return f"{self.calls:,} calls{known}: about {self.prompt_tokens:,} tokens to read and {self.answer_tokens:,} to write{money}"


def estimate(
    model: LanguageModel, questions: Questions, schema: type[BaseModel], *, answer_tokens: int = 200, price: Price | None = None
) -> Cost:
    """What asking all of this will take. Nothing is asked.

    Args:
        model: who would be asked; a `Cached` one says what it knows.
        questions: the messages of each.
        schema: of the answers.
        answer_tokens: that an answer has, about.
        price: of a million tokens; that of the model where it has one.

    >>> from vitrina.language import Form, Price, Scripted
    >>> class Colour(Form):
    ...     colour: str
    >>> print(estimate(Scripted([]), [[Message("user", "Which colour is the sky?")]] * 2, Colour, price=Price(prompt=1e6)))
    1 calls: about 10 tokens to read and 200 to write, 10 of money
    """
    distinct = list({tuple(question): question for question in questions}.values())
    knows = getattr(model, "knows", None)
    left = [question for question in distinct if knows is None or not knows(question, schema)]
    read = sum(count_tokens(m.content) + TURN for question in left for m in question)
    own = getattr(getattr(model, "model", model), "price", None)
    paid = price if price is not None else own if isinstance(own, Price) else Price()
    written = answer_tokens * len(left)
    return Cost(len(left), len(distinct) - len(left), read, written, paid.of(read, written))


@final
@dataclass(frozen=True)
class Replies(Generic[T]):
    """What came of a batch, in its order: a reply, or None with what went wrong in `failed`, by the place of the question."""

    replies: tuple[Reply[T] | None, ...]
    failed: dict[int, str]

    @property
    def values(self) -> list[T | None]:
        return [None if reply is None else reply.value for reply in self.replies]

    def __str__(self) -> str:
        there = [reply for reply in self.replies if reply is not None]
        cached = sum(reply.cached for reply in there)
        first = f"; {len(self.failed):,} failed, the first: {next(iter(self.failed.values()))}" if self.failed else ""
        return f"{len(there):,} of {len(self.replies):,} answered, {cached:,} of them from the cache, {sum(r.repaired for r in there):,} repaired{first}"


def complete_all(model: LanguageModel, questions: Questions, schema: type[T], *, workers: int = 4, progress: bool = True) -> Replies[T]:
    """Ask many questions, a few at a time; equal ones once.

    A question that fails doesn't stop the others: it stands in `failed`. On Ctrl-C nothing new is asked; with a `Cached` model, the same call goes on with the rest.

    Args:
        model: any; `workers` threads call it.
        questions: the messages of each.
        schema: of the answers.
        workers: questions under way at a time.
        progress: a bar on a terminal.

    Raises:
        BudgetError: the limit is reached: what is under way is finished first.
        LanguageModelError: ten failed in a row.
    """
    if workers < 1:
        raise ParameterError(
            f"The 'workers' of complete_all must be 1 or more. Got {workers}.", owner="complete_all", parameter="workers", value=workers
        )
    distinct = {tuple(question): place for place, question in reversed(list(enumerate(questions)))}
    todo = sorted(distinct.values())
    replies: dict[int, Reply[T]] = {}
    failed: dict[int, str] = {}
    row = 0
    with bar("asking", len(todo), progress) as advance, ThreadPoolExecutor(workers) as pool:
        for place, future in as_they_come(pool, todo, lambda at: model.complete(questions[at], schema), workers):
            try:
                replies[place], row = future.result(), 0
            except BudgetError:
                raise
            except LanguageModelError as error:
                failed[place], row = str(error), row + 1
                if row == IN_A_ROW:
                    raise LanguageModelError(
                        f"{row} questions to {model.name} failed in a row, the last with: {error} {len(replies):,} were answered. "
                        "Mend what it says and call again; a Cached model goes on with the rest."
                    ) from error
            advance()
    firsts = [distinct[tuple(question)] for question in questions]
    return Replies(tuple(replies.get(first) for first in firsts), {at: failed[first] for at, first in enumerate(firsts) if first in failed})


def as_they_come(
    pool: ThreadPoolExecutor, todo: Sequence[Asking], work: Callable[[Asking], Given], ahead: int
) -> Iterator[tuple[Asking, Future[Given]]]:
    """What is finished, with no more under way than there are workers, so that what is stopped is stopped soon."""
    left = enumerate(todo)
    running = {pool.submit(work, one): (at, one) for at, one in islice(left, ahead)}
    try:
        while running:
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)  # short waits: Ctrl-C is heard
            for future in sorted(done, key=lambda one: running[one][0]):
                yield running.pop(future)[1], future
                for at, one in islice(left, 1):
                    running[pool.submit(work, one)] = at, one
    finally:
        for future in running:
            future.cancel()


@contextmanager
def bar(what: str, total: int, progress: bool, told: str = "") -> Iterator[Callable[[], None]]:
    """A bar on a terminal, with a line before it; gives what moves it on by one."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn(), TimeRemainingColumn())
    shown = progress and console.is_terminal
    if shown and told:
        console.print(told, markup=False)  # what it will cost, before it starts
    with Progress(*columns, console=console, transient=True, disable=not shown) as running:
        task = running.add_task(what, total=total)
        yield lambda: running.advance(task)
