"""The fast look before any neural model: a designed set of quick models, and in words what they say about the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, final

import numpy as np
import polars as pl
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vitrina.base.errors import DataError, SplitError
from vitrina.base.printing import as_text
from vitrina.base.showing import html_of
from vitrina.board.sample import take_queries
from vitrina.data.dataset import Dataset
from vitrina.data.drawn import drawn
from vitrina.data.split import GlobalTime, LeaveOneOut, Split
from vitrina.data.split.shards import ShardedSplit
from vitrina.diagnose.advice import advice
from vitrina.diagnose.design import Variant, design
from vitrina.diagnose.findings import ALPHA, Effect, Evidence, Finding, findings
from vitrina.diagnose.steps import Steps, steps_of
from vitrina.diagnose.worth import worth
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.run import evaluate
from vitrina.evaluate.significance import compare_pairs
from vitrina.metrics import metric as metric_of
from vitrina.metrics.info import require_per_query, require_vectors
from vitrina.protocols import Metric
from vitrina.types import Float64

MOST_QUERIES = 20_000
MOST_EVENTS = 20_000_000  # of a log larger than memory: two dozen fits, each as quick as on a log of this size
DEPTH = 10  # of the lists, for a metric that reads whole ones
WIDE = 100  # columns of a terminal, from which the findings are a table
STYLES = {"yes": "green", "harmful": "red", "no": "dim", "unclear": "yellow"}


@final
@dataclass(frozen=True)
class Diagnosis:
    """What the data say.

    Args:
        title: of the data.
        metric: that all values are of.
        findings: questions with answers and consequences.
        variants: variant, question, value, low, high, seconds.
        effects: every variant with the one it is held against.
        steps: how people walk from item to item in the training part; None where too few do.
        queries: how many were asked; drawn at random when there are more.
        asked_of: what they were, in words: a validation part, never the test.
        seconds: of the whole look.
    """

    title: str
    metric: str
    findings: tuple[Finding, ...]
    variants: pl.DataFrame
    effects: tuple[Effect, ...]
    steps: Steps | None
    queries: int
    asked_of: str
    seconds: float

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield Text(f"{self.title}: what the data say", style="bold")
        yield from [self._table()] if options.max_width >= WIDE else self._paragraphs()
        yield Text(self.advice, style="bold")
        yield Text(self.footnote, style="dim")

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), show_lines=False)
        for heading in ("question", "", "evidence", "so"):
            table.add_column(heading, overflow="fold", ratio={"question": 3, "evidence": 4, "so": 5}.get(heading))
        for f in self.findings:
            table.add_row(f.question, Text(f.answer, style=STYLES[f.answer]), f.evidence, f.meaning)
            table.add_row("", "", "", "")
        return table

    def _paragraphs(self) -> Iterator[RenderableType]:
        """Where four columns of words would be too narrow to read."""
        for f in self.findings:
            yield Text.assemble("\n", f.question, " ", (f.answer, STYLES[f.answer]))
            yield Padding(Text(f.evidence, style="dim"), (0, 0, 0, 2))
            yield Padding(Text(f.meaning), (0, 0, 0, 2))
        yield Text("")

    def __str__(self) -> str:
        return as_text(self)

    @property
    def advice(self) -> str:
        """What to try next, in one sentence."""
        return advice(self.findings)

    @property
    def footnote(self) -> str:
        """How the numbers were made, in one sentence."""
        walked = "" if self.steps is None else f"; {self.steps.steps:,} steps of {self.steps.people:,} people, 95% intervals over people"
        return (
            f"{len(self.variants)} quick models, {self.metric} on {self.queries:,} queries of {self.asked_of}; differences are paired, their intervals, p and what "
            f"would have been seen hold for all {len(self.effects)} comparisons together, 95% over people{walked}; {self.seconds:.0f} s."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "title": self.title, "metric": self.metric, "queries": self.queries, "asked_of": self.asked_of, "advice": self.advice, "seconds": self.seconds,
            "findings": [asdict(f) for f in self.findings], "variants": self.variants.to_dicts(), "steps": None if self.steps is None else asdict(self.steps),
        }  # fmt: skip

    def html(self) -> str:
        """One self-contained page: the findings in words and one plot."""
        from vitrina.diagnose.page import render  # noqa: PLC0415  a page is drawn only when asked for

        return render(self)


def diagnose(
    data: Dataset | Split,
    *,
    metric: str | Metric = "nDCG@10",
    queries: int = MOST_QUERIES,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Diagnosis:
    """Fit a dozen or two co-occurrence variants and say what their differences mean for the next model.

    One thing is changed at a time: the popularity exponent, the recency of the log, direction, the gap between events, the
    length and fading of the history, descriptions, repeats. Differences are over the queries where both have a value; intervals, p and
    the difference that would have been seen are for all of them together (`evaluate.compare_pairs`). Beside it stands how people walk from
    item to item, which needs no model (`diagnose.steps`), and what that means for the worth of a bigger one.

    Args:
        data: a split (its test is never touched: the questions are asked of the validation part of its training part), or a
            log, which is split at the last tenth of its time, or leaves the last event out where there is no time. Of one that is larger than
            memory the look is at people drawn by a hash of their ids, with up to 20 million events together; it says so.
        metric: a metric with a value per query: its name, or one of your own. Where less of it is better, that is what "helps" means.
        queries: the most that are asked; more are drawn at random.
        seed: of the draw and of the bootstrap.
        progress: called with the name of the variant, its number and how many there are.

    Raises:
        SplitError: nobody can be asked in the validation part.
        DataError: the metric says nothing of anybody there.

    Cost: two dozen fits of co-occurrence; minutes for a few million events.

    >>> import vitrina as vt
    >>> found = vt.diagnose(vt.testing.synthetic(users=120, items=30))
    >>> [f.question for f in found.findings][0]
    'Does removing popularity help?'
    """
    began = perf_counter()
    judge = require_per_query(metric_of(metric), "metric of a diagnosis")
    require_vectors([judge], None)
    split, asked_of = _validation(data)
    asked_of += _of_people(data, split.train)
    split = _thinned(split, queries, seed)
    if not len(split.queries):
        raise SplitError(
            f"The validation part of {data!r} has no queries, so nothing can be diagnosed. Use a longer log or another split rule."
        )
    variants = design(split)
    columns: dict[str, Float64] = {}
    rows = []
    for number, variant in enumerate(variants):
        if progress is not None:
            progress(variant.name, number, len(variants))
        column, row = _measure(variant, split, judge, seed)
        columns[variant.name] = column
        rows.append(row)
    effects = _effects(variants, columns, split, judge, seed)
    evidence = Evidence(
        effects, {r["variant"]: r["value"] for r in rows}, judge.name, _repeat_share(split), int(split.queries.lengths.max(initial=0))
    )
    steps = steps_of(split.train, seed)
    found = findings(evidence) + worth(steps)
    return Diagnosis(
        split.train.name, judge.name, found, pl.DataFrame(rows), effects, steps, len(split.queries), asked_of, perf_counter() - began
    )  # fmt: skip


def _validation(data: Dataset | Split) -> tuple[Split, str]:
    if isinstance(data, Split) and data.validation is not None and data.train.in_memory:
        return data.validation, "the validation part of the split"
    train = _part_in_memory(data)
    whole = "the training data" if isinstance(data, Split) else "the log"
    if train.rule is not None:
        return train.holdout(), "the validation part of the training data"
    rule = GlobalTime(quantile=0.9) if train.time_unit == "us" else LeaveOneOut()
    what = f"the last tenth of {whole}" if train.time_unit == "us" else f"the last event of each person in {whole}"
    return train.split(rule), what


def _of_people(data: Dataset | Split, train: Dataset) -> str:
    """Whose log was looked at, where it isn't that of all people."""
    whole = data.train if isinstance(data, Split) else data
    if whole.in_memory or len(train.users) >= whole.n_users:
        return ""
    return f" of {len(train.users):,} of {whole.n_users:,} people, drawn by a hash of their ids"


