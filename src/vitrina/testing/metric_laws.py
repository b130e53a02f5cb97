"""The laws that every metric keeps; one line in a test holds a metric to them, your own too."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from vitrina.base.config import Config
from vitrina.catalogue import Catalogue
from vitrina.grades import Grades
from vitrina.metrics.info import MetricInfo, require_metric
from vitrina.metrics.judged import Judged
from vitrina.protocols import Metric, TableMetric
from vitrina.testing.cases import BrokenLawError, NotAskedError
from vitrina.testing.contract import ContractReport, held_to
from vitrina.types import Bool, Events, Float64, Int32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

ITEMS, QUERIES = 30, 60
LEAST_DEPTH = 12  # places of the lists, for a metric that reads fewer
CLOSE = 1e-9


def check_metric(metric: Metric | TableMetric, judged: Judged | None = None, *, laws: Iterable[str] | None = None) -> ContractReport:
    """Hold a metric to the laws of a metric; raise if it breaks one.

    | law | what it says |
    |---|---|
    | `says` | it has name, k, direction, needs and a definition in a sentence, and either a value per query or a state |
    | `named` | with another parameter it has another name |
    | `values` | a value per query is float64 and finite, or NaN; the value of a table is a number |
    | `nobody` | no queries at all have no values, and no error |
    | `again` | judging twice gives the same, and changes neither lists nor truth |
    | `alone` | a query alone gets what it gets among others |
    | `permuted` | queries in another order have their values in that order |
    | `merged` | merged states of parts are the state of the whole, in whatever order |
    | `pads` | empty places at the end of a list change nothing |
    | `twice` | an item that a list or a truth names again counts once |
    | `depth` | what is listed after place k changes nothing |
    | `better` | a list whose hit moves up, or that gets one more, is not worse in the direction that it says |
    | `needs` | what it doesn't say it needs may be another, or missing: truth, histories, popularity, vectors |

    Args:
        metric: a metric with a value per query, or of the whole table of lists.
        judged: lists with their truth; made up if not given: 60 lists with everything that can be odd about them.
        laws: only these.

    Returns:
        The laws kept, and those that could not be asked.

    Raises:
        ContractError: a law is broken; the message has the first counterexample of each.
        UnknownNameError: there is no such law.
        ParameterError: it lacks what everybody reads of a metric; says what to write.

    >>> from vitrina.metrics.ranking import NDCG
    >>> print(check_metric(NDCG(k=5), laws=["alone", "better"]))
    NDCG(k=5) keeps 2 laws: alone, better.
    """
    require_metric(metric)
    case = MetricCase(metric, made_up(max(metric.k, LEAST_DEPTH)) if judged is None else judged)
    return held_to(METRIC_LAWS, laws, case, repr(metric), "metric")


def made_up(k: int = LEAST_DEPTH, queries: int = QUERIES, seed: int = 0) -> Judged:
    """Repeated items, pads, empty lists, empty and repeated truth, items outside the catalogue, histories, vectors, values."""
    rng = np.random.default_rng(seed)
    items = rng.integers(0, ITEMS, (queries, k)).astype(np.int32)
    items[np.arange(k) >= rng.integers(0, k + 1, queries)[:, None]] = -1
    truth = Ragged.of([rng.integers(0, ITEMS + 3, rng.integers(0, 16)) for _ in range(queries)])
    users = rng.integers(0, 40, ITEMS)
    users[:4] = 0
    vocabulary = Vocabulary.of(range(ITEMS + 3))
    history = Ragged.of([rng.integers(0, ITEMS, rng.integers(0, 10)) for _ in range(queries)])
    asked = Queries(Events(history.values), history.indptr[:-1], history.indptr[1:], vocabulary, np.arange(queries, dtype=np.int32))
    vectors = rng.normal(size=(ITEMS, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[7] = 0
    lists = Recommendations(items, np.zeros(items.shape, np.float32), vocabulary)
    values = rng.lognormal(0, 1, ITEMS).astype(np.float32)
    grades = _graded(truth, rng)
    return Judged(lists, truth, Catalogue(users * 2, users, 50, vectors=vectors, values=values), asked, grades)


def _graded(truth: Ragged, rng: np.random.Generator) -> Grades:
    """Grades from 1 to 4 of what is in the truth, and other items that were judged bad."""
    good = [np.unique(truth[q]) for q in range(len(truth))]
    bad = [np.setdiff1d(rng.integers(0, ITEMS, rng.integers(0, 12)), own) for own in good]
    gains = [np.concatenate([rng.integers(1, 5, len(own)), -rng.integers(0, 2, len(rest))]) for own, rest in zip(good, bad, strict=True)]
    return Grades(Ragged.of([np.concatenate(rows) for rows in zip(good, bad, strict=True)]), np.concatenate(gains).astype(np.float32))


@dataclass(frozen=True, eq=False)
class MetricCase:
    """A metric on lists."""

    metric: Metric | TableMetric
    judged: Judged

    @cached_property
    def plain(self) -> Float64:
        """The values on the lists as they are."""
        return self.values(self.judged)

    def values(self, judged: Judged) -> Float64:
        """(queries,) values, or the one value of a table of lists."""
        if isinstance(self.metric, Metric):
            return np.asarray(self.metric.per_query(judged))
        return np.array([self.metric.value(self.metric.state(judged))])

    def same(self, judged: Judged, what: str, wanted: Float64 | None = None) -> None:
        """Raise unless the values of `judged` are the wanted ones, or those of the plain lists."""
        wanted, got = self.plain if wanted is None else wanted, self.values(judged)
        if got.shape != wanted.shape:
            raise BrokenLawError(f"{what}: values of shape {wanted.shape} became {got.shape}.")
        other = np.flatnonzero(~np.isclose(got, wanted, rtol=CLOSE, atol=CLOSE, equal_nan=True))
        if len(other):
            where = f"query {other[0]}" if isinstance(self.metric, Metric) else "the table"
            raise BrokenLawError(f"{what}: the value of {where} was {wanted[other[0]]:g} and became {got[other[0]]:g}.")

    def require_independent(self) -> None:
        """Leave a law that speaks of one query to metrics whose queries don't depend on each other."""
        if not isinstance(self.metric, Metric):
            raise NotAskedError("it is one number of all lists")
        if "queries" in self.metric.needs:
            raise NotAskedError("it says that it needs the other queries")


