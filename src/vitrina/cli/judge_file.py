"""The file of a judge: a TOML with its criteria, its model, what is to be judged, and what people said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import Field

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.cli import build, console
from vitrina.cli.model_part import made_model
from vitrina.cli.sections import Section, settings_of
from vitrina.cli.tables import Role, located_path, read_roles
from vitrina.cli.toml import Keys, TomlFile

if TYPE_CHECKING:
    from vitrina.judge import Gold, Judge, Scale
    from vitrina.language import Price

EXAMPLE = (
    'A whole one: [judge] criteria = "The product is what the shopper asked for.", grades = ["no", "partly", "yes"]; '
    '[model] url = "http://localhost:8000/v1", model = "NAME"; [items] path = "goods.csv", item = "sku", text = ["title"]; '
    'then [pairs] path = "pairs.csv" to label, or [gold] path = "labels.csv" for agreement.'
)


class JudgeSection(Section):
    """Who judges by what."""

    criteria: str = Field(min_length=1, description="What makes an item a good answer, as the people were told who label the gold set.")
    grades: list[str] = Field(min_length=2, description="What each grade means, the worst first.")
    first: int = Field(default=0, description="The number of the worst grade; the others follow by one.")


class ExampleSection(Section):
    """A judged item, as the judge should judge it."""

    query: str = Field(description="What was asked.")
    text: str = Field(description="Of the item.")
    label: int = Field(description="On the scale.")
    reason: str = Field(default="", description="Why; it teaches more than the label does.")


class ItemsSection(Section):
    """What the judge reads of items."""

    path: str | list[str] = Field(description="Table of items: CSV or Parquet; a path, a glob or a list of paths.")
    item: str = Field(default="item", description="Column of ids.")
    text: str | list[str] = Field(default="title", description="Column that the judge reads, or several, one after the other.")


class QueriesSection(Section):
    """What was asked, where the queries of the tables are ids."""

    path: str | list[str] = Field(description="Table of queries: CSV or Parquet.")
    query: str = Field(default="query", description="Column of ids.")
    text: str = Field(default="text", description="Column of what was typed.")


class PairsSection(Section):
    """What is to be judged."""

    path: str | list[str] = Field(description="Table of queries and items: CSV or Parquet.")
    query: str = Field(default="query", description="Column of the query, its text or its id.")
    item: str = Field(default="item", description="Column of the item.")
    text: str | list[str] | None = Field(default=None, description="Column or columns that the judge reads, where there is no [items].")


class GoldSection(Section):
    """What people said."""

    path: str | list[str] = Field(description="Table of labels of people: CSV or Parquet.")
    query: str = Field(default="query", description="Column of the query, its text or its id.")
    item: str = Field(default="item", description="Column of the item.")
    label: str | list[str] = Field(
        default="label", description="Column of the label: a number on the scale, or the words of a grade. A list has a column per rater."
    )
    rater: str | None = Field(default=None, description="Column of who labelled, where several did, in rows of their own.")
    text: str | list[str] | None = Field(default=None, description="Column or columns that the judge reads, where there is no [items].")


class DecisionSection(Section):
    """What the judge must reach to stand in for people."""

    measure: str = Field(default="kappa_quadratic", description="A measure of agreement.")
    at_least: float | None = Field(default=None, description="What the lower end of its interval must reach.")
    below_people: float | None = Field(
        default=None, ge=0, description="Instead, by how much the judge may agree less with people than they do with one another."
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Of the intervals.")


class TuneSection(Section):
    """How better criteria are looked for."""

    budget: int = Field(default=600, ge=1, description="Calls of both models together, at most.")
    parts: list[int] = Field(
        default=[5, 3, 3], min_length=3, max_length=3, description="Labels for training, validation and test, in proportion."
    )
    seed: int = Field(default=0, ge=0, description="Of the parts and of the search.")


class RunSection(Section):
    """How the model is asked."""

    workers: int = Field(default=1, ge=1, description="Calls at the same time.")
    most_calls: int | None = Field(default=None, ge=1, description="More than so many calls are refused before they start.")


class ReportSection(Section):
    """Where the results go."""

    out: str = Field(default="vitrina-judge", description="Folder for the labels, the answers that are kept, and the page.")
    title: str | None = Field(default=None, description="Title of the page.")


class Settings(Section):
    """The whole file."""

    judge: JudgeSection
    model: dict[str, Any] = Field(description="The language model that judges: a table with its parameters.")
    examples: list[ExampleSection] = Field(default=[], description="Judged items that the judge sees with every question.")
    items: ItemsSection | None = Field(default=None, description="What the judge reads of items.")
    queries: QueriesSection | None = Field(default=None, description="What was asked, where the tables have ids of queries.")
    pairs: PairsSection | None = Field(default=None, description="What is to be judged.")
    gold: GoldSection | None = Field(default=None, description="What people said.")
    decision: DecisionSection = DecisionSection()
    reflector: dict[str, Any] | None = Field(
        default=None, description="The language model that rewrites criteria; the one that judges when left out."
    )
    tune: TuneSection = TuneSection()
    run: RunSection = RunSection()
    report: ReportSection = ReportSection()


TABLES = ("items", "queries", "pairs", "gold")


@dataclass(frozen=True)
class JudgeJob:
    """A checked file: the judge is built, nothing is read yet."""

    file: TomlFile
    settings: Settings
    judge: Judge
    reflector: Any

    @property
    def out(self) -> Path:
        return self.file.folder / self.settings.report.out

    @property
    def title(self) -> str:
        return self.settings.report.title or self.file.path.stem

    @property
    def scale(self) -> Scale:
        return self.judge.scale

    @property
    def price(self) -> Price | None:
        """Of the model's tokens; None where [model] says none."""
        from vitrina.language import Price as Price_

        given = getattr(self.judge.model, "price", None)
        return Price_(prompt=given.prompt, answer=given.answer) if given is not None and (given.prompt or given.answer) else None

    def sources(self) -> list[str]:
        """All that the job reads, absolute."""
        given = {name: getattr(self.settings, name) for name in TABLES}
        return [path for name, one in given.items() if one is not None for path in located_path(self.file, (name, "path"), one.path)]

    def pairs(self) -> pl.DataFrame:
        """query, item, text and, where queries are ids, query_text: what is to be judged.

        Raises:
            ParameterError: the file has no [pairs].
        """
        given = self._need("pairs", '[pairs] path = "pairs.csv", query = "query", item = "item"')
        return self._with_texts("pairs", self._read("pairs", {"query": given.query, "item": given.item}, given.text))

    def gold(self) -> Gold:
        """The labels of people.

        Raises:
            ParameterError: the file has no [gold].
            DataError: a label is not on the scale.
        """
        from vitrina.judge import Gold as Gold_

        given = self._need("gold", '[gold] path = "labels.csv", query = "query", item = "item", label = "label"')
        columns = [given.label] if isinstance(given.label, str) else given.label
        ids = {"query": given.query, "item": given.item} | ({} if given.rater is None else {"rater": given.rater})
        table = self._read("gold", ids, None, {f"label {name}": (name, "text") for name in columns})
        with build.located(self.file, ("gold",)):
            rows = pl.concat(
                table.select(*ids, *([] if given.rater else [pl.lit(name).alias("rater")]), _numbers(self.scale, table[f"label {name}"]))
                for name in columns
            )
            return Gold_.of(rows.drop_nulls("label") if len(columns) > 1 else rows, self.scale)

    def gold_pairs(self) -> pl.DataFrame:
        """The items of the gold set, each once, as `pairs` has them."""
        given = self._need("gold", '[gold] path = "labels.csv"')
        table = self._read("gold", {"query": given.query, "item": given.item}, given.text)
        return self._with_texts("gold", table.unique(["query", "item"], keep="first", maintain_order=True))

    def labelled(self) -> pl.DataFrame:
        """The gold set with what the judge reads, each item once, with the middle label of its raters; of two middle ones the lower."""
        gold = self.gold()
        middle = gold.table.group_by("query", "item").agg(label=pl.col("code").quantile(0.5, "lower").cast(pl.Int64) + self.scale.first)
        return self.gold_pairs().join(middle, on=["query", "item"], how="inner", maintain_order="left")

    def _need(self, name: str, remedy: str) -> Any:
        given = getattr(self.settings, name)
        if given is None:
            raise ParameterError(f"{self.file.path}: this command needs the table [{name}]. For example: {remedy}")
        return given

    def _read(
        self, name: str, ids: Mapping[str, str], text: str | list[str] | None, more: Mapping[str, tuple[str, Role]] | None = None
    ) -> pl.DataFrame:
        """The columns of a section; those of text as one column `text`."""
        texts = [text] if isinstance(text, str) else text or []
        roles: dict[str, tuple[str, Role]] = {role: (column, "id") for role, column in ids.items()}
        roles |= {**(more or {}), **{f"text {number}": (column, "text") for number, column in enumerate(texts)}}
        keys: Keys = (name,)
        table = read_roles(self.file, keys, located_path(self.file, (name, "path"), getattr(self.settings, name).path), roles)
        if not texts:
            return table
        joined = pl.concat_str([f"text {number}" for number in range(len(texts))], separator="\n", ignore_nulls=True)
        return table.select(*ids, *(more or {}), text=joined)

    def _with_texts(self, name: str, table: pl.DataFrame) -> pl.DataFrame:
        """The pairs with what the judge reads; those of which nothing is known are left out and counted."""
        items, queries = self.settings.items, self.settings.queries
        if "text" not in table.columns:
            if items is None:
                raise ParameterError(
                    f"{self.file.where((name,))}: nothing says what the judge reads of an item. Name columns of this table with text = [...] in [{name}], "
                    'or a table of items: [items] path = "goods.csv", item = "sku", text = ["title"].'
                )
            texts = self._read("items", {"item": items.item}, items.text)
            table = table.join(texts.unique("item", keep="first"), on="item", how="left", maintain_order="left")
        if queries is not None:
            read = self._read("queries", {"query": queries.query}, queries.text).rename({"text": "query_text"})
            table = table.join(read.unique("query", keep="first"), on="query", how="left", maintain_order="left")
        return _known(self.file, name, table)


