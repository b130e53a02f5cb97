"""All numbers of a benchmark's quality together: from values per query to one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from scipy.special import stdtrit

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.evaluate.bootstrap import Bootstrap, drawn
from vitrina.evaluate.quality.orders import AGREEMENT, at_checkpoints, monotonicity, order_agreement
from vitrina.evaluate.quality.record import LIKELY, NEVER, OPEN, SIZES, STABLE, TABLE, Quality
from vitrina.evaluate.quality.signal import signal_to_noise
from vitrina.evaluate.quality.stable import Stability, people_apart, stable_size
from vitrina.evaluate.quality.values import ModelValues
from vitrina.evaluate.quality.words import sentences
from vitrina.types import Float64

DRAWS = 2000  # of two orders beside each other
PAIR = 0.95  # confidence for a pair of models


def quality_of(
    values: Sequence[ModelValues],
    primary: str | None = None,
    *,
    curves: Mapping[str, Sequence[float]] | None = None,
    of_curves: str = "",
    rules: Mapping[str, Mapping[str, float]] | None = None,
    sizes: pl.DataFrame | None = None,
    ties: float | None = None,
    tau: float = 0.8,
    share: float = 0.9,
    confidence: float = 0.9,
    seed: int = 0,
    rule: str = "",
) -> Quality:
    """Which of some metrics to believe on a log, and how many people an order of these models takes.

    What is not there is not guessed: the record says that seeds, folds, checkpoints or other rules are unknown.

    Args:
        values: of each metric, the same models.
        primary: the metric that decides; None is the first.
        curves: of each model that learns in epochs the value after each, more is better (`of_curves` names the metric).
        rules: the primary metric of each model by the name of a split rule, more is better; the first is the rule of `values`.
        sizes: models fitted again on parts of the people, with the columns of `Quality.sizes`.
        ties: share of the targets that the order of rows alone decides.
        tau, share, confidence, seed: as in `stable_size`.
        rule: how the questions were made, for the sentences.

    Raises:
        ParameterError: there is no metric, one is there twice, or one has fewer than two models.
        UnknownNameError: the primary metric is none of them.

    >>> rng = np.random.default_rng(0)
    >>> base, users = rng.random(900), np.arange(900)
    >>> columns = {name: base + 0.2 * rng.normal(size=900) + by for name, by in (("EASE", 0.06), ("KNN", 0.03), ("Popularity", 0.0))}
    >>> found = quality_of([ModelValues("nDCG@10", columns, users)])
    >>> found.trusted, found.row("nDCG@10")["first"]
    ('nDCG@10', 'EASE')
    """
    named = {one.metric: one for one in values}
    if not named or len(named) != len(values):
        raise ParameterError(
            f"The quality of a comparison is asked by one metric or more, each once. Got {[one.metric for one in values]}."
        )
    primary = next(iter(named)) if primary is None else primary
    if primary not in named:
        raise UnknownNameError.of("metric", primary, named)
    found = {name: stable_size(one, tau=tau, share=share, confidence=confidence, seed=seed) for name, one in named.items()}
    table = pl.DataFrame([_row(one, found[name], seed) for name, one in named.items()], schema=TABLE, orient="row")
    curves = curves or {}
    tables = {
        "table": table,
        "agreement": _agreement(named, primary, curves, of_curves, rules or {}, seed),
        "curve": pl.concat([one.curve for one in found.values()]),
        "monotonicity": monotonicity(curves, of_curves),
        "sizes": pl.DataFrame(schema=SIZES) if sizes is None else sizes.select(pl.col(name).cast(kind) for name, kind in SIZES.items()),
    }
    trusted = _trusted(table, primary)
    about: dict[str, Any] = {
        "primary": primary,
        "trusted": trusted,
        "ties": ties,
        "tau": tau,
        "share": share,
        "confidence": confidence,
        "rule": rule,
    }
    quality = Quality(sentences=(), **tables, **about)
    return Quality(sentences=tuple(sentences(quality, named[primary], found[primary].same)), **tables, **about)


def _row(values: ModelValues, found: Stability, seed: int) -> tuple[Any, ...]:
    apart, noise = people_apart(values, PAIR), signal_to_noise(values, PAIR, seed)
    pairs, told = _told(values)
    stable = [getattr(part, name) for part in (found.order, found.first) for name in ("size", "low", "high", "now")]
    numbers = asdict(apart)
    first, second = numbers.pop("first"), numbers.pop("second")
    return (
        values.metric, values.people, len(values.models), pairs, told, first, second, *numbers.values(),
        noise.signal, noise.noise, noise.ratio, noise.low, noise.high, *stable, noise.freedom, found.least, _verdict(found, values.people),
    )  # fmt: skip


def _verdict(found: Stability, people: int) -> str:
    """Of the order with as many people as these."""
    if found.order.high <= people:
        return STABLE
    return LIKELY if found.order.size <= people else NEVER if found.order.size == float("inf") else OPEN


def _told(values: ModelValues) -> tuple[int, int]:
    """How many pairs of models differ somewhere, and how many of them by more than the interval of their difference, each by itself."""
    first, second = np.triu_indices(len(values.means), 1)
    parts = values.jackknife.parts
    error = np.sqrt(
        ((parts[:, first] - parts[:, second]) ** 2).sum(axis=0)
        + values.pooled(own=True) * (values.shares()[first] + values.shares()[second])
    )
    differs = np.array([(values.columns[i] != values.columns[j]).any() for i, j in zip(first, second, strict=True)])
    reach = float(stdtrit(max(values.people - 1, 1), (1 + PAIR) / 2)) * error
    return int(differs.sum()), int((differs & (np.abs(values.means[first] - values.means[second]) > reach)).sum())


def _trusted(table: pl.DataFrame, primary: str) -> str:
    """The metric that needs the fewest people for a stable order; the primary one where it needs no more than a tenth more."""
    best = table.sort("stable", maintain_order=True).row(0, named=True)
    own = table.row(by_predicate=pl.col("metric") == primary, named=True)
    return primary if own["stable"] <= 1.1 * best["stable"] else best["metric"]


def _agreement(
    named: Mapping[str, ModelValues], primary: str, curves: Mapping[str, Sequence[float]], of_curves: str,
    rules: Mapping[str, Mapping[str, float]], seed: int,
) -> pl.DataFrame:  # fmt: skip
    by_metric = {name: dict(zip(one.models, one.means.tolist(), strict=True)) for name, one in named.items()}
    parts = [pl.DataFrame(schema=AGREEMENT), *(_folds(one, seed) for one in named.values())]
    parts.append(order_agreement(by_metric, "metrics"))
    parts.append(order_agreement(rules, "rules", primary))
    parts.append(at_checkpoints(curves, of_curves))
    return pl.concat(parts)


def _folds(values: ModelValues, seed: int) -> pl.DataFrame:
    """Each pair of folds, with what doubt alone would leave of their agreement."""
    folds = {str(number): dict(zip(values.models, means.tolist(), strict=True)) for number, means in values.fold_means.items()}
    table = order_agreement(folds, "folds", values.metric)
    expected = []
    for row in table.iter_rows(named=True):
        drawn_tau = tau_by_doubt(values, values.people_of(int(row["one"])), values.people_of(int(row["other"])), seed)
        seen = row["tau"]
        expected.append((float(drawn_tau.mean()), None if seen is None else float((drawn_tau <= seen + 1e-9).mean())))
    if not expected:
        return table
    return table.with_columns(
        expected=pl.Series([e for e, _ in expected], dtype=pl.Float64), chance=pl.Series([c for _, c in expected], dtype=pl.Float64)
    )


def tau_by_doubt(values: ModelValues, one: int, other: int, seed: int = 0) -> Float64:
    """(draws,) tau between two comparisons of so many other people each, if the means are as seen: what people and seeds alone leave."""
    first, second = np.triu_indices(len(values.means), 1)
    signs = []
    for number, people in enumerate((one, other)):
        z = drawn(values.jackknife.parts, Bootstrap(draws=DRAWS, seed=seed + 17 + number)) * np.sqrt(values.people / max(people, 1))
        w = np.random.default_rng([seed, 17 + number]).standard_normal(z.shape) * np.sqrt(values.pooled(own=True) * values.shares())
        seen = values.means + z + w
        signs.append(np.sign(seen[:, first] - seen[:, second]))
    return (signs[0] * signs[1]).mean(axis=1)