def says(case: MetricCase) -> None:
    """It says what everybody reads, always the same, in plain values, with a sentence for a definition."""
    info = MetricInfo.of(case.metric)
    json.dumps(info.to_dict())
    case.values(case.judged)
    if MetricInfo.of(case.metric) != info:
        raise BrokenLawError(f"judging changed what the metric says of itself: {info} became {MetricInfo.of(case.metric)}.")
    if len(info.definition.split()) < 3 or info.definition[:1].islower():
        raise BrokenLawError(f"the definition should be a sentence, with a capital and a few words. It is {info.definition!r}.")


def named(case: MetricCase) -> None:
    """Another parameter makes another name, or two metrics of one evaluation could not be told apart."""
    for variant, parameter in _variants(case.metric):
        if variant.name == case.metric.name:
            raise BrokenLawError(f"with another {parameter!r} it is still named {variant.name!r}. Put every parameter into the name.")


def values(case: MetricCase) -> None:
    """Values are float64, one per query, finite or NaN."""
    metric = case.metric
    if isinstance(metric, TableMetric):
        value = metric.value(metric.state(case.judged))
        if not isinstance(value, (float, np.floating)) or math.isinf(value):
            raise BrokenLawError(f"the value of a table should be a finite float or NaN. Got {value!r}.")
        return
    got = metric.per_query(case.judged)
    if not isinstance(got, np.ndarray) or got.dtype != np.float64 or got.shape != (len(case.judged),):
        shown = f"{got.dtype} of shape {got.shape}" if isinstance(got, np.ndarray) else type(got).__name__
        raise BrokenLawError(f"per_query should return a float64 array with {len(case.judged)} values, one per query. Got {shown}.")
    if np.isinf(got).any():
        raise BrokenLawError(f"query {np.flatnonzero(np.isinf(got))[0]} has an infinite value; NaN is for a query that says nothing.")


def nobody(case: MetricCase) -> None:
    """No queries: no values."""
    got = case.values(_rows(case.judged, np.arange(0)))
    if isinstance(case.metric, Metric) and got.shape != (0,):
        raise BrokenLawError(f"for no queries the values have the shape {got.shape}.")