def _part_in_memory(data: Dataset | Split) -> Dataset:
    """What is cut for the diagnosis: the log, or the training part with its validation. Of shards the people who fit memory."""
    if not isinstance(data, Split):
        return drawn(data, MOST_EVENTS)
    validation = data.validation
    return drawn(validation.made.data if isinstance(validation, ShardedSplit) else data.train, MOST_EVENTS)


def _thinned(split: Split, most: int, seed: int) -> Split:
    """At most so many queries, drawn at random, in their old order."""
    if len(split.queries) <= most:
        return split
    chosen = np.sort(np.random.default_rng(seed).choice(len(split.queries), most, replace=False))
    return take_queries(split, chosen)


def _measure(variant: Variant, split: Split, judge: Metric, seed: int) -> tuple[Float64, dict[str, Any]]:
    began = perf_counter()
    depth = judge.k or DEPTH
    lists = variant.model.fit(variant.train(split.train)).recommend(split.queries, depth, eligible=split.eligible)
    lists = lists.padded(depth) if lists.k < depth else lists  # half of the log may have fewer items
    evaluation = evaluate(lists, split, [judge], bootstrap=Bootstrap(seed=seed, confidence=1 - ALPHA))
    _, value, low, high, *_ = evaluation.numbers.row(0)
    row = {
        "variant": variant.name, "question": variant.question, "value": value, "low": low, "high": high,
        "seconds": perf_counter() - began, "model": str(variant.model),
    }  # fmt: skip
    column = evaluation.per_query[judge.name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    if np.isnan(column).all():
        raise DataError(
            f"The metric {judge.name} says nothing of any of the {len(column):,} queries, so nothing can be diagnosed by it. Take nDCG@10."
        )
    return column, row


def _effects(variants: list[Variant], columns: dict[str, Float64], split: Split, judge: Metric, seed: int) -> tuple[Effect, ...]:
    asked = [v for v in variants if v.against and v.against != v.name]
    table = compare_pairs(
        columns, [(v.name, v.against) for v in asked], split.queries.users, lower_is_better=judge.lower_is_better,
        bootstrap=Bootstrap(seed=seed, confidence=1 - ALPHA),
    )  # fmt: skip
    names = ("difference", "low", "high", "p_adjusted", "detectable")
    effects = []
    for variant, row in zip(asked, table.iter_rows(named=True), strict=True):
        numbers = [row[name] if row[name] is not None else float("nan") for name in names]
        value = float(np.nanmean(columns[variant.name]))
        effects.append(
            Effect(
                variant.name,
                variant.against,
                variant.question,
                value,
                *numbers,
                verdict=row["verdict"],
                lower_is_better=judge.lower_is_better,
            )
        )
    return tuple(effects)


def _repeat_share(split: Split) -> float:
    return float(split.counts.get("seen_targets_share", 0.0))
