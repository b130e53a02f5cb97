"""A judge: criteria, a scale and a language model. What it says is worth what its calibration against people says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self, final

import polars as pl
from pydantic import BaseModel, Field, model_validator

from vitrina.base.config import Config, fingerprint
from vitrina.base.errors import DataError, ParameterError
from vitrina.judge.batch import Asked, Cost, ask_all, cost_of
from vitrina.judge.comparisons import Comparisons, compared
from vitrina.judge.judgements import Interrupted, Judgements, judged
from vitrina.judge.prompt import Example, PairExample, Preferred, graded, pairwise, pointwise
from vitrina.judge.records import Records
from vitrina.judge.scale import Scale
from vitrina.language.cost import Price
from vitrina.language.protocol import LanguageModel


@final
class Judge(Config):
    """Gives items grades, or says which of two is better, by criteria in words.

    Args:
        criteria: what makes an item a good answer, as people were told who label the gold set.
        scale: the grades.
        model: who judges.
        examples: judged items that it sees with every question.
        pair_examples: judged pairs that it sees with every pair.

    >>> from vitrina.judge import Judge, Scale
    >>> from vitrina.language.protocol import Reply
    >>> class Reader:
    ...     name = "finds what is red"
    ...     def complete(self, messages, schema):
    ...         red = "in red" in messages[-1].content
    ...         return Reply(schema(reasoning="It is red." if red else "Not red.", label=int(red)), 50, 5, 0.0)
    >>> judge = Judge(criteria="The item is what was asked for.", scale=Scale(grades=("no", "yes")), model=Reader())
    >>> items = pl.DataFrame({"query": ["red shoes"] * 2, "item": ["a", "b"], "text": ["shoes in red", "a blue hat"]})
    >>> judge.judge(items, progress=False).table["label"].to_list()
    [1, 0]
    """

    criteria: str = Field(min_length=1)
    scale: Scale
    model: LanguageModel
    examples: tuple[Example, ...] = Field(default=(), strict=False)
    pair_examples: tuple[PairExample, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _examples_on_scale(self) -> Self:
        off = [e.label for e in self.examples if e.label not in self.scale.values]
        if off:
            raise ValueError(f"The labels of 'examples' must be on the scale {list(self.scale.values)}. Got {off[0]}")
        return self

    @property
    def identity(self) -> str:
        """Fingerprint of who judges by what: the model's name, the words it reads, the scale. Labels of two identities are not one thing."""
        empty = pointwise(self.criteria, self.scale, self.examples, "", "")
        pair = pairwise(self.criteria, self.pair_examples, "", "", "")
        return fingerprint(self.model.name, [[m.role, m.content] for m in (*empty, *pair)], list(self.scale.values))

    def cost(self, items: pl.DataFrame, *, folder: str | Path | None = None, price: Price | None = None) -> Cost:
        """What `judge(items)`, or `compare(items)` where the table has pairs, will cost; asks nothing."""
        asked = self._pairs(items) if "text_a" in items.columns else self._items(items)
        return cost_of(asked, self._records(folder), price)

    def judge(
        self, items: pl.DataFrame, *, folder: str | Path | None = None, price: Price | None = None, most_calls: int | None = None,
        workers: int = 1, progress: bool = True, proposer: LanguageModel | None = None,
    ) -> Judgements:  # fmt: skip
        """Give each item a grade.

        Args:
            items: query, item, text; where `query` is an id, also `query_text`. The same text to the same query is asked once.
            folder: where answers are kept as they come; the same call goes on after Ctrl-C or a kill. None keeps them in memory.
            price: of the tokens, for the cost in money.
            most_calls: refused before it starts where it would take more.
            workers: calls at the same time; the model must allow that.
            progress: a bar, on a terminal.
            proposer: the model that wrote the items, if one did: that it is the judge's own is said.

        Raises:
            DataError: a column is missing, or ten calls failed one after another.
            BudgetError: the model's own budget is spent; the folder keeps what was judged.
            ParameterError: it would take more calls than allowed.
            Interrupted: Ctrl-C; its `finished` has what was judged.
        """
        asked = self._items(items)
        schema = graded(self.scale.values)
        records, cost, failed, stopped = self._ask(asked, schema, folder, price, most_calls, workers, progress)
        result = judged(items, asked, records, failed, self, cost, price, proposer)
        if stopped:
            raise Interrupted(result)
        return result

    def compare(
        self, pairs: pl.DataFrame, *, folder: str | Path | None = None, price: Price | None = None, most_calls: int | None = None,
        workers: int = 1, progress: bool = True, proposer: LanguageModel | None = None,
    ) -> Comparisons:  # fmt: skip
        """Say which of two items is better: each pair is asked in both orders, and is a tie where the answers contradict one another.

        Args:
            pairs: query, item_a, item_b, text_a, text_b; also `query_text`. Others as in `judge`.
        """
        asked = self._pairs(pairs)
        records, cost, failed, stopped = self._ask(asked, Preferred, folder, price, most_calls, workers, progress)
        result = compared(pairs, asked, records, failed, self, cost, price, proposer)
        if stopped:
            raise Interrupted(result)
        return result

    def _ask(
        self, asked: Sequence[Asked], schema: type[BaseModel], folder: str | Path | None, price: Price | None, most_calls: int | None,
        workers: int, progress: bool,
    ) -> tuple[Records, Cost, dict[str, str], bool]:  # fmt: skip
        records = self._records(folder)
        cost = cost_of(asked, records, price)
        if most_calls is not None and cost.calls > most_calls:
            raise ParameterError(
                f"This takes {cost} 'most_calls' allows {most_calls:,}. Judge fewer items, or allow more.", parameter="most_calls"
            )
        try:
            return records, cost, ask_all(asked, self.model, schema, records, workers, progress, str(cost)), False
        except KeyboardInterrupt:
            return records, cost, {}, True

    def _records(self, folder: str | Path | None) -> Records:
        return Records(folder, f"judged-{self.identity}")

    def _items(self, items: pl.DataFrame) -> list[Asked]:
        _need(items, ("query", "item", "text"))
        words = items["query_text"] if "query_text" in items.columns else items["query"]
        mine = self.identity
        return [
            Asked(fingerprint(mine, query, text), pointwise(self.criteria, self.scale, self.examples, str(query), text))
            for query, text in zip(words, items["text"], strict=True)
        ]

    def _pairs(self, pairs: pl.DataFrame) -> list[Asked]:
        """Two per pair: in the order of the table, and turned."""
        _need(pairs, ("query", "item_a", "item_b", "text_a", "text_b"))
        words = pairs["query_text"] if "query_text" in pairs.columns else pairs["query"]
        mine, asked = self.identity, []
        for query, a, b in zip(words, pairs["text_a"], pairs["text_b"], strict=True):
            for first, second in ((a, b), (b, a)):
                asked.append(
                    Asked(fingerprint(mine, query, first, second), pairwise(self.criteria, self.pair_examples, str(query), first, second))
                )
        return asked


def _need(table: pl.DataFrame, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise DataError(
            f"A judge needs the columns {', '.join(columns)}. Missing: {', '.join(missing)}; there are {', '.join(table.columns)}."
        )
    empty = [name for name in columns if table[name].null_count()]
    if empty:
        raise DataError(
            f"The column {empty[0]!r} has {table[empty[0]].null_count()} nulls, and nothing can be judged of them: leave those rows out."
        )