def again(case: MetricCase) -> None:
    """Judging is a function of the lists."""
    fresh = _rows(case.judged, np.arange(len(case.judged)))
    before = fresh.recommendations.items.copy(), fresh.truth.values.copy()
    case.same(fresh, "the same lists again")
    case.same(fresh, "the same lists a third time")
    if any((was != now).any() for was, now in zip(before, (fresh.recommendations.items, fresh.truth.values), strict=True)):
        raise BrokenLawError("judging changed the lists or the truth.")


def alone(case: MetricCase) -> None:
    """A query is judged by its own list."""
    case.require_independent()
    for query in range(len(case.judged)):
        case.same(_rows(case.judged, np.array([query])), f"query {query} alone", case.plain[[query]])


def permuted(case: MetricCase) -> None:
    """The order of queries is nobody's merit."""
    order = np.random.default_rng(1).permutation(len(case.judged))
    if isinstance(case.metric, Metric):
        case.require_independent()
        case.same(_rows(case.judged, order), "queries in another order", case.plain[order])
    else:
        case.same(_rows(case.judged, order), "queries in another order")


def merged(case: MetricCase) -> None:
    """States of shards add up, in whatever order they come."""
    metric = case.metric
    if not isinstance(metric, TableMetric):
        raise NotAskedError("it has a value per query")
    everything = np.arange(len(case.judged))
    for size in (1, len(everything) // 3, len(everything) // 2):
        one, other, last = (_rows(case.judged, part) for part in np.split(everything, [size, 2 * size]))

        def state(part: Judged) -> Any:
            return metric.state(part)

        for order, merge in (
            ("first, second, third", lambda a, b, c: metric.merge(metric.merge(a, b), c)),
            ("third, second, first", lambda a, b, c: metric.merge(c, metric.merge(b, a))),
            ("first and third, then second", lambda a, b, c: metric.merge(metric.merge(a, c), b)),
        ):
            got = metric.value(merge(state(one), state(other), state(last)))
            if not np.isclose(got, case.plain[0], rtol=CLOSE, atol=CLOSE, equal_nan=True):
                raise BrokenLawError(f"three parts merged as {order} have the value {got:g}, and all lists together {case.plain[0]:g}.")


def pads(case: MetricCase) -> None:
    """A longer list of nothing is no longer list."""
    items = case.judged.recommendations.items
    wider = np.concatenate([items, np.full((len(items), 3), -1, np.int32)], axis=1)
    case.same(_listing(case.judged, wider), "with three empty places at the end of each list")


def twice(case: MetricCase) -> None:
    """An item that is listed or taken again is no second item."""
    judged = case.judged
    case.same(_listing(judged, judged.items), "with the repeated items of each list as blanks")
    doubled = Ragged.of([[*row.tolist(), *row[:2].tolist()] for row in (judged.truth[q] for q in range(len(judged)))])
    case.same(judged.against(doubled), "with some items of the truth named again")


def depth(case: MetricCase) -> None:
    """k is how deep it looks."""
    k, items = case.metric.k, case.judged.recommendations.items
    if k == 0:
        raise NotAskedError("it reads whole lists")
    deeper = np.concatenate([items[:, :k], np.tile(np.arange(5, dtype=np.int32), (len(items), 1))], axis=1)
    case.same(_listing(case.judged, deeper), f"with other items after place {k}", case.values(_listing(case.judged, items[:, :k])))


def better(case: MetricCase) -> None:
    """A better list is not worse."""
    if "truth" not in case.metric.needs:
        raise NotAskedError("it says that it doesn't need the truth")
    judged, sign = case.judged, -1 if case.metric.lower_is_better else 1
    more = _one_more_of_judged if "grades" in case.metric.needs else _one_more
    for change, what in ((_moved_up, "a hit moved up by a place"), (more, "a miss became a hit")):
        for place in range(1, judged.recommendations.k):
            items = change(judged, place)
            gain = sign * (case.values(_listing(judged, items)) - case.plain)
            worse = np.flatnonzero(gain < -CLOSE)
            if len(worse):
                where = f"query {worse[0]}" if isinstance(case.metric, Metric) else "the table"
                raise BrokenLawError(
                    f"{what} to place {place}: {where} got worse by {-gain[worse[0]]:g} in the direction that the metric says."
                )


def needs(case: MetricCase) -> None:
    """What is not declared is not read."""
    judged, declared = case.judged, case.metric.needs
    catalogue, rng = judged.catalogue, np.random.default_rng(2)
    users = rng.permutation(catalogue.users)
    others = {
        "truth": judged.against(Ragged.of([judged.truth[q].tolist() for q in rng.permutation(len(judged))])),
        "history": replace(judged, queries=None, _cache={}),
        "popularity": replace(judged, catalogue=replace(catalogue, users=users, n_users=2 * catalogue.n_users), _cache={}),
        "vectors": replace(judged, catalogue=replace(catalogue, vectors=None), _cache={}),
        "values": replace(judged, catalogue=replace(catalogue, values=None), _cache={}),
        "grades": replace(
            judged, grades=None if judged.grades is None else replace(judged.grades, gains=judged.grades.gains * 2), _cache={}
        ),
    }
    for need, other in others.items():
        if need not in declared:
            try:
                case.same(other, f"with another or no {need}")
            except BrokenLawError as error:
                raise BrokenLawError(f"{error} Add {need!r} to its needs.") from None
            except Exception as error:
                raise BrokenLawError(f"without {need} it raises {type(error).__name__}: {error} Add {need!r} to its needs.") from None


LAWS_OF_METRICS = (says, named, values, nobody, again, alone, permuted, merged, pads, twice, depth, better, needs)
METRIC_LAWS: dict[str, Callable[[MetricCase], None]] = {law.__name__: law for law in LAWS_OF_METRICS}


def _rows(judged: Judged, rows: Any) -> Judged:
    """Some of the queries, in the given order."""
    lists = judged.recommendations
    taken = Recommendations(lists.items[rows], lists.scores[rows], lists.vocabulary)
    queries = None if judged.queries is None else judged.queries[rows]
    grades = None if judged.grades is None else judged.grades.take(rows)
    return Judged(taken, judged.truth.take(rows), judged.catalogue, queries, grades)


def _listing(judged: Judged, items: Int32) -> Judged:
    """Other lists for the same queries."""
    lists = Recommendations(items.astype(np.int32), np.zeros(items.shape, np.float32), judged.recommendations.vocabulary)
    return replace(judged, recommendations=lists, _cache={})


def _moved_up(judged: Judged, place: int) -> Int32:
    """Where place + 1 holds a hit and `place` another item that is none, the two change places."""
    items = judged.items.copy()
    rows = np.flatnonzero(judged.hits[:, place] & ~judged.hits[:, place - 1] & (items[:, place - 1] >= 0))
    items[rows, place - 1], items[rows, place] = items[rows, place], items[rows, place - 1]
    return items


def _one_more_of_judged(judged: Judged, place: int) -> Int32:
    """The same where `place` holds something judged bad: in the place of what is passed over it would push others down."""
    return _one_more(judged, place, ~np.isnan(judged.gains[:, place - 1]))


def _one_more(judged: Judged, place: int, rows: Bool | Literal[True] = True) -> Int32:
    """Where `place` holds no hit, it gets an item of the truth that is not listed yet."""
    items = judged.items.copy()
    for row in np.flatnonzero(~judged.hits[:, place - 1] & (items[:, place - 1] >= 0) & rows):
        fresh = np.setdiff1d(judged.truth[int(row)], items[row])
        if len(fresh):
            items[row, place - 1] = fresh[0]
    return items


def _variants(thing: Any) -> Iterator[tuple[Any, str]]:
    """The same with one parameter changed, also one inside of a part; what can't be built is left out."""
    given = _parameters(thing)
    for name, value in given.items():
        inner = (
            [(part, f"{name}.{inside}") for part, inside in _variants(value)]
            if isinstance(value, Config) or dataclasses.is_dataclass(value)
            else []
        )
        for other, path in inner or [(other, name) for other in _others(value)]:
            try:
                variant = type(thing)(**given | {name: other})
            except Exception:
                continue
            yield variant, path


def _parameters(thing: Any) -> dict[str, Any]:
    if isinstance(thing, Config):
        return {name: getattr(thing, name) for name in type(thing).model_fields}
    if dataclasses.is_dataclass(thing):
        return {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing) if f.init}
    return {name: getattr(thing, name) for name in inspect.signature(type(thing)).parameters if hasattr(thing, name)}


def _others(value: Any) -> tuple[Any, ...]:
    """Other values of the same kind."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1, value - 1)
    return (value / 2, value + 0.25) if isinstance(value, float) else ()
