"""The quality of a comparison out of what its board holds: values per query, folds, spreads of fits, epochs of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.evaluate.fits import FitSpread
from vitrina.evaluate.quality import ModelValues, Quality, quality_of
from vitrina.told import WITHIN

if TYPE_CHECKING:
    from vitrina.board.result import Board

EPOCHS = "epochs"  # the table of a model that learns in epochs: epoch, loss, metric, value


def quality(
    board: Board, *, rules: Mapping[str, Board] | None = None, sizes: pl.DataFrame | None = None, tau: float = 0.8, share: float = 0.9, confidence: float = 0.9,
) -> Quality:  # fmt: skip
    """Of a board, and of boards of the same models under other split rules, by name.

    Raises:
        ParameterError: fewer than two models have answers.
    """
    found = values_of(board)
    by_rule = {} if not rules else {_latest_rule(board): latest(board), **{name: latest(other) for name, other in rules.items()}}
    curves, metric = epochs(board)
    return quality_of(
        found, board.primary, curves=curves, of_curves=metric, rules=by_rule, sizes=sizes, ties=None if board.protocol is None else board.protocol.ties,
        tau=tau, share=share, confidence=confidence, seed=int(board.settings.get("seed", 0)), rule=_rule(board),
    )  # fmt: skip


def values_of(board: Board) -> list[ModelValues]:
    """The primary metric, and each other one of accuracy that has a value per query for two models or more.

    Popularity and novelty of lists are left out: they are told apart by few people, and say nothing of which model is right.

    Raises:
        ParameterError: fewer than two models have answers.
    """
    models = [entry.name for entry in board.entries if entry.status == "ok"]
    if len(models) < 2 or board.per_query.is_empty():
        raise ParameterError(
            f"The quality of a comparison is that of an order: it takes two models or more that have answered. On the board {board.title!r} there "
            f"{'is one' if len(models) == 1 else 'are none'}: {', '.join(models) or 'no model'}. Add a model, or baselines=True."
        )
    parts = {name: board.per_query.filter(pl.col("model") == name) for name in models}
    users, folds = parts[models[0]]["user"].to_numpy(), _folds(board, models[0])
    lower = {info.name: info.lower_is_better for info in board.metrics if info.about_hits or info.name == board.primary}
    names = [name for name in board.per_query.columns if name in lower]
    found = []
    for metric in sorted(names, key=lambda name: name != board.primary):
        columns = {name: part[metric].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name, part in parts.items()}
        if sum(not np.isnan(column).all() for column in columns.values()) > 1 and not np.isnan(list(columns.values())).any(axis=0).all():
            found.append(ModelValues(metric, columns, users, lower[metric], folds, _spreads(board, metric)))
    return found


def order_of(board: Board) -> dict[str, float]:
    """The primary metric of each model that has answered; more is better."""
    sign = next((-1.0 for info in board.metrics if info.name == board.primary and info.lower_is_better), 1.0)
    rows = board.numbers.filter((pl.col("metric") == board.primary) & pl.col("value").is_not_null())
    return {row["model"]: sign * row["value"] for row in rows.iter_rows(named=True)}


def latest(board: Board) -> dict[str, float]:
    """The primary metric of each model in the latest fold; more is better."""
    if board.folds.is_empty() or board.folds["fold"].n_unique() == 1:
        return order_of(board)
    sign = next((-1.0 for info in board.metrics if info.name == board.primary and info.lower_is_better), 1.0)
    rows = board.folds.filter((pl.col("fold") == pl.col("fold").max()) & pl.col("value").is_not_null())
    return {row["model"]: sign * row["value"] for row in rows.iter_rows(named=True)}


def epochs(board: Board) -> tuple[dict[str, Sequence[float]], str]:
    """The validation metric of each model after each epoch, where it kept that, and the metric's name: that of the first of them."""
    found = {
        _whose(name, table): own
        for name, tables in board.tables.items()
        for table, own in tables.items()
        if table.split(WITHIN)[-1] == EPOCHS
    }
    known = {name: table for name, table in found.items() if len(table)}
    metric = next((table["metric"][0] for table in known.values()), "")
    return {name: table["value"].to_list() for name, table in known.items() if table["metric"][0] == metric}, metric


def _whose(model: str, table: str) -> str:
    """The model of a table, or the member of it that the table belongs to."""
    member = table.rpartition(WITHIN)[0]
    return f"{model}, {member}" if member else model


def _folds(board: Board, model: str) -> Any:
    """(queries,) the number of the fold of each query; None for one fold."""
    if board.folds.is_empty():
        return None
    counts = board.folds.filter(pl.col("model") == model).sort("fold")["queries"].to_numpy()
    return np.repeat(np.arange(1, len(counts) + 1), counts) if len(counts) > 1 else None


def _spreads(board: Board, metric: str) -> dict[str, FitSpread]:
    if board.spreads.is_empty():
        return {}
    rows = board.spreads.filter(pl.col("metric") == metric)
    return {row["model"]: FitSpread(row["fits"], row["variance"], row["of_people"]) for row in rows.iter_rows(named=True)}


def _latest_rule(board: Board) -> str:
    """The rule of its latest fold, without how many folds there are."""
    return _rule(board).rpartition(",")[0] if not board.folds.is_empty() and board.folds["fold"].n_unique() > 1 else _rule(board)


def _rule(board: Board) -> str:
    return "" if board.protocol is None else board.protocol.rule