def _known(file: TomlFile, name: str, table: pl.DataFrame) -> pl.DataFrame:
    for column, what, where in (("query_text", "query", "queries"), ("text", "item", "items")):
        if column not in table.columns:
            continue
        lost = table.filter(pl.col(column).is_null() | (pl.col(column) == ""))
        if len(lost) == len(table):
            raise DataError(
                f"{file.where((name,))}: no {what} of [{name}] has a text in [{where}], the first is {lost[what][0]!r}. "
                f"Name the column of ids in [{where}] with: {what} = ..."
            )
        if len(lost):
            console.warn(
                f"{len(lost):,} of {len(table):,} pairs of [{name}] are left out: no text of the {what}, the first {lost[what][0]!r}."
            )
            table = table.filter(pl.col(column).is_not_null() & (pl.col(column) != ""))
    return table


def _numbers(scale: Scale, labels: pl.Series) -> pl.Series:
    """Labels as numbers of the scale; words are those of a grade."""
    numbers = labels.cast(pl.Float64, strict=False).alias("label")
    words = labels.filter(labels.is_not_null() & numbers.is_null())
    if not len(words):
        return numbers
    said = {grade.strip().lower(): float(value) for value, grade in zip(scale.values, scale.grades, strict=True)}
    unknown = words.filter(~words.str.to_lowercase().is_in(list(said)))
    if len(unknown):
        row = int((labels == unknown[0]).arg_max() or 0) + 1
        raise UnknownNameError.of(f"grade of [judge], read in row {row} of the labels of people,", unknown[0], scale.grades)
    return (
        pl.select(pl.coalesce(numbers, labels.str.to_lowercase().replace_strict(said, default=None, return_dtype=pl.Float64)))
        .to_series()
        .alias("label")
    )


