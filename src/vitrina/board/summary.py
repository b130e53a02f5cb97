"""The three sentences above every board: who leads and how sure that is, who can't be told from it, where it loses and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.printing import fixed, places_of, short, short_interval
from vitrina.board.result import Entry
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.significance import compare_paired

ALPHA = 0.05
CHEAPER = 5.0  # times, from which a model's cost is worth a word
COARSE = 0.1  # of the winner's value: a comparison that can't see this needs more people
FEWEST = 30  # queries of a slice that is tested
LOSS_DRAWS = 500


@dataclass(frozen=True)
class Loss:
    """A group of queries where another model is measurably ahead of the leader."""

    slice: str
    group: str
    model: str
    difference: float  # in favour of the model, positive
    queries: int


def headline(
    primary: str, baseline: str, entries: Sequence[Entry], values: Mapping[str, tuple[float, float | None, float | None]],
    against_baseline: pl.DataFrame, against_winner: pl.DataFrame, losses: Sequence[Loss] = (), alpha: float = ALPHA,
) -> tuple[str, ...]:  # fmt: skip
    """Three honest sentences.

    Args:
        primary: the metric that is spoken of.
        baseline: the model that all are compared with.
        entries: all models, best first.
        values: value, low, high of the primary metric of those with lists.
        against_baseline: rows of the primary metric, see Board.comparisons.
        against_winner: the same against the best model.
        losses: where another model is ahead.
        alpha: below which a p-value is measurable.
    """
    ranked = [e for e in entries if e.name in values]
    if not ranked:
        return (f"No model came to an end: {entries[0].name}: {entries[0].error}" if entries else "There was nothing to compare.",)
    leader = ranked[0]
    tied, nearest = [r["model"] for r in against_winner.iter_rows(named=True) if not _sure(r, alpha)], _nearest(against_winner)
    first = _leads(primary, leader, values[leader.name], baseline, against_baseline, alpha)
    second = _told_apart(leader, tied, nearest, baseline, against_winner)
    third = " ".join(
        filter(None, (_loses(losses), _failures(entries), _next(leader, ranked, tied, values[leader.name][0], against_winner)))
    )
    return tuple(s for s in (first, second, third) if s)


def _leads(
    primary: str, leader: Entry, value: tuple[float, float | None, float | None], baseline: str, against: pl.DataFrame, alpha: float
) -> str:  # fmt: skip
    said = f"{leader.name} has the best {primary}: {short_interval(*value)}"
    if leader.name == baseline:
        return said + ("; it is a baseline, and no other model beats it." if leader.baseline else ".")
    row = next(against.filter(pl.col("model") == leader.name).iter_rows(named=True), None)
    if row is None:
        return said + "."
    if not _sure(row, alpha):
        return f"{said}, but it can't be told from the baseline {baseline} with these people."
    return f"{said}, {short(abs(row['difference']))} better than the baseline {baseline} ({_ends(row)})."


def _told_apart(leader: Entry, tied: Sequence[str], nearest: Mapping[str, Any] | None, baseline: str, against: pl.DataFrame) -> str:
    if nearest is None:
        return ""
    if not tied and nearest["model"] == baseline:
        return "" if len(against) == 1 else f"Every other model is measurably behind it; {baseline} is the nearest."
    if not tied:
        return f"Every other model is measurably behind it; the nearest, {nearest['model']}, by {short(abs(nearest['difference']))} ({_ends(nearest)})."
    reach = _reach(against, tied)
    seen = (
        "too few people were asked to see any" if reach is None else f"a difference of {short(reach)} or more would probably have been seen"
    )
    if list(tied) != [baseline]:
        return f"{_listed(tied)} can't be told from {leader.name}: {seen}."
    rest = "; every other model is measurably behind" if len(against) > 1 else ""
    return seen[0].upper() + seen[1:] + rest + "."


def _reach(against: pl.DataFrame, tied: Sequence[str]) -> float | None:
    """The difference that would have been seen for each of these models; None where there is no telling."""
    if not tied:
        return None
    seen = against.filter(pl.col("model").is_in(list(tied)))["detectable"].to_list()
    return None if any(v is None or not np.isfinite(v) for v in seen) else max(seen)


def _loses(losses: Sequence[Loss]) -> str:
    if not losses:
        return ""
    worst = max(losses, key=lambda loss: loss.difference * loss.queries)
    group = f"In the slice {worst.slice}: {worst.group} ({worst.queries:,} queries)"
    return f"{group} {worst.model} is ahead of it by {short(worst.difference)}."


def _failures(entries: Sequence[Entry]) -> str:
    failed = [e.name for e in entries if e.status != "ok"]
    return f"{_listed(failed)} did not come to an end; the reason is beside {'it' if len(failed) == 1 else 'them'}." if failed else ""


def _next(leader: Entry, ranked: Sequence[Entry], tied: Sequence[str], value: float, against: pl.DataFrame) -> str:
    """What to do: the first of these that applies."""
    reach = _reach(against, tied)
    cheap = _cheaper(leader, [e for e in ranked if e.name in tied])
    simple = next((e.name for e in ranked if e.name in tied and e.baseline), None)
    if tied and (reach is None or reach > COARSE * abs(value)):
        return "The test part is too small to choose among them: take a longer one, or several folds, before deciding."
    if cheap is not None:
        return f"Take {cheap.name} unless more data says otherwise: it costs {_cost(leader) / max(_cost(cheap), 1e-3):.0f} times less to fit and answer."
    if leader.baseline or simple is not None:
        better = "" if leader.baseline else " until a model beats it"
        return (
            f"Serve {leader.name if leader.baseline else simple}{better}, and let vitrina diagnose say what the data ask of a better one."
        )
    if leader.trials == 1:
        return f"Next: tune {leader.name} on validation, and test it on a later fold."
    return f"Next: see whether {leader.name} keeps its lead on a later fold, then try it on a part of the people."


def _cheaper(leader: Entry, tied: Sequence[Entry]) -> Entry | None:
    known = [e for e in tied if np.isfinite(_cost(e))]
    cheap = min(known, key=_cost, default=None)
    return cheap if cheap is not None and _cost(leader) > 1 and _cost(leader) >= CHEAPER * _cost(cheap) else None


def _cost(entry: Entry) -> float:
    return entry.fit_seconds + entry.answer_seconds


def _nearest(against: pl.DataFrame) -> Mapping[str, Any] | None:
    return min(against.iter_rows(named=True), key=lambda r: abs(r["difference"]), default=None)


def _sure(row: Mapping[str, Any], alpha: float) -> bool:
    """Whether a difference is measurable after Holm's correction."""
    p = row["p_adjusted"]
    return p is not None and bool(np.isfinite(p)) and p < alpha


