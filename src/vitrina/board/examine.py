"""What a board doesn't hold of its own quality: seeds, other rules of splitting, and smaller logs. The same models again, within a budget of seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError, SplitError
from vitrina.base.hashing import mixed
from vitrina.board.budget import Budget
from vitrina.board.compare import compare
from vitrina.board.folds import folds_of
from vitrina.board.quality import latest, quality, values_of
from vitrina.board.result import Board
from vitrina.board.seeds import with_seeds
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import of_people
from vitrina.data.split import GlobalTime, LeaveOneOut, Rule, Split
from vitrina.evaluate.quality import Quality, order_agreement
from vitrina.evaluate.quality.found import tau_by_doubt
from vitrina.evaluate.quality.record import SIZES
from vitrina.jobs.specs import of_spec
from vitrina.vocabulary import id_hashes

SECONDS = 600.0  # of fitting and answering, unless said otherwise
START = 2.5  # seconds that a process of a model takes to begin
SEEDS = 3  # fits of a model that has a seed
TARGETS = ("successive", "last", "all")  # of a cut in time
SHARES = ((0.5, 1), (0.25, 1), (0.125, 1), (0.25, 2), (0.125, 2), (0.5, 2))  # of the people, and which draw


@dataclass(frozen=True)
class Step:
    """One thing more to find out.

    Args:
        what: in words.
        seconds: that it is likely to take, by what the fits of the board took.
        rule: another rule of splitting; None where it is not that.
        share, draw: a part of the people; 1 and 0 where it is not that.
    """

    what: str
    seconds: float
    rule: Rule | None = None
    share: float = 1.0
    draw: int = 0


@dataclass(frozen=True)
class Examined:
    """What was found out.

    Args:
        quality: with it.
        board: the same comparison with three seeds, where they were fitted; only its numbers are meant.
        done, left: steps that fitted the budget, and those that didn't.
        notes: what could not be done, and why.
    """

    quality: Quality
    board: Board
    done: tuple[Step, ...]
    left: tuple[Step, ...]
    notes: tuple[str, ...] = ()


def planned(board: Board, split: Split, seconds: float = SECONDS) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Steps that fit so many seconds, in the order of what they tell, and those that don't.

    Raises:
        ParameterError: the seconds are below 0.
    """
    if not seconds >= 0:
        raise ParameterError(f"The 'seconds' of an examination are 0 or more. Got {seconds}.", parameter="seconds", value=seconds)
    taken, left, total = [], [], 0.0
    for step in _steps(board, split):
        fits = total + step.seconds <= seconds
        (taken if fits else left).append(step)
        total += step.seconds if fits else 0.0
    return tuple(taken), tuple(left)


def examine(
    board: Board,
    split: Split | Sequence[Split],
    data: Dataset,
    *,
    seconds: float = SECONDS,
    cache: str | Path | None = None,
    report: Callable[[str, int, int], None] = lambda what, number, of: None,
    **options: Any,
) -> Examined:
    """The quality of a comparison, with what takes fitting: three seeds, other rules, and logs of fewer people.

    Models are those of the board, as tuned there; rules and parts of the log are asked on the latest fold. With a cache an examination that was
    interrupted goes on: finished fits are kept as `compare` keeps them.

    Args:
        board: of `compare`.
        split: the same split or folds.
        data: the log that was split.
        seconds: of fitting and answering, as the fits of the board let expect; steps that don't fit are left out and named.
        cache: folder of finished fits; that of the comparison saves the seeds that it has.
        report: called with what is done, its number and how many there are.
        options: further arguments of `compare`, as they were given there: metrics of your own, rules, vectors.

    Raises:
        ParameterError: fewer than two models have answers, or the seconds are below 0.
        KeyboardInterrupt: Ctrl-C; what is finished stays in the cache.
    """
    values_of(board)
    folds = folds_of(split)
    done, left = planned(board, folds[-1], seconds)
    models = {entry.name: of_spec(entry.config) for entry in board.entries if entry.status == "ok"}
    about: dict[str, Any] = {
        "metrics": [info.name for info in board.metrics], "primary": board.primary, "k": int(board.settings.get("k", 10)), "seed": int(board.settings.get("seed", 0)),
        "baselines": False, "examples": 0, "cache": cache,
    } | options  # fmt: skip
    found, by_rule, parts, notes = board, {}, [], []
    for number, step in enumerate(done):
        report(step.what, number, len(done))
        try:
            if step.rule is not None:
                by_rule[_named(step.rule, folds[-1])] = compare(models, data.split(step.rule), **about)
            elif step.draw:
                parts.append(_part(step, board, compare(models, _smaller(data, folds[-1], step), **about)))
            else:
                found = compare(models, list(folds), **{**about, "budget": Budget(fits=SEEDS)})
        except SplitError as error:
            notes.append(f"{step.what} was left out: {error}")
    sizes = pl.concat(parts) if parts else None
    return Examined(quality(found, rules=by_rule, sizes=sizes), found, done, left, tuple(notes))


