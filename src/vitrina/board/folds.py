"""Folds in time and fits by seed as one comparison: what may be pooled, and how.

A value is the mean over the queries of all folds, so a person who asks in three folds is one person with three times the queries, and
what is drawn anew for the intervals is people. With several fits a query's value is the mean over them, and what the seed changes is
further doubt of each number and difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError, VocabularyError
from vitrina.board.contenders import Outcome
from vitrina.data.split import Split
from vitrina.data.split.asked import asked, together
from vitrina.data.split.rolling import require_in_time
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.fits import FitSpread, doubt_of, spread_of_fits
from vitrina.evaluate.run import Evaluation, evaluation_of
from vitrina.types import Float64

SHARES = ("fallback_share", "answered", "people_answered")  # of an entry, which are means over the queries of all folds


def folds_of(split: Any) -> tuple[Split, ...]:
    """One split, or the folds of a sequence, the oldest first.

    Raises:
        ParameterError: it is neither; folds don't follow one another in time, don't ask for the same job, or are not of one log.
    """
    folds: tuple[Any, ...] = tuple(split) if isinstance(split, (list, tuple)) else (split,)
    for fold in folds:
        if not isinstance(fold, Split):
            raise ParameterError(f"Models are compared on a split: data.split(vt.split.GlobalTime(days=30)). Got {fold!r}.")
    folds = together([asked(fold) for fold in folds])
    for fold in folds:
        fold.eligible.check_rows(len(fold.queries))
    if not folds:
        raise ParameterError("There is no fold to compare on. Make some: vt.split.rolling(data, vt.split.GlobalTime(days=30), folds=3).")
    require_in_time(folds)
    latest = folds[-1]
    for number, fold in enumerate(folds, 1):
        if fold.eligible.repeat != latest.eligible.repeat:
            raise ParameterError(
                f"Folds ask for the same job: fold {number} has repeat={fold.eligible.repeat}, the last one repeat={latest.eligible.repeat}. "
                "Say which in the rule: GlobalTime(days=30, repeat=True).",
                parameter="folds",
            )  # fmt: skip
        _require_same(fold.train.items, latest.train.items, f"the items of fold {number}")
        if fold.train.in_memory or latest.train.in_memory:
            _require_same(fold.train.users, latest.train.users, f"the people of fold {number}")
    return folds


def _require_same(one: Any, other: Any, what: str) -> None:
    try:
        same = len(one) == len(other) and one.require_compatible(other, what) is None
    except VocabularyError:
        same = False
    if not same:
        raise ParameterError(
            f"Folds are parts of one log, so that a person is known in all of them: {what} have other codes than those of the last fold. "
            "Cut one log: vt.split.rolling(data, vt.split.GlobalTime(days=30), folds=3).",
            parameter="folds",
        )


def name_of(fold: Split, folds: Sequence[Split]) -> str:
    """What a fold is called among its like: "fold 1 of 3"; empty where there is one."""
    return "" if len(folds) == 1 else f"fold {folds.index(fold) + 1} of {len(folds)}"


def span_of(fold: Split) -> tuple[str | None, str | None]:
    """When its questions begin and its targets end, as people write it; None without times."""
    test = fold.summary.test
    return (None, None) if test.first is None else (str(test.first), str(test.last))


def joined(parts: Sequence[Outcome], folds: Sequence[Split]) -> Outcome:
    """What became of one contender, of what did in each fold, the oldest first; of fewer folds where the last of them failed.

    Configuration and cost of a fit are those of the latest fold, which has the largest training part; tuning took what it took in all.
    """
    trials = tuple({**trial, "fold": number} for number, part in enumerate(parts, 1) for trial in part.trials)
    last, name = parts[-1], name_of(folds[len(parts) - 1], folds)
    if len(folds) == 1 or last.entry.status != "ok":
        error = f"{name[0].upper()}{name[1:]}, {' to '.join(filter(None, span_of(folds[len(parts) - 1])))}: " if name else ""
        return replace(last, entry=replace(last.entry, error=error * bool(last.entry.error) + last.entry.error), trials=trials)
    weights = [len(fold.queries) for fold in folds]
    shares = {n: float(np.average([getattr(part.entry, n) for part in parts], weights=weights)) for n in SHARES}
    others = (f"In fold {n} its search chose {p.entry.call}." for n, p in enumerate(parts[:-1], 1) if p.entry.call != last.entry.call)
    entry = replace(
        last.entry, **shares, peak_bytes=max(part.entry.peak_bytes for part in parts), cached=all(part.entry.cached for part in parts),
        tuning_seconds=sum(part.entry.tuning_seconds for part in parts), notes=(*last.entry.notes, *others),
    )  # fmt: skip
    return replace(last, entry=entry, answers=tuple(part.answers[0] for part in parts), trials=trials)


@dataclass(frozen=True, eq=False)
class Judgement:
    """One model judged: all folds and fits together, and each by itself.

    Args:
        whole: a row per query of all folds, with the mean over fits; a metric of the whole table is the mean over folds and fits.
        folds: value of each metric in each fold, the mean over fits.
        fits: value of each metric of each fit, over the queries of all folds.
        spreads: how far the fits are apart on each metric with a value per query.
    """

    whole: Evaluation
    folds: tuple[Mapping[str, float], ...]
    fits: tuple[Mapping[str, float], ...]
    spreads: Mapping[str, FitSpread]

    @classmethod
    def of(cls, parts: Sequence[Sequence[Evaluation]], bootstrap: Bootstrap) -> Judgement:
        """Pool the evaluations of one model, [fold][fit]; they need no intervals."""
        first = parts[0][0]
        per_query = [m.name for m in first.metrics if m.name in first.per_query.columns]
        columns = {
            name: [np.stack([_column(e, name) for e in fits]) for fits in parts] for name in per_query
        }  # (fits, queries) of each fold
        of_table = {m.name: _table(parts, m.name) for m in first.metrics if m.name not in columns}  # (folds, fits)
        means = {name: [_mean(fold, axis=0) for fold in of_folds] for name, of_folds in columns.items()}
        users = np.concatenate([fits[0].per_query["user"].to_numpy() for fits in parts])
        spreads = {name: spread_of_fits(np.concatenate(c, axis=1), users) for name, c in columns.items()}
        of_seeds = {name: doubt_of(spread, bootstrap.confidence) for name, spread in spreads.items()}
        whole = evaluation_of(
            {name: np.concatenate(of_folds) for name, of_folds in means.items()},
            {name: float(table.mean()) for name, table in of_table.items()},
            users, first.metrics, bootstrap, *_shares(parts), bootstrap.confidence, of_seeds,
        )  # fmt: skip
        folds = [
            {name: float(_mean(m[at])) for name, m in means.items()} | {name: float(t[at].mean()) for name, t in of_table.items()}
            for at in range(len(parts))
        ]
        fits = [
            {name: float(_mean(np.concatenate([fold[at] for fold in c]))) for name, c in columns.items()}
            | {name: float(t[:, at].mean()) for name, t in of_table.items()}
            for at in range(len(parts[0]))
        ]
        return cls(whole, tuple(folds), tuple(fits), spreads)


def _column(evaluation: Evaluation, metric: str) -> Float64:
    return evaluation.per_query[metric].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _table(parts: Sequence[Sequence[Evaluation]], metric: str) -> Float64:
    """(folds, fits) the values of a metric of the whole table."""
    return np.array([[e[metric] for e in fits] for fits in parts], np.float64)


def _mean(values: Float64, axis: int | None = None) -> Any:
    """The mean of what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    total, count = np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _shares(parts: Sequence[Sequence[Evaluation]]) -> tuple[float, float]:
    """Truth outside the catalogue and places from popularity, as means over the queries of all folds."""
    weights = [len(fits[0].per_query) for fits in parts]
    unreachable = np.average([fits[0].unreachable for fits in parts], weights=weights)
    return float(unreachable), float(np.average([np.mean([e.fallback for e in fits]) for fits in parts], weights=weights))
