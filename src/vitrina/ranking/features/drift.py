"""Whether features are still what they were: their distribution at the fit, kept as a table, beside that of now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from vitrina.types import Float32, Float64

TENTHS = np.arange(1, 10) / 10
LEAST = 1e-4  # of a share: the logarithm of nothing is no number


def statistics(names: Sequence[str], values: Float32) -> pl.DataFrame:
    """One row per feature: `feature`, `pairs`, `missing` (share), `mean`, `edges` (the different deciles of what is there), `shares` (between
    the edges and beyond, of what is there).

    Args:
        names: of the features.
        values: (pairs, features), NaN where one is missing, as `FeatureSet.compute` gives them.

    >>> import numpy as np
    >>> statistics(["price"], np.array([[1], [2], [np.nan], [2]], np.float32)).row(0)
    ('price', 4, 0.25, 1.6666666666666667, [1.0, 2.0], [0.0, 0.3333333333333333, 0.6666666666666666])
    """
    rows = []
    for name, column in zip(names, values.T, strict=True):
        known = np.sort(column[~np.isnan(column)].astype(np.float64))
        edges = np.unique(known[(TENTHS * (len(known) - 1)).astype(np.int64)]) if len(known) else np.empty(0)
        rows.append({
            "feature": name, "pairs": len(column), "missing": float(1 - len(known) / max(len(column), 1)),
            "mean": float(known.mean()) if len(known) else None, "edges": edges.tolist(), "shares": _shares(known, edges).tolist(),
        })  # fmt: skip
    schema = {"feature": pl.String, "pairs": pl.Int64, "missing": pl.Float64, "mean": pl.Float64} | dict.fromkeys(
        ("edges", "shares"), pl.List(pl.Float64)
    )
    return pl.DataFrame(rows, schema=schema)


def drift(kept: pl.DataFrame, names: Sequence[str], values: Float32) -> pl.DataFrame:
    """How far features are from what they were at the fit, the furthest first.

    `drift` is the population stability index over the deciles of the fit, with what is missing as one more bin: sum over bins of
    (now - then) log(now / then), shares of at least 0.0001. Below 0.1 little has changed, above 0.25 much has. Beside it `missing_then`, `missing_now`,
    `mean_then`, `mean_now`.

    Args:
        kept: what `statistics` said at the fit; a feature that it doesn't name is left out.
        names: of the features of now.
        values: (pairs, features) of now, NaN where one is missing.

    >>> import numpy as np
    >>> then, now = np.arange(100, dtype=np.float32)[:, None], np.arange(50, 150, dtype=np.float32)[:, None]
    >>> drift(statistics(["price"], then), ["price"], now).select("feature", "mean_then", "mean_now").row(0)
    ('price', 49.5, 99.5)
    """
    rows = []
    for then in kept.iter_rows(named=True):
        if then["feature"] not in names:
            continue
        column = values[:, list(names).index(then["feature"])].astype(np.float64)
        known = column[~np.isnan(column)]
        missing = 1 - len(known) / max(len(column), 1)
        before = np.append(np.array(then["shares"]) * (1 - then["missing"]), then["missing"])
        after = np.append(_shares(np.sort(known), np.array(then["edges"])) * (1 - missing), missing)
        rows.append({
            "feature": then["feature"], "drift": psi(before, after), "missing_then": then["missing"], "missing_now": missing,
            "mean_then": then["mean"], "mean_now": float(known.mean()) if len(known) else None,
        })  # fmt: skip
    schema = dict.fromkeys(("drift", "missing_then", "missing_now", "mean_then", "mean_now"), pl.Float64)
    return pl.DataFrame(rows, schema={"feature": pl.String} | schema).sort("drift", descending=True, maintain_order=True)


def psi(before: Float64, after: Float64) -> float:
    """The population stability index of two distributions over the same bins."""
    then, now = np.maximum(before, LEAST), np.maximum(after, LEAST)
    return float(((now - then) * np.log(now / then)).sum())


def _shares(known: Float64, edges: Float64) -> Float64:
    """The shares of sorted numbers below the first edge, from each edge to the next, and from the last on."""
    counts = np.diff(np.concatenate([[0], np.searchsorted(known, edges, side="left"), [len(known)]]))
    return counts / max(len(known), 1)
