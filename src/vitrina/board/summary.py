"""The sentences above every board: who leads and how sure that is, who can't be told from it, what speaks against it, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.printing import fixed, places_of, short, short_interval
from vitrina.board.asked import Asked
from vitrina.board.cautions import cautions, listed
from vitrina.board.leads import Loss
from vitrina.board.result import Entry
from vitrina.board.spread import leaders
from vitrina.board.verdict import more_people, standing, wished
from vitrina.evaluate.significance import FEWEST_DIFFER, FEWEST_PEOPLE

CHEAPER = 5.0  # times, from which a model's cost is worth a word
COARSE = 0.1  # of the winner's value: a comparison that can't see this needs more people

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Findings:
    """What a comparison found on its primary metric.

    Args:
        primary: the metric that is spoken of.
        baseline: the model that all are compared with.
        entries: all models, best first.
        numbers: value, low, high, people, hits, by_person of each model with lists, by its name.
        against_baseline: rows of the primary metric, see Board.comparisons.
        against_winner: the same against the best model.
        losses: groups where another model is ahead of the best.
        asked: who asked.
        matters: the smallest difference that matters, or None.
        lower_is_better: what "best" means for this metric.
        folds: value of each model in each fold, see Board.folds.
        order: the baseline of order and content, where it is on the board.
        against_order: the transformers against it.
        earnings: each model with the one that earns most, see Board.earnings.
    """

    primary: str
    baseline: str
    entries: Sequence[Entry]
    numbers: Mapping[str, Row]
    against_baseline: pl.DataFrame
    against_winner: pl.DataFrame
    losses: Sequence[Loss] = ()
    asked: Asked | None = None
    matters: float | None = None
    lower_is_better: bool = False
    folds: pl.DataFrame = field(default_factory=pl.DataFrame)
    order: str = ""
    against_order: pl.DataFrame | None = None
    earnings: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def first(self) -> list[str]:
        """Who is first in each fold; empty for a single split."""
        return leaders(self.folds, lower_is_better=self.lower_is_better)

    @property
    def ranked(self) -> list[Entry]:
        """The models with lists, best first."""
        return [e for e in self.entries if e.name in self.numbers]

    @property
    def leader(self) -> Entry:
        return self.ranked[0]

    @property
    def of_leader(self) -> Row | None:
        """The leader against the baseline; None where it is the baseline."""
        return next((r for r in self.against_baseline.iter_rows(named=True) if r["model"] == self.leader.name), None)

    @property
    def rivals(self) -> Sequence[Row]:
        """The other models against the leader; with the baseline by the comparisons with it alone, which are corrected for fewer."""
        own = self.of_leader
        if own is None and self.leader.name == self.baseline:
            return self.against_baseline.to_dicts()
        return [_turned(own, self.baseline) if own and r["model"] == self.baseline else r for r in self.against_winner.to_dicts()]

    def of(self, *standings: str) -> list[Row]:
        """The rivals with one of these verdicts."""
        return [r for r in self.rivals if standing(r["verdict"]) in standings]


def _turned(row: Row, model: str) -> Row:
    """A comparison seen from its other side."""
    turned = {"difference": -row["difference"], "low": row["high"] and -row["high"], "high": row["low"] and -row["low"]}
    word = {"better": "worse by it", "worse": "better by it"}.get(standing(row["verdict"]), row["verdict"])
    return {**row, **turned, "model": model, "verdict": word}


def headline(found: Findings) -> tuple[str, ...]:
    """Honest sentences, three or four: where nothing can be said, that is what is said."""
    if not found.ranked:
        first = next(iter(found.entries), None)
        return (f"No model came to an end: {first.name}: {first.error}" if first else "There was nothing to compare.",)
    nothing = _same(found) or _too_few(found)
    said = nothing or (
        _leads(found),
        _told_apart(found),
        " ".join(cautions(found)),
        " ".join(filter(None, (_loses(found.losses), _next(found)))),
    )
    *above, last = said
    return tuple(s for s in (*above, " ".join(filter(None, (_failures(found.entries), last)))) if s)


# Nothing can be said


def _same(found: Findings) -> tuple[str, str] | None:
    """All models have the same value on every query."""
    if not found.rivals or any(r["differ"] != 0 for r in found.rivals):
        return None
    value = found.numbers[found.leader.name]["value"]
    first = f"All {len(found.ranked)} models have the same {found.primary} on every query, {short(value)}: nothing can be said of which is better."
    if value == 0:
        return first, "No list holds anything that was taken: look at what vitrina inspect says of the test part, or ask for longer lists."
    return first, "Compare models that differ, or take a metric that tells them apart."


def _too_few(found: Findings) -> tuple[str, str] | None:
    """Too few people for any verdict."""
    if not found.rivals or any(r["p_adjusted"] is not None for r in found.rivals):
        return None
    people = max(r["people"] for r in found.rivals)
    if people < FEWEST_PEOPLE:
        why = f"{_people(people)} {'was' if people == 1 else 'were'} asked, and a verdict takes {FEWEST_PEOPLE}, {FEWEST_DIFFER} of whom two models serve differently"
    else:
        why = f"no model differs from the best one for more than {_people(max(r['differ'] for r in found.rivals))}, and a verdict takes {FEWEST_DIFFER}"
    values = ", ".join(f"{e.name} {short(found.numbers[e.name]['value'])}" for e in found.ranked[:3])
    first = f"Nothing can be said of which model is better: {why}. So far, by {found.primary}: {values}."
    return first, f"Take {'longer test parts or more' if found.first else 'a longer test part or several'} folds before deciding."


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


# Who leads


def _leads(found: Findings) -> str:
    leader, value, row = found.leader, found.numbers[found.leader.name], found.of_leader
    over = f" over {len(found.first)} folds" if found.first else ""
    said = f"{leader.name} has the best {found.primary}{over}: {short_interval(value['value'], value['low'], value['high'])}"
    if row is None:
        beaten = leader.baseline and found.rivals
        return said + ("; it is a baseline, and no other model beats it." if beaten else ".")
    kind = standing(row["verdict"])
    if kind == "better":
        return f"{said}, {short(abs(row['difference']))} better than the baseline {found.baseline} ({_ends(row)})."
    if kind == "equal":
        return f"{said}, about equal to the baseline {found.baseline}: {_within(found)}."
    return f"{said}, but it can't be told from the baseline {found.baseline} with these people."


def _told_apart(found: Findings) -> str:
    rivals = found.rivals
    unsure, equal = found.of("unsure"), [r for r in found.of("equal") if r["model"] != found.baseline or found.of_leader is None]
    if not rivals:
        return ""
    if not unsure and not found.of("equal"):
        nearest = min(rivals, key=lambda r: abs(r["difference"]))
        if nearest["model"] == found.baseline:
            return "" if len(rivals) == 1 else f"Every other model is measurably behind it; {found.baseline} is the nearest."
        return f"Every other model is measurably behind it; the nearest, {nearest['model']}, by {short(abs(nearest['difference']))} ({_ends(nearest)})."
    near = (
        f"{listed([r['model'] for r in equal])} {'is' if len(equal) == 1 else 'are'} about equal to {found.leader.name}: {_within(found)}."
        if equal
        else ""
    )
    rest = "Every other model is measurably behind." if len(rivals) > len(unsure) + len(found.of("equal")) else ""
    return " ".join(filter(None, (near, _unsure(found, unsure), rest)))


def _unsure(found: Findings, unsure: Sequence[Row]) -> str:
    """Who can't be told from the leader, what would have been seen, and how many people it takes to see more."""
    if not unsure:
        return ""
    reach = _reach(unsure)
    seen = (
        "too few people were asked to see any" if reach is None else f"a difference of {short(reach)} or more would probably have been seen"
    )
    names = [r["model"] for r in unsure]
    said = f"{listed(names)} can't be told from {found.leader.name}: {seen}"
    if names == [found.baseline]:
        said = seen[0].upper() + seen[1:]
    wish = wished(found.matters, found.numbers[found.baseline]["value"])
    needed = [n for r in unsure if (n := more_people(r, wish)) is not None]
    if not needed or wish is None:
        return f"{said}."
    asked = max(r["people"] for r in unsure)
    return f"{said}; to see {short(wish)} would take about {_rounded(max(needed))} people, and {asked:,} were asked."


