"""Metrics by name: "nDCG@10", "repeat Recall@20", "debiased nDCG@10"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.metrics.base import AtK, PerQuery
from vitrina.metrics.beyond import MIUF, Coverage, Gini, IntraListDiversity, MeanPopularity, Serendipity
from vitrina.metrics.graded import ERR, Bpref, Condensed, GradedNDCG, Unjudged
from vitrina.metrics.info import require_metric
from vitrina.metrics.ranking import MAP, MRR, NDCG, HitRate, Precision, Recall, RPrecision
from vitrina.metrics.repeat import Debiased, Explore, Part, Repeat, RepeatShare, Within
from vitrina.metrics.value import Value
from vitrina.protocols import Metric, TableMetric

ACCURACY: dict[str, type[PerQuery]] = {m.label: m for m in (NDCG, Recall, Precision, HitRate, MAP, MRR, RPrecision)}
BEYOND: dict[str, type[AtK]] = {
    m.label: m for m in (Coverage, Gini, MeanPopularity, MIUF, Serendipity, IntraListDiversity, RepeatShare, Value)
}  # fmt: skip
GRADED: dict[str, type[PerQuery]] = {m.label: m for m in (ERR, Unjudged, Bpref)}
GAINS = ("linear", "exponential")
PARTS: dict[str, type[Part]] = {p.word: p for p in (Repeat, Explore, Debiased)}

DEFAULT_METRICS = (
    "nDCG@10", "Recall@10", "Precision@10", "HitRate@10", "MAP@10", "MRR@10",
    "Coverage@10", "Gini@10", "MeanPopularity@10", "MIUF@10", "Serendipity@10",
)  # fmt: skip

CONDENSED = "condensed "
_NAME = re.compile(r"(?:(?P<part>\w+) )?(?P<label>\w+)@(?P<k>[1-9]\d*)")


def metric(name: str | Metric | TableMetric) -> Any:
    """The metric of that name: `label@k`, for the metrics of accuracy also `repeat`, `explore` or `debiased` before it.

    Of grades there are `linear nDCG@k`, `exponential nDCG@k` and ERR, Unjudged and bpref; `condensed` before a name leaves out what was not judged.

    Args:
        name: a name, or a metric, which is returned as it is once it says all that is read of it.

    Raises:
        UnknownNameError: no metric has the name; the message says the closest.
        ParameterError: a metric of your own lacks an attribute; says what to write.

    >>> metric("nDCG@10")
    NDCG()
    >>> metric("repeat Recall@20").name
    'repeat Recall@20'
    >>> metric("ndcg@10")
    Traceback (most recent call last):
    ...
    vitrina.base.errors.UnknownNameError: There is no metric 'ndcg@10'. Did you mean 'nDCG@10'...
    """
    if not isinstance(name, str):
        return require_metric(name)
    if name.startswith(CONDENSED) and name.removeprefix(CONDENSED) in _judged_names(name):
        return Condensed(metric=metric(name.removeprefix(CONDENSED)))
    match = _NAME.fullmatch(name)
    label, part = (match["label"], match["part"]) if match else ("", None)
    if match and label in ACCURACY and (part is None or part in PARTS):
        plain = ACCURACY[label](k=int(match["k"]))
        return plain if part is None else Within(part=PARTS[part](), metric=plain)
    if match and label == GradedNDCG.label and part in GAINS:
        return GradedNDCG(gain=part, k=int(match["k"]))
    if match and part is None and label in (others := BEYOND | GRADED):
        return others[label](k=int(match["k"]))
    raise UnknownNameError.of("metric", name, known_names(int(match["k"]) if match else 10))


def metrics_of(names: Any) -> list[Any]:
    """The metrics of a list of names or metrics.

    Raises:
        ParameterError: it is no list, a metric is named twice, or one of your own lacks something; says what to write.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ParameterError(f"Metrics are given in a list: [{names!r}]. Got {names!r}.")
    metrics = [metric(name) for name in names]
    counts = Counter(m.name for m in metrics)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ParameterError(f"The metrics of an evaluation must be different. {twice[0]!r} is named twice; leave one out.")
    return metrics


def known_names(k: int = 10) -> tuple[str, ...]:
    """Every name that `metric` understands, at the cut-off k; of the condensed ones those of nDCG."""
    plain = [f"{label}@{k}" for label in (*ACCURACY, *BEYOND, *GRADED)]
    parts = [f"{part} {label}@{k}" for part in PARTS for label in ACCURACY]
    graded = [f"{gain} {GradedNDCG.label}@{k}" for gain in GAINS]
    return (*plain, *parts, *graded, *(CONDENSED + name for name in _judged_names(k) if name.endswith(f"{GradedNDCG.label}@{k}")))


def _judged_names(k: int | str) -> list[str]:
    """Names of what can be asked of judged items alone, at a cut-off or that of a name."""
    at = k if isinstance(k, int) else k.rpartition("@")[2]
    return [f"{label}@{at}" for label in ACCURACY] + [f"{gain} {GradedNDCG.label}@{at}" for gain in GAINS]
