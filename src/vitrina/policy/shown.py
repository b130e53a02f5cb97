"""Impressions as decisions: of each place, or of each whole list."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.impressions import Impressions
from vitrina.evaluate.people import persons_of
from vitrina.policy.units import Units
from vitrina.types import Float64, Int32

MIX = 0x9E3779B97F4A7C15  # the golden ratio, as in splitmix64


def places(shown: Impressions, features: pl.DataFrame | None) -> dict[str, Any]:
    """The fields of a log with a row per place: the arm is the item, and policies see the place."""
    table = pl.DataFrame([*_features(features, len(shown)), pl.Series("position", shown.positions)])
    arms = tuple(shown.vocabulary.ids.cast(pl.String).to_list())
    ids = shown.requests.ids.gather(shown.request_of)
    clusters, cluster_ids = _people(shown, shown.users, ids)
    return {
        "units": Units(ids, table, arms), "actions": shown.items, "rewards": _rewards(shown, None), "clusters": clusters, "cluster_ids": cluster_ids,
        "propensities": None if shown.propensities is None else shown.propensities.astype(np.float64), "times": shown.times, "time_unit": shown.time_unit,
    }  # fmt: skip


def lists(shown: Impressions, features: pl.DataFrame | None) -> dict[str, Any]:
    """The fields of a log with a row per request: its chance is the product of those of its places, its reward the sum of theirs.

    Raises:
        DataError: the chance of a list is too small for a number.
    """
    n, there = len(shown.requests), np.flatnonzero(np.diff(shown.by_request) > 0)
    first = shown.by_request[:-1][there]
    users = np.full(n, -1, np.int64)
    users[there] = shown.users[first]
    clusters, cluster_ids = _people(shown, users, shown.requests.ids)
    chances = None
    if shown.propensities is not None:
        chances = np.exp(np.bincount(shown.request_of, np.log(shown.propensities.astype(np.float64)), n))
        if not (chances > 0).all():
            at = int((chances <= 0).argmax())
            raise DataError(
                f"The chance of the whole list of the request {shown.requests.ids[at]!r} is too small for a number: it has {np.diff(shown.by_request)[at]:,} places. "
                'Judge by place: evaluate_lists(weights="above").'
            )
    times = None
    if shown.times is not None:
        times = np.zeros(n, np.int64)
        times[there] = shown.times[first]
    return {
        "units": Units(shown.requests.ids, _features(features, n), ()), "actions": _codes(shown), "rewards": _rewards(shown, n), "clusters": clusters,
        "cluster_ids": cluster_ids, "propensities": chances, "times": times, "time_unit": shown.time_unit,
    }  # fmt: skip


def _features(features: pl.DataFrame | None, rows: int) -> pl.DataFrame:
    if features is not None and features.height != rows:
        raise ParameterError(f"The 'features' must have a row per decision ({rows:,}). Got {features.height:,}.", parameter="features")
    return pl.DataFrame() if features is None else features


def _rewards(shown: Impressions, requests: int | None) -> dict[str, Float64]:
    """Outcomes, and outcome times value where there are values; summed by request where asked."""
    if shown.outcomes is None:
        return {}
    outcomes = shown.outcomes.astype(np.float64)
    earned = {"outcome": outcomes} | ({} if shown.values is None else {"value": outcomes * shown.values})
    if requests is None:
        return earned
    return {name: np.bincount(shown.request_of, column, requests).astype(np.float64) for name, column in earned.items()}


def _people(shown: Impressions, users: Any, own: pl.Series) -> tuple[Int32, pl.Series]:
    """Codes of the persons, and their ids; a visitor who isn't known is called by the request."""
    codes = persons_of(users)
    _, first = np.unique(codes, return_index=True)
    known = users[first] >= 0
    if known.all():
        return codes.astype(np.int32), shown.people.ids.gather(users[first]).rename("person")
    names = [
        shown.people.ids[int(user)] if user >= 0 else own[int(at)] for user, at in zip(users[first].tolist(), first.tolist(), strict=True)
    ]
    return codes.astype(np.int32), pl.Series("person", [str(name) for name in names])


def _codes(shown: Impressions) -> Int32:
    """(requests,) one code for each list that was shown, whoever saw it."""
    with np.errstate(over="ignore"):
        mixed = (shown.items.astype(np.uint64) + np.uint64(1)) * np.uint64(MIX)
        mixed = (
            (mixed ^ (mixed >> np.uint64(29)))
            * (shown.positions.astype(np.uint64) * np.uint64(2) + np.uint64(1))
            * np.uint64(0xBF58476D1CE4E5B9)
        )
        mixed ^= mixed >> np.uint64(32)
        total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
        keys = total[shown.by_request[1:]] - total[shown.by_request[:-1]]
    return np.unique(keys, return_inverse=True)[1].astype(np.int32)
