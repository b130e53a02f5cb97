"""Groups of queries where another model is measurably ahead of the best one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.significance import compare_paired

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
