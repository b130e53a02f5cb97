"""What speaks against the lead of a model, a sentence each: queries it left out, people it harms, and one person who asks for many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vitrina.base.printing import short
from vitrina.board.spread import spans
from vitrina.board.verdict import disagreement, standing
from vitrina.data.split.remarks import FEW, HEAVY_SHARE
from vitrina.evaluate.interval import TRUSTED
from vitrina.report.words import percent

if TYPE_CHECKING:
    from vitrina.board.summary import Findings

HARMED = 0.1  # of the people, from which a model that wins on average says whom it harms
ALL = 1 - 1e-9


def cautions(found: Findings) -> Iterator[str]:
    """The sentences that apply."""
    yield from _marked(found)
    yield from _few_hits(found)
    yield from _in_folds(found)
    yield from _answered(found)
    yield from _by_person(found)
    yield from _busiest(found)
    yield from _harmed(found)
    yield from _order(found)
    yield from _earnings(found)


def _marked(found: Findings) -> Iterator[str]:
    """What is marked beside the numbers of the best model."""
    if found.leader.marks:
        yield f"{found.leader.name} {listed(found.leader.marks)}, so that its numbers say nothing of models that don't."


def _few_hits(found: Findings) -> Iterator[str]:
    """Whether the interval of the best model can be trusted."""
    hits = found.numbers[found.leader.name]["hits"]
    if hits < TRUSTED:
        yield f"With hits of {hits} people the interval of {found.leader.name} can't be trusted: it takes {TRUSTED}."


def _in_folds(found: Findings) -> Iterator[str]:
    """Folds in which another model is first."""
    leader, asked = found.leader.name, spans(found.folds)
    others = [f"{model} in fold {n} ({asked[n - 1]})" for n, model in enumerate(found.first, 1) if model != leader]
    if others:
        yield f"{leader} is first in {len(asked) - len(others)} of {len(asked)} folds; {listed(others)}."


def _answered(found: Findings) -> Iterator[str]:
    """Models that left queries without a list, the most silent first."""
    partly = sorted((e for e in found.ranked if e.answered < ALL), key=lambda e: e.answered)
    if partly:
        said = [f"{e.name} answered {percent(e.answered)} of the queries ({percent(e.people_answered)} of the people)" for e in partly]
        yield f"{listed(said)}; a query without a list counts as a miss."


def _by_person(found: Findings) -> Iterator[str]:
    """Whether another model leads where each person counts once."""
    sign = -1 if found.lower_is_better else 1
    means = {name: row["by_person"] for name, row in found.numbers.items() if row["by_person"] is not None}
    leader = found.leader.name
    first = max(means, key=lambda name: sign * means[name], default=leader)
    if leader in means and sign * means[first] > sign * means[leader]:
        yield (
            f"Where each person counts once, however much they ask, {first} has the best {found.primary}: {short(means[first])}, and "
            f"{leader} {short(means[leader])}."
        )


def _busiest(found: Findings) -> Iterator[str]:
    asked = found.asked
    if asked is not None and asked.queries >= FEW and asked.busiest >= HEAVY_SHARE:
        yield f"One person asks {percent(asked.busiest)} of the {asked.queries:,} queries."


def _harmed(found: Findings) -> Iterator[str]:
    """Whom a model harms that is better on average."""
    row = found.of_leader
    if row is not None and standing(row["verdict"]) == "better" and row["harmed"] >= HARMED:
        yield (
            f"{found.leader.name} is better than {found.baseline} for {percent(row['helped'])} of the people and worse for {percent(row['harmed'])}; the tenth "
            f"who lose most lose {short(abs(row['worst']))} on average."
        )


def _order(found: Findings) -> Iterator[str]:
    """Transformers that counts of order do as well as."""
    for row in () if found.against_order is None else found.against_order.iter_rows(named=True):
        if standing(row["verdict"]) != "better":
            yield f"{row['model']}, a transformer, doesn't beat the counts of order, {found.order}: {row['verdict']}."


def _earnings(found: Findings) -> Iterator[str]:
    """Another model that measurably earns more."""
    for _, table in () if found.earnings.is_empty() else found.earnings.group_by("metric", maintain_order=True):
        if said := disagreement(found.primary, found.leader.name, table):
            yield said


def listed(names: Sequence[str]) -> str:
    """A, B and C; a long list ends in a count."""
    shown = list(names) if len(names) <= 4 else [*names[:3], f"{len(names) - 3} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
