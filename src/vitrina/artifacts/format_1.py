"""How the fitted forms were kept in artifacts of format 1: settings as JSON in the bytes of an array, or as numbers. Nothing writes it any more."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.config import from_plain
from vitrina.base.state import Arrays, State
from vitrina.data.features import FeatureTable


def upgraded(form: str, arrays: Arrays) -> State:
    """The state of a form, from the arrays that it was kept in."""
    return UPGRADES[form](dict(arrays))


def item_table(items: pl.DataFrame) -> FeatureTable | None:
    """Of the ids and titles that were kept."""
    return FeatureTable(items.select("title"), {}, "title") if "title" in items.columns else None


def _static(arrays: dict[str, Any]) -> State:
    return State(arrays=arrays)


def _shuffled(arrays: dict[str, Any]) -> State:
    return State({"seed": int(arrays["seed"][0])})


def _personal(arrays: dict[str, Any]) -> State:
    return State({"decay": _decay(_json(arrays.get("decay")))})


def _embeddings(arrays: dict[str, Any]) -> State:
    return State({"decay": _decay(_json(arrays.pop("decay", None)))}, arrays)


def _item_map(arrays: dict[str, Any]) -> State:
    reading = _json(arrays.pop("settings"))
    reading.pop("notes")  # the manifest has them too
    reading |= {"combine": from_plain({"name": reading["combine"]}), "decay": _decay(reading["decay"])}
    width = {} if "weights" in arrays else {"dim": np.array([len(arrays["indptr"]) - 1])}
    return State({"reading": reading}, arrays | width)


def _neighbours(arrays: dict[str, Any]) -> State:
    within, between, groups, newest = arrays.pop("profile").tolist()
    profile = {"within": within, "between": between, "groups": int(groups), "short": "newest" if newest else "oldest"}
    neighbours, alpha = arrays.pop("settings").tolist()
    people = _people(arrays.pop("people", None), arrays.pop("people_bytes", None))
    return State({"profile": profile, "neighbours": int(neighbours), "alpha": alpha}, arrays, people)


def _encoded(arrays: dict[str, Any]) -> State:
    answering = from_plain(_json(arrays.pop("answering")))
    codings = {name: _coding(arrays.pop(name)) for name in list(arrays) if name.endswith(".coding")}
    users = codings.pop("users.coding", None)
    config = {
        "answering": answering,
        "codings": {name.removeprefix("embed."): coding for name, coding in codings.items()},
        "users": None if users is None else {"coding": users},
    }
    return State(config, arrays)


UPGRADES: Mapping[str, Callable[[dict[str, Any]], State]] = {
    "Embeddings": _embeddings,
    "Encoded": _encoded,
    "ItemMap": _item_map,
    "Neighbours": _neighbours,
    "Personal": _personal,
    "Shuffled": _shuffled,
    "Static": _static,
}


def _json(array: NDArray[Any] | None) -> Any:
    return None if array is None else json.loads(np.asarray(array).tobytes())


def _decay(parts: list[dict[str, Any]] | None) -> Any:
    """The decay whose curves were kept: several of them are the product."""
    curves = from_plain(parts or [])
    return from_plain({"name": "All", "of": parts}) if len(curves) > 1 else curves[0] if curves else None


def _people(ids: NDArray[Any] | None, lengths: NDArray[Any] | None) -> dict[str, pl.DataFrame | bytes]:
    """Ids as whole numbers, or as the bytes of texts and how many each has; older artifacts have none."""
    if ids is None:
        return {}
    if lengths is None:
        return {"people": pl.DataFrame({"id": np.array(ids, np.int64)})}
    ends, body = np.cumsum(lengths).tolist(), ids.tobytes()
    texts = [body[first:last].decode() for first, last in zip([0, *ends], ends, strict=False)]
    return {"people": pl.DataFrame({"id": pl.Series(texts, dtype=pl.String)})}


def _coding(array: NDArray[Any]) -> dict[str, Any]:
    """The values of each category, or mean, deviation, low and high of each number; earlier ones had no range."""
    names = ("mean", "deviation", "low", "high")
    return {name: dict(zip(names, terms, strict=False)) if isinstance(terms, list) else terms for name, terms in _json(array).items()}