def _steps(board: Board, split: Split) -> Iterator[Step]:
    """All that might be done, what tells most for its time first."""
    entries = [entry for entry in board.entries if entry.status == "ok"]
    once = sum(_seconds(entry) for entry in entries)
    seeded = [entry for entry in entries if entry.fits < SEEDS and len(with_seeds(entry.config, 2)) > 1]
    folds = max(int(board.settings.get("folds", 1)), 1)
    if seeded:
        yield Step(f"{SEEDS} seeds of {', '.join(e.name for e in seeded)}", folds * sum((SEEDS - e.fits) * _seconds(e) for e in seeded))
    for rule in _rules(split):
        yield Step(f"the same models by {_named(rule, split)}", once, rule)
    if split.train.in_memory and split.rule is not None:
        for share, draw in SHARES:
            seconds = share * once + (1 - share) * START * len(entries)
            yield Step(f"the same models on {100 * share:g}% of the people, draw {draw}", seconds, None, share, draw)


def _seconds(entry: Any) -> float:
    spent = [s for s in (entry.fit_seconds, entry.answer_seconds) if np.isfinite(s)]
    return sum(spent) + START


def _rules(split: Split) -> Iterator[Rule]:
    """Other rules by which the same log is often cut: other targets of the same cut, and the last event of each person."""
    own = split.rule
    if own is None or split.train.events.times is None:
        return
    repeat = bool(split.eligible.repeat)
    cut = own.model_copy(update={"repeat": repeat}) if isinstance(own, GlobalTime) else GlobalTime(quantile=0.9, repeat=repeat)
    for target in TARGETS:
        if not isinstance(own, GlobalTime) or target != cut.target:
            yield cut.model_copy(update={"target": target})
    if not isinstance(own, LeaveOneOut):
        yield LeaveOneOut(repeat=repeat)


def _named(rule: Rule, split: Split) -> str:
    """The rule in words, with what may come back only where the split's own rule says it."""
    said = split.rule is not None and split.rule.repeat is not None
    return str(rule if said else rule.model_copy(update={"repeat": None}))


def _smaller(data: Dataset, split: Split, step: Step) -> Split:
    """A share of the people, drawn by a hash of their ids, split by the same rule."""
    assert split.rule is not None
    hashes = mixed(id_hashes(data.users) + np.uint64(step.draw))
    codes = np.flatnonzero(hashes.astype(np.float64) < step.share * 2.0**64)
    rule = split.rule.model_copy(update={"repeat": bool(split.eligible.repeat)})
    return replace(of_people(data, codes), name=data.name).split(rule)


def _part(step: Step, board: Board, smaller: Board) -> pl.DataFrame:
    """How far the order of a smaller log agrees with that of the whole one."""
    whole, part = latest(board), latest(smaller)
    row = order_agreement({"whole": whole, "part": part}, "sizes").row(0, named=True)
    values, people = values_of(board)[0], len(np.unique(smaller.per_query["user"].to_numpy()))
    expected = float(tau_by_doubt(values, values.people, people).mean())
    events = 0 if smaller.split is None else smaller.split.train.events
    rows = [(step.share, step.draw, people, events, board.primary, row["tau"], row["same_first"], expected)]
    return pl.DataFrame(rows, schema=SIZES, orient="row")


def announced(done: Sequence[Step], left: Sequence[Step], seconds: float) -> Iterator[str]:
    """Lines that say before the work what will be done, and what is left out."""
    total = sum(step.seconds for step in done)
    if done:
        yield f"To find out: {'; '.join(step.what for step in done)}. About {total:,.0f} s of the {seconds:,.0f} s that it may take."
    if left:
        need = total + sum(step.seconds for step in left)
        yield f"Left out, as it takes longer: {'; '.join(step.what for step in left)}. All of it takes about {need:,.0f} s."