def find_losses(
    columns: Mapping[str, Any], leader: str, labels: Mapping[str, pl.Series], users: Any, *, lower_is_better: bool = False,
    bootstrap: Bootstrap = Bootstrap(draws=LOSS_DRAWS),
) -> list[Loss]:  # fmt: skip
    """Groups where the best other model is measurably ahead of the leader, with Bonferroni over all groups that are looked at.

    Args:
        columns: for each model (queries,) values of the metric.
        leader: the best model over all queries.
        labels: group of each query, by slice.
        users: (queries,) codes.
        lower_is_better: what "ahead" means for this metric.
        bootstrap: of each comparison; its confidence is that of all of them together.
    """
    groups = [
        (name, str(g), (series == g).fill_null(False).to_numpy())
        for name, series in labels.items()
        for g in series.drop_nulls().unique().sort()
    ]
    groups = [g for g in groups if g[2].sum() >= FEWEST]
    sign = -1.0 if lower_is_better else 1.0
    losses = []
    for name, group, mask in groups:
        part = {model: values[mask] for model, values in columns.items()}
        means = {m: sign * float(np.nanmean(v)) for m, v in part.items() if np.isfinite(v).any()}
        best = max(means, key=lambda m: means[m], default=leader)
        if best == leader or means[best] <= means.get(leader, np.inf):
            continue
        row = compare_paired(
            {leader: part[leader], best: part[best]}, leader, users[mask], bootstrap=bootstrap, lower_is_better=lower_is_better
        ).row(0, named=True)  # fmt: skip
        if np.isfinite(row["p"]) and row["p"] * len(groups) * max(len(columns) - 1, 1) < 1 - bootstrap.confidence:
            losses.append(Loss(name, group, best, abs(row["difference"]), int(mask.sum())))
    return losses


def _ends(row: Mapping[str, Any]) -> str:
    low, high = sorted((abs(row["low"]), abs(row["high"]))) if row["low"] * row["high"] > 0 else sorted((row["low"], row["high"]))
    places = places_of(row["difference"])
    return f"{fixed(low, places)} to {fixed(high, places)}"


def _listed(names: Sequence[str]) -> str:
    """A, B and C; a long list ends in a count."""
    shown = list(names) if len(names) <= 4 else [*names[:3], f"{len(names) - 3} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
