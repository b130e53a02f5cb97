"""What is said of a place of a list, in words for a line on the screen and a cell of a CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

MOST = 3  # features on a line of the screen
NOT_SAID = (
    "This model says no more of a place than its lists do: source, score{}. Sources by place, what is expected and the features that weigh "
    "most come from a TwoStage; fit one with: vitrina fit CONFIG --model NAME"
)


def missing(table: pl.DataFrame) -> str | None:
    """What to tell where a model doesn't explain; None where it does."""
    if "features" in table.columns or "sources" in table.columns:
        return None
    others = [name for name in ("relevance", "rank_before", "reasons") if name in table.columns]
    return NOT_SAID.format("".join(f", {name}" for name in others))


def source(row: Mapping[str, Any]) -> str:
    """Whose lists have the item, and at which place: "favourites 1, EASE 14"."""
    if row["source"] == "fallback":
        return "popular"
    return ", ".join(f"{s['source']} {s['place']}" for s in row.get("sources") or ()) or row["source"]


def why(row: Mapping[str, Any]) -> str:
    """Reasons, what is expected, and the features that weigh most."""
    said = []
    if "rank_before" in row and row["rank_before"] != row["rank"]:
        said.append("from below" if row["rank_before"] is None else f"from {row['rank_before']}")
    said += row.get("reasons") or ()
    heads = row.get("heads") or ()
    said += [f"{head['head']} {head['expected']:.3g}" for head in heads]
    features = (row.get("features") or ())[:MOST]
    said += [_feature(feature, len(heads) > 1) for feature in features]
    return "; ".join(said)


def _feature(feature: Mapping[str, Any], several: bool) -> str:
    """A feature with its value and what it adds; with several heads, to which."""
    value = "missing" if feature["value"] is None else f"{feature['value']:.4g}"
    return f"{feature['feature']} {value} ({feature['adds']:+.2g}{' to ' + feature['head'] if several else ''})"