def _within(found: Findings) -> str:
    return "the same on every query" if found.matters is None else f"within {short(found.matters)}, the smallest difference that matters"


def _reach(rows: Sequence[Row]) -> float | None:
    """The difference that would have been seen for each of these models; None where there is no telling."""
    seen = [r["detectable"] for r in rows]
    return None if not seen or any(v is None or not np.isfinite(v) for v in seen) else max(seen)


def _rounded(number: int) -> str:
    """Two digits: a power is no more exact."""
    return f"{int(float(f'{number:.2g}')):,}"


# What to do


def _loses(losses: Sequence[Loss]) -> str:
    if not losses:
        return ""
    worst = max(losses, key=lambda loss: loss.difference * loss.queries)
    group = f"In the slice {worst.slice}: {worst.group} ({worst.queries:,} queries)"
    return f"{group} {worst.model} is ahead of it by {short(worst.difference)}."


def _failures(entries: Sequence[Entry]) -> str:
    failed = [e.name for e in entries if e.status != "ok"]
    return f"{listed(failed)} did not come to an end; the reason is beside {'it' if len(failed) == 1 else 'them'}." if failed else ""


def _next(found: Findings) -> str:
    """What to do: the first of these that applies."""
    leader, value = found.leader, found.numbers[found.leader.name]["value"]
    unsure = found.of("unsure")
    tied = [e for e in found.ranked if e.name in {r["model"] for r in found.of("unsure", "equal")}]
    reach, cheap = _reach(unsure), _cheaper(leader, tied)
    simple = next((e.name for e in tied if e.baseline), None)
    if unsure and (reach is None or reach > COARSE * abs(value)):
        part, take = ("parts are", "longer ones, or more") if found.first else ("part is", "a longer one, or several")
        return f"The test {part} too small to choose among them: take {take} folds, before deciding."
    if cheap is not None:
        return f"Take {cheap.name} unless more data says otherwise: it costs {_cost(leader) / max(_cost(cheap), 1e-3):.0f} times less to fit and answer."
    if leader.baseline or simple is not None:
        better = "" if leader.baseline else " until a model beats it"
        return (
            f"Serve {leader.name if leader.baseline else simple}{better}, and let vitrina diagnose say what the data ask of a better one."
        )
    return _later(found)