def read_judge_file(path: Path, *, trust: bool = False) -> JudgeJob:
    """Read and check the file of a judge.

    Args:
        path: the TOML file.
        trust: allow `type = "package.module:Class"` as a model, which imports and runs that code.
    Raises:
        UnknownNameError: a key, a model or its parameter is not known; names the line and the closest names.
        ParameterError: a value is wrong; names the line.
        DataError: there is no such file, or what it points to is missing.
    """
    from vitrina.judge import Example, Judge, Scale

    file = TomlFile.read(path, trust=trust, remedy=EXAMPLE)
    settings = settings_of(file, Settings, EXAMPLE)
    given = settings.judge
    with build.located(file, ("judge",)):
        scale = Scale(grades=tuple(given.grades), first=given.first)
    model = made_model(file, settings.model)
    with build.located(file, ("examples",)):
        examples = tuple(Example(**one.model_dump()) for one in settings.examples)
        judge = Judge(criteria=given.criteria, scale=scale, model=model, examples=examples)
    reflector = model if settings.reflector is None else made_model(file, settings.reflector, "reflector")
    job = JudgeJob(file, settings, judge, reflector)
    job.sources()
    _check_settings(file, settings)
    return job


def _check_settings(file: TomlFile, settings: Settings) -> None:
    from vitrina.judge.agreement import MEASURES

    given = settings.decision
    gold = settings.gold
    if gold is not None and gold.rater is not None and not isinstance(gold.label, str):
        raise ParameterError(
            f"{file.where(('gold', 'rater'))}: raters are either columns, label = [...], or rows, rater = ... Leave one out."
        )
    if given.measure not in MEASURES:
        with build.located(file, ("decision", "measure")):
            raise UnknownNameError.of("measure of agreement", given.measure, MEASURES)
    if given.at_least is not None and given.below_people is not None:
        raise ParameterError(
            f"{file.where(('decision', 'below_people'))}: a decision needs either at_least or below_people. Leave one out."
        )
