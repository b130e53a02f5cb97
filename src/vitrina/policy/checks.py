"""What a look at a log of decisions found: a verdict per check, with a sentence for whoever decides and the statistics for whoever doubts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Literal, final

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vitrina.base.printing import as_text
from vitrina.base.showing import html_of

Verdict = Literal["pass", "warn", "refuse"]
VERDICTS: tuple[Verdict, ...] = ("pass", "warn", "refuse")  # from good to bad
STYLES: Mapping[str, str] = {"pass": "green", "warn": "yellow", "refuse": "bold red"}
ALARM = 0.0005  # a p below it refuses: a check that runs on every log must not cry wolf ([Fabijan et al. 2019](https://doi.org/10.1145/3292500.3330722))
DOUBT = 0.01  # a p below it warns
UNSURE = 0.1  # weights that are so far from adding up are said, though chance may do it
NO_BALANCE = {"covariate": pl.String, "level": pl.String, "arm": pl.String, "difference": pl.Float64, "p": pl.Float64}


@final
@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: what was looked at.
        verdict: "refuse" where no value may be told from the log, or of the policy.
        sentence: what it means, for people without statistics.
        statistic: what was computed; None where there is nothing to compute.
        p: how often a sound log would show as much or more; None where no chance is in it.
        detail: the statistics behind it.
        policy: the policy that it is about; None where it is about the log.
    """

    name: str
    verdict: Verdict
    sentence: str
    statistic: float | None = None
    p: float | None = None
    detail: str = ""
    policy: str | None = None


@final
@dataclass(frozen=True, eq=False, repr=False)
class Checks:
    """What `DecisionLog.check` found. It prints as a table; `table` is the same as a frame.

    Args:
        rows: the checks, those of the log first.
        balance: of each covariate, and level of one, the arm that differs most from the control, by how many standard deviations, and the p of the covariate over all arms.
        skipped: what couldn't be looked at, and what it needs, in sentences.
    """

    rows: tuple[Check, ...]
    balance: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NO_BALANCE))
    skipped: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Of the log itself: the worst of its checks."""
        return worst(row.verdict for row in self.rows if row.policy is None)

    def verdict_of(self, policy: str) -> Verdict:
        """Whether the value of a policy may be told: the worst of the checks of the log and of the policy."""
        return worst(row.verdict for row in self.rows if row.policy in (None, policy))

    def refusals(self, policy: str | None = None) -> tuple[str, ...]:
        """Why nothing may be told of the log, or of a policy: the sentences of the checks that refuse it."""
        return tuple(row.sentence for row in self.rows if row.verdict == "refuse" and row.policy in (None, policy))

    def plus(self, rows: Iterable[Check]) -> Checks:
        """With the checks of one more policy."""
        return replace(self, rows=(*self.rows, *rows))

    @property
    def table(self) -> pl.DataFrame:
        """A row per check: check, policy, verdict, sentence, statistic, p, detail."""
        columns = {
            "check": "name",
            "policy": "policy",
            "verdict": "verdict",
            "sentence": "sentence",
            "statistic": "statistic",
            "p": "p",
            "detail": "detail",
        }
        numbers = {"statistic": pl.Float64, "p": pl.Float64}
        return pl.DataFrame(
            {
                name: pl.Series([getattr(row, source) for row in self.rows], dtype=numbers.get(name, pl.String))
                for name, source in columns.items()
            }
        )

    def __rich__(self) -> RenderableType:
        table = Table("check", "verdict", "what it means", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for row in self.rows:
            name = row.name if row.policy is None else f"{row.name} of {row.policy}"
            said = Text(row.sentence)
            if row.detail:
                said.append(f"\n{row.detail}", style="dim")
            table.add_row(name, Text(row.verdict, style=STYLES[row.verdict]), said)
        return Group(table, *(Text(f"Not looked at: {sentence}", style="dim") for sentence in self.skipped))

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_of(self) if self.rows else escape("Checks()")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them; "pass" where there is none."""
    return VERDICTS[max((VERDICTS.index(verdict) for verdict in verdicts), default=0)]


def by_chance(p: float) -> Verdict:
    """The verdict of a test whose alarm must be rare on a sound log."""
    return "refuse" if p < ALARM else "warn" if p < DOUBT else "pass"


def of_weights(whose: str, mean: float, z: float, p: float, detail: str, policy: str | None = None) -> Check:
    """The check that weights add up."""
    verdict = by_chance(p)
    if verdict != "pass":
        sentence = (
            f"Weighted by their chances, the rows of {whose} speak for {mean:.1%} of all units where it should be 100%: the chances in the log are not those "
            "with which arms were drawn, or rows are missing."
        )
    elif abs(mean - 1) > UNSURE:
        sentence = f"Weighted by their chances, the rows of {whose} speak for {mean:.1%} of all units: few rows carry the weight, and chance may do that."
    else:
        sentence = "Weighted by their chances, the rows speak once for all units."
    return Check("mean weight", verdict, sentence, z, p, detail, policy)


def p_text(p: float) -> str:
    """A p as it is read aloud.

    >>> p_text(0.9042), p_text(0.00000012)
    ('p = 0.904', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.3f}" if p >= 0.001 else f"p = {p:.4f}"
