"""What two stages know of themselves from their window: which features matter, what a calibration keeps, what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from vitrina.ranking.features.base import FeatureSet
from vitrina.ranking.heads import FittedHead
from vitrina.ranking.window import Lesson
from vitrina.types import Float32, Float64

BANDS = 10  # of pairs, by what is expected of them


def importance_tables(heads: Sequence[FittedHead], features: FeatureSet) -> dict[str, pl.DataFrame]:
    """`importances` and `groups`: the share of each feature, and of each group, in what a head learned. Empty for rankers that don't say it."""
    gains = [(head.name, getattr(head.ranker, "gains", None)) for head in heads]
    parts = [
        pl.DataFrame({"head": name, "feature": features.names, "group": features.groups, "share": np.asarray(shares, np.float64)})
        for name, shares in gains
        if shares is not None
    ]
    if not parts:
        return {}
    table = pl.concat(parts).sort("head", "share", descending=[False, True], maintain_order=True)
    groups = table.group_by("head", "group", maintain_order=True).agg(pl.col("share").sum(), pl.len().alias("features"))
    return {"importances": table, "groups": groups.sort("head", "share", descending=[False, True], maintain_order=True)}


def calibration_table(heads: Sequence[FittedHead], expected: Float64, outcomes: Float32) -> pl.DataFrame:
    """For each head ten bands of as many pairs by what is expected of them: the mean that was expected, and the mean that came."""
    rows = []
    for h, head in enumerate(heads):
        order = np.argsort(expected[:, h], kind="stable")
        for band, part in enumerate(np.array_split(order, BANDS), 1):
            rows.append({
                "head": head.name, "band": band, "pairs": len(part), "expected": float(expected[part, h].mean()) if len(part) else None,
                "came": float(outcomes[part, h].mean()) if len(part) else None,
            })  # fmt: skip
    return pl.DataFrame(rows)


def missing_table(lesson: Lesson, features: FeatureSet) -> pl.DataFrame:
    """For which share of the pairs of the window each feature is missing, and what stands there."""
    defaults = [group.default for group, width in zip(features.features, features.widths, strict=True) for _ in range(width)]
    share = lesson.missing / max(lesson.pairs, 1)
    return pl.DataFrame(
        {"feature": features.names, "group": features.groups, "missing": share, "default": pl.Series(defaults, dtype=pl.Float64)}
    )
