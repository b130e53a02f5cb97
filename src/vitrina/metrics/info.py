"""What a metric says of itself, apart from the metric: this travels with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from vitrina.base.errors import DataError, ParameterError
from vitrina.grades import require_grades
from vitrina.protocols import Metric, TableMetric

NEEDS = (
    "truth",
    "history",
    "popularity",
    "vectors",
    "values",
    "grades",
    "queries",
)  # what a metric may read beside a list; the last: the other queries
WHAT_TO_WRITE = {
    "name": 'name = "Mine@10", with every parameter in it',
    "k": "k = 10, the places that it reads, or 0 for whole lists",
    "lower_is_better": "lower_is_better = False, or True",
    "needs": f'needs = frozenset({{"truth"}}), what it reads of {", ".join(NEEDS)}',
    "definition": 'definition = "...", what it measures in a sentence',
}


@final
@dataclass(frozen=True)
class MetricInfo:
    """A metric's name, depth, direction, needs and definition, without the metric."""

    name: str
    k: int  # 0 for whole lists
    lower_is_better: bool
    needs: frozenset[str]
    definition: str
    in_words: str = ""  # the same for who doesn't read formulas, where the metric says it

    @classmethod
    def of(cls, metric: Metric | TableMetric) -> MetricInfo:
        """What the metric says of itself."""
        words = str(getattr(metric, "in_words", ""))
        return cls(metric.name, int(metric.k), metric.lower_is_better, frozenset(metric.needs), metric.definition, words)

    @property
    def about_hits(self) -> bool:
        """Whether it is a metric of accuracy: it asks what was right, whoever else took it."""
        return "truth" in self.needs and "popularity" not in self.needs

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "name": self.name, "k": self.k, "lower_is_better": self.lower_is_better, "needs": sorted(self.needs), "definition": self.definition,
        }  # fmt: skip


def require_metric(metric: Any) -> Metric | TableMetric:
    """The metric, if it says all that is read of it.

    Raises:
        ParameterError: an attribute is missing or of another kind; says what to write.
    """
    if isinstance(metric, type):
        raise ParameterError(f"The metric {metric.__name__} is a class. Give an object: {metric.__name__}().")
    named = type(metric).__name__
    for attribute, write in WHAT_TO_WRITE.items():
        if not hasattr(metric, attribute):
            raise ParameterError(f"The metric {named} has no attribute {attribute!r}. Write in its class: {write}.")
        value = getattr(metric, attribute)
        if not _fits(attribute, value):
            raise ParameterError(f"The attribute {attribute!r} of the metric {named} is {value!r}. Write in its class: {write}.")
    of_queries, of_tables = hasattr(metric, "per_query"), all(hasattr(metric, name) for name in ("state", "merge", "value"))
    if of_queries == of_tables:
        raise ParameterError(
            f"The metric {named} must have either a method per_query(judged), for a value per query, or the methods state(judged), "
            f"merge(left, right) and value(state), for one number of all lists. It has {'both' if of_queries else 'neither'}."
        )
    return metric


def _fits(attribute: str, value: Any) -> bool:
    if attribute in ("name", "definition"):
        return isinstance(value, str) and bool(value.strip())
    if attribute == "k":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if attribute == "needs":
        return isinstance(value, (frozenset, set)) and value <= set(NEEDS)
    return isinstance(value, bool)


def require_judgements(metrics: Sequence[Metric | TableMetric], grades: Any) -> None:
    """Refuse metrics of what was judged where nobody judged.

    Raises:
        DataError: a metric needs grades, and there are none.
    """
    for metric in metrics:
        if "grades" in metric.needs:
            require_grades(grades, metric.name)


def require_per_query(metric: Metric | TableMetric, what: str = "primary metric") -> Metric:
    """The metric, if it has a value for each query.

    Raises:
        ParameterError: it is one number of all lists.
    """
    if isinstance(metric, Metric):
        return metric
    raise ParameterError(f"The {what} must have a value for each query, and {metric.name} is one number of all lists. Take nDCG@10.")


def require_vectors(metrics: Sequence[Metric | TableMetric], vectors: Any) -> None:
    """Refuse metrics of distances between items where there are no vectors of items.

    Raises:
        DataError: a metric needs vectors, and there are none.
    """
    for metric in metrics:
        if vectors is None and "vectors" in metric.needs:
            raise DataError(f"{metric.name} needs a vector for each item, and there are none. Give vectors=..., or leave the metric out.")


def require_values(metrics: Sequence[Metric | TableMetric], values: Any) -> None:
    """Refuse metrics of what items are worth where the log has no values.

    Raises:
        DataError: a metric needs them, and there are none.
    """
    for metric in metrics:
        if values is None and "values" in metric.needs:
            raise DataError(
                f"{metric.name} needs to know what items are worth, and the log has no values. Read it with value='price', or the like, or leave the metric out."
            )