def _later(found: Findings) -> str:
    """What to do with a model that leads by itself."""
    leader, first = found.leader, found.first
    if leader.trials == 1:
        return f"Next: tune {leader.name} on validation{'' if first else ', and test it on a later fold'}."
    if not first:
        return f"Next: see whether {leader.name} keeps its lead on a later fold, then try it on a part of the people."
    if set(first) == {leader.name}:
        return f"Next: try {leader.name} on a part of the people: it is first in all {len(first)} folds."
    return f"Next: find out why {leader.name} isn't first in every fold, then try it on a part of the people."


def _cheaper(leader: Entry, tied: Sequence[Entry]) -> Entry | None:
    known = [e for e in tied if np.isfinite(_cost(e))]
    cheap = min(known, key=_cost, default=None)
    return cheap if cheap is not None and _cost(leader) > 1 and _cost(leader) >= CHEAPER * _cost(cheap) else None


def _cost(entry: Entry) -> float:
    return entry.fit_seconds + entry.answer_seconds


def _ends(row: Row) -> str:
    low, high = sorted((abs(row["low"]), abs(row["high"]))) if row["low"] * row["high"] > 0 else sorted((row["low"], row["high"]))
    places = places_of(row["difference"])
    return f"{fixed(low, places)} to {fixed(high, places)}"
