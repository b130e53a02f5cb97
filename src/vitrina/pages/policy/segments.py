"""Who gets what: the share of each arm in each slice of the features, and what the policy brings there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.evaluate.interval import mean_interval
from vitrina.pages.policy.view import View, told
from vitrina.report.html import Column, Html, el, join, section, table
from vitrina.report.words import between, count, decimals, fixed, half_width, percent, signed

MOST_VALUES, MOST_FEATURES, PARTS = 6, 8, 4


def segments(view: View) -> Html | None:
    """Section: one table per feature. None without features, or without a value of the policy."""
    study = view.study
    features = study.log.units.features
    chances = study.chances.get(study.found.shown)
    if not features.width or chances is None:
        return None
    parts = [_feature(view, name, chances) for name in features.columns[:MOST_FEATURES]]
    left = features.width - MOST_FEATURES
    more = el("p", f"The first {MOST_FEATURES} of {features.width} features.", class_="sub") if left > 0 else None
    said = f"Shares of the arms that {study.found.shown} gives, per slice, and what it brings there over {study.baseline}. Intervals are per slice and not corrected for their number: look for a pattern, not for the one slice that stands out."
    return section("segments", "Who gets what", el("p", said, class_="finding"), join(parts), more)


def _feature(view: View, name: str, chances: NDArray[Any]) -> Html:
    study = view.study
    rows = [(label, *_numbers(view, where, chances)) for label, where in slices(study.log.units.features[name])]
    wide = decimals([d for *_, d, _, _ in rows], [half_width(low, high) for *_, low, high in rows])
    columns = [
        Column(name, number=False, class_="first"),
        Column("Decisions"),
        *(Column(arm) for arm in study.log.arms),
        Column(f"Over {study.baseline}"),
    ]
    body = [
        [
            label,
            count(n),
            *(share(s) for s in shares),
            el("span", f"{signed(d, wide)} {between(low, high, wide)}", class_=_class(low, high)),
        ]
        for label, n, shares, d, low, high in rows
    ]
    return table(columns, body, caption=f"By {name}", class_="metrics")


def _numbers(view: View, where: NDArray[np.bool_], chances: NDArray[Any]) -> tuple[int, list[float], float, float, float]:
    """How many decisions, the share of each arm, and the paired difference from the baseline with its interval."""
    study = view.study
    nan = float("nan")
    base = study.chances.get(study.baseline)
    if base is None:
        return int(where.sum()), chances[where].mean(axis=0).tolist(), nan, nan, nan
    gain = ((chances[where] - base[where]) * study.scores[where]).sum(axis=1)
    low, high = mean_interval(gain, study.log.clusters[where], study.confidence)
    return int(where.sum()), chances[where].mean(axis=0).tolist(), float(gain.mean()), low, high


def _class(low: float, high: float) -> str:
    return told({"difference_low": low, "difference_high": high})


def share(value: float, width: int = 56) -> Html:
    """A share with a bar of its length, for a table's cell."""
    bar = el("rect", x=0, y=4, width=max(value * width, 0.5), height=10, class_="other")
    drawn = el("svg", bar, viewBox=f"0 0 {width} 18", width=width, height=18, class_="cell", aria_hidden="true")
    return el("span", percent(value, 0), " ", drawn, class_="share")


def slices(column: pl.Series) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Parts of a feature with their names: its commonest values, or quarters of a number; and those who have none."""
    known = column.is_not_null().to_numpy()
    if column.dtype.is_numeric() and column.n_unique() > MOST_VALUES:
        yield from _quarters(column)
    else:
        whole = column.dtype.is_float() and (column.drop_nulls() == column.drop_nulls().round()).all()
        names = (column.cast(pl.Int64) if whole else column).cast(pl.String)
        values = names.drop_nulls().value_counts(sort=True).to_series().to_list()
        common = values[: MOST_VALUES - (len(values) > MOST_VALUES)]
        for value in sorted(common) if len(values) <= MOST_VALUES else common:
            yield value, (names == value).fill_null(value=False).to_numpy()
        if len(values) > len(common):
            yield f"{len(values) - len(common):,} others", (known & ~names.is_in(common).fill_null(value=False).to_numpy())
    if not known.all():
        yield "unknown", ~known


def _quarters(column: pl.Series) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Parts of a number with about as many rows each; ties stay together."""
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    ends = np.unique(np.nanquantile(values, np.linspace(0, 1, PARTS + 1)[1:]))
    before = -np.inf
    for end in ends.tolist():
        where = (values > before) & (values <= end)
        if where.any():
            first, last = np.nanmin(values[where]), np.nanmax(values[where])
            yield _range(float(first), float(last)), where
        before = end


def _range(first: float, last: float) -> str:
    places = decimals([first, last]) if first != int(first) or last != int(last) else 0
    return fixed(first, places) if first == last else f"{fixed(first, places)} to {fixed(last, places)}"
