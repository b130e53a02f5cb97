"""Who leads in each group of queries, and how sure that is, with one correction for all groups and models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.evaluate.bootstrap import BUCKETS, ROUNDING, Bootstrap, Buckets, Jackknife, drawn
from vitrina.evaluate.correction import Correction, Difference, exact_of, largest_of
from vitrina.evaluate.people import persons_of
from vitrina.evaluate.significance import best_of
from vitrina.evaluate.slices import groups_of
from vitrina.types import Float64, Int64

FEWEST = 30  # queries of a group that is looked at
SCHEMA = {
    "slice": pl.String, "group": pl.String, "order": pl.Int64, "queries": pl.Int64, "people": pl.Int64, "leader": pl.String,
    "model": pl.String, **dict.fromkeys(("difference", "low", "high", "p_adjusted"), pl.Float64),
}  # fmt: skip


def leads_within(
    columns: Mapping[str, Float64],
    labels: Mapping[str, pl.Series],
    users: NDArray[Any],
    *,
    bootstrap: Bootstrap = Bootstrap(),
    lower_is_better: bool = False,
    more: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """The best model of each group of 30 queries or more against each other one, on the queries of the group where all say something.

    The leaders are found by looking, in many groups at once: the correction is for all pairs of models in all groups together, so that
    where models are equal in every group some lead is called measurable in as few runs as `confidence` says.

    Args:
        columns: for each model (queries,) values of the metric, NaN where a query says nothing. Who says nothing in a group isn't in it.
        labels: group of each query, by slice; as in `by_slice`.
        users: (queries,) codes.
        bootstrap: draws, seed and confidence.
        lower_is_better: what it is to lead.
        more: further variance of a model's mean, as in `compare_paired`; a seed moves a group as much as all.

    Returns:
        slice, group, order, queries, people, leader, model, difference (the leader's minus the model's), low, high, p_adjusted; in each
        group the model that is nearest to the leader comes first. low, high and p_adjusted are null where too few people differ.

    Cost: (groups * models)^2 * (min(people, 16,384) + draws).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> city, base = pl.Series(["Riga", "Oslo"] * 300), rng.random(600)
    >>> models = {"EASE": base + np.where(city == "Riga", 0.1, 0) + 0.1 * rng.random(600), "Popularity": base + 0.1 * rng.random(600)}
    >>> table = leads_within(models, {"city": city}, np.arange(600))
    >>> table.filter(pl.col("p_adjusted") < 0.05).select("group", "leader").rows()
    [('Riga', 'EASE')]
    """
    persons = persons_of(users)
    groups = list(_groups(columns, labels, persons, lower_is_better, more or {}))
    rows, correction = [], _correction(groups, bootstrap)
    for group in groups:
        leads = {
            b if a == group.leader else a: one if a == group.leader else one.turned
            for (a, b), one in group.pairs.items()
            if group.leader in (a, b)
        }
        for model, one in sorted(leads.items(), key=lambda lead: abs(lead[1].value)):
            rows.append((*group.about, group.leader, model, one.value, *correction.interval(one), correction.p(one)))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(pl.selectors.float().fill_nan(None))


@dataclass(frozen=True, eq=False)
class _Group:
    """One group: its slice, name, place, queries and people; who leads; every pair of models; the parts (buckets, models) of their means."""

    about: tuple[str, str, int, int, int]
    leader: str
    pairs: Mapping[tuple[str, str], Difference]
    parts: Float64


def _groups(
    columns: Mapping[str, Float64], labels: Mapping[str, pl.Series], persons: Int64, lower_is_better: bool, more: Mapping[str, float]
) -> Iterator[_Group]:
    for name, order, group, index in groups_of(labels, len(persons)):
        inside = {model: np.asarray(values, np.float64)[index] for model, values in columns.items()}
        inside = {model: values for model, values in inside.items() if not np.isnan(values).all()}
        said = ~np.isnan(list(inside.values())).any(axis=0) if inside else np.zeros(0, np.bool_)
        if said.sum() < FEWEST or len(inside) < 2:
            continue
        inside = {model: values[said] for model, values in inside.items()}
        whose = persons[index][said]
        state = Buckets.of(list(inside.values()), whose)
        yield _Group(
            (name, group, order, len(whose), len(np.unique(whose))), best_of(inside, lower_is_better), *_pairs(list(inside), state, more)
        )


def _pairs(models: Sequence[str], state: Buckets, more: Mapping[str, float]) -> tuple[dict[tuple[str, str], Difference], Float64]:
    """Every pair of models, and the parts (buckets, models) of their means: people of one bucket count as one."""
    used = state.counts[:, 0] > 0
    parts = np.zeros((BUCKETS, len(models)))
    parts[used] = state.jackknife().parts
    people = int(used.sum())
    jackknife = Jackknife.of(_between(parts[used]), np.full(len(models) * (len(models) - 1) // 2, people))
    sums, values = _between(state.sums[used]), _between(state.value[None])[0]
    sums[np.abs(sums) < ROUNDING * np.abs(state.sums).max(initial=0.0)] = 0.0
    found = {}
    for i, pair in enumerate(combinations(models, 2)):
        differ = int((sums[:, i] != 0).sum())
        error = float(np.sqrt(jackknife.error[i] ** 2 + sum(more.get(model, 0.0) for model in pair)))
        freedom = float(jackknife.freedom[i])
        found[pair] = Difference(float(values[i]), error, freedom, people, differ, exact_of(sums[:, i], differ))
    return found, parts


def _between(parts: Float64) -> Float64:
    """(rows, pairs) the first minus the second of all pairs of columns."""
    first, second = np.triu_indices(parts.shape[1], 1)
    return parts[:, first] - parts[:, second]


def _correction(groups: Sequence[_Group], bootstrap: Bootstrap) -> Correction:
    """Over all pairs in all groups that have enough people who differ."""
    largest, counted = np.zeros(bootstrap.draws), []
    parts = np.concatenate([np.zeros((BUCKETS, 0)), *(group.parts for group in groups)], axis=1)
    sums = drawn(parts[parts.any(axis=1)], bootstrap)
    for group, own in zip(groups, np.split(sums, np.cumsum([g.parts.shape[1] for g in groups]), axis=1), strict=False):
        enough = np.array([one.enough for one in group.pairs.values()])
        counted += [one for one in group.pairs.values() if one.enough]
        largest = np.maximum(largest, largest_of(_between(own)[:, enough], _between(group.parts)[:, enough]))
    return Correction.over(counted, largest, bootstrap)
