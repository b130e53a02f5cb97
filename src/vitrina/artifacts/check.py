"""A question that is asked when an artifact is written, and again when it is read: the answers must be the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from vitrina.base.errors import DataError
from vitrina.policy.policies import Policy, chances_of
from vitrina.protocols import Recommender
from vitrina.rerank import RerankedLists
from vitrina.types import Eligibility, Queries

HISTORY = 3  # the most popular items, the most popular one last
K = 5
ROUNDING = 1e-3  # of the largest score: what another processor may make of the same sums


def ask(fitted: Any, before: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The answer of a recommender to one history, or of a policy about units that it makes up itself, in plain values; None of what answers nobody.

    Args:
        before: an earlier answer, whose history is asked about again; None: that of the most popular items.
    """
    if isinstance(fitted, Policy):
        return _chances(fitted)
    if not hasattr(fitted, "recommend"):
        return None
    return _list(fitted, None if before is None else before["history"])


def _chances(policy: Policy) -> dict[str, Any]:
    """Those that a policy gives units which nobody is; empty where it makes up none."""
    made_up = getattr(policy, "examples", None)
    units = None if made_up is None else made_up()
    return {"arms": [] if units is None else list(units.arms), "chances": [] if units is None else chances_of(policy, units).tolist()}


def _list(recommender: Recommender, history: list[Any] | None) -> dict[str, Any]:
    vocabulary = recommender.vocabulary
    if history is None:
        catalogue = getattr(recommender, "catalogue", None)
        popular = np.arange(min(HISTORY, len(vocabulary))) if catalogue is None else catalogue.by_popularity[:HISTORY]
        history = vocabulary.decode(popular[::-1]).to_list()
    try:
        lists = recommender.recommend(Queries.of_histories(vocabulary, [history]), K, eligible=Eligibility(repeat=True))
    except DataError:  # rules may need a context, which only a request has: then the model beneath is asked
        if not isinstance(recommender, RerankedLists):
            raise
        return _list(recommender.recommender, history)
    shown = lists.items[0] >= 0
    scores = [float(score) if math.isfinite(score) else None for score in lists.scores[0][shown]]
    return {"history": history, "items": vocabulary.decode(lists.items[0][shown]).to_list(), "scores": scores}


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """How two answers to one question differ, in words; None where they are the same but for rounding, and the order of what it ties."""
    if "chances" in before:
        return _moved(before, now)
    old, new = (list(zip(answer["items"], answer["scores"], strict=True)) for answer in (before, now))
    if len(old) != len(new):
        return f"the list had {len(old)} items and has {len(new)}"
    slack = ROUNDING * max([abs(score) for _, score in old if score is not None], default=0.0)
    last = next((score for _, score in reversed(old) if score is not None), None)
    new_scores = dict(new)
    for place, ((item, score), (new_item, new_score)) in enumerate(zip(old, new, strict=True), 1):
        tied = score is not None and (_near(score, new_scores.get(item), slack) or _near(score, last, slack))
        if not (_near(score, new_score, slack) and (item == new_item or tied)):
            return f"place {place} of the list was {item!r} ({_in_words(score)}) and is {new_item!r} ({_in_words(new_score)})"
    return None


def _moved(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """How the chances of a policy differ."""
    old, new = (np.array(answer["chances"]) for answer in (before, now))
    if before["arms"] != now.get("arms") or old.shape != new.shape:
        return f"its arms were {', '.join(before['arms'])} and are {', '.join(now.get('arms', ()))}"
    apart = np.abs(old - new)
    if not old.size or apart.max() <= ROUNDING:
        return None
    row, arm = np.unravel_index(int(apart.argmax()), apart.shape)
    return f"the chance of {before['arms'][arm]!r} was {old[row, arm]:.6g} and is {new[row, arm]:.6g}"


def _near(score: float | None, other: float | None, slack: float) -> bool:
    return score is other if score is None or other is None else abs(score - other) <= slack


def _in_words(score: float | None) -> str:
    return "no score" if score is None else f"{score:.6g}"
