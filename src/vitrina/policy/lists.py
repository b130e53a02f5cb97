"""What another order of lists or sessions would have brought: the same estimators, with the weights of what was shown place by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.impressions import Impressions
from vitrina.evaluate.people import persons_of
from vitrina.policy.estimate import doubt_of, named_estimators, require_baseline, told_by
from vitrina.policy.estimators import DR, IPS, SNIPS, Estimator, Weighted
from vitrina.policy.judge import Judge
from vitrina.policy.log import DecisionLog
from vitrina.policy.overlap import overlap
from vitrina.policy.units import Units
from vitrina.policy.values import PolicyValues
from vitrina.policy.weights import Weights
from vitrina.types import Float64, Recommendations


def evaluate_lists(
    shown: Any,
    policies: Mapping[str, Any],
    *,
    weights: Literal["list", "above"] = "list",
    fitted: Float64 | None = None,
    planned: Mapping[str, Float64] | None = None,
    estimators: Sequence[Estimator] | None = None,
    baseline: str | None = None,
    confidence: float = 0.95,
    bootstrap: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> PolicyValues:
    """What lists in another order, or sessions with other items, would have brought per request.

    The weight of a request is the product over its places of the policy's chance of what stood there over the chance with which it was put there, both given what stood above. With
    `weights="list"` what all places brought has the weight of the whole list: right whatever people look at, and noisy where lists are long. With `weights="above"` what a place brought has the
    weight of the places down to it ([Precup, Sutton and Singh 2000](https://scholarworks.umass.edu/cs_faculty_pubs/80/), [McInerney et al. 2020](https://arxiv.org/abs/2007.12986)): right where nobody's
    answer depends on what stands below, which is always so where items are shown one after another, and is an assumption of a page that is seen at once.

    A reward is the sum over places of outcome times value; of outcomes where there are no values. People come with all their requests.

    Args:
        shown: `vt.Impressions` with propensities (given what stood above), outcomes, and every place from 1 on; or a session log with them (`shown`).
        policies: name -> (rows,) chances of what was shown at each place, given what stood above; or `Recommendations`, a list per request in the order of `shown.requests`,
            which the policy shows for certain. A list that is shorter shows nothing at further places; of a longer one only the places of the log are judged.
        weights: "list" or "above".
        fitted: (requests,) prediction of the reward of the list that was shown, out of fold; with `planned` for DR and its kin, and weights of whole lists.
        planned: policy -> (requests,) mean prediction over the lists that it would show.
        estimators, baseline, confidence, bootstrap, seed, force: as in `evaluate`. Whether the log speaks of a policy is told by the weights of whole lists.

    Raises:
        DataError: there are no propensities or outcomes, or a place is missing.
        ParameterError: chances don't fit the rows, or predictions are given with weights="above".

    >>> import numpy as np, polars as pl, vitrina as vt
    >>> rng = np.random.default_rng(0)
    >>> first = rng.integers(0, 2, 1000)  # two items in an order drawn by a coin: the second place has no choice left
    >>> table = pl.DataFrame({"request_id": np.repeat(np.arange(1000), 2), "user_id": np.repeat(np.arange(1000), 2), "item_id": np.stack([first, 1 - first], 1).ravel(),
    ...     "position": np.tile([1, 2], 1000), "propensity": np.tile([0.5, 1.0], 1000), "outcome": (rng.random(2000) < np.tile([0.5, 0.2], 1000) * np.where(np.stack([first, 1 - first], 1).ravel(), 1, 0.5)) * 1})
    >>> shown = vt.Impressions.of_frame(table)
    >>> chance = np.where(shown.positions == 1, shown.vocabulary.ids.gather(shown.items) == 1, 1.0).astype(float)
    >>> values = evaluate_lists(shown, {"as it was": shown.propensities, "item 1 first": chance})
    >>> values.table.filter(policy="item 1 first", estimator="SNIPS")["value"].round(2).item()
    0.64
    """
    log: Impressions = getattr(shown, "shown", shown)
    _require(log, weights, fitted, planned)
    chosen = named_estimators(
        (IPS(), SNIPS(), *((DR(),) if fitted is not None else ())) if estimators is None else estimators, fitted is not None
    )
    baseline = require_baseline(policies, baseline)
    reward, people = "value" if log.values is not None else "outcome", _people(log)
    judge, lists = Judge(people, chosen, doubt_of(confidence, bootstrap, seed)), _as_decisions(log, people)
    for name, policy in policies.items():
        chances = _chances(log, name, policy)
        own = _product(log, chances)
        why = " ".join(check.sentence for check in overlap(lists, name, own) if check.verdict == "refuse")
        if why and not force:
            judge.refuse(name, why, Weights.of(own / lists.propensity))
            continue
        judge.take(name, reward, _stages(log, chances, weights, fitted, None if planned is None else planned[name]))
    table = judge.table(list(policies), [reward], baseline)
    note = "What a place brought has the weight of the places down to it: nobody's answer may depend on what stands below."
    return PolicyValues(table, baseline, confidence, told_by(chosen), (note,) if weights == "above" else (), "request")


def _require(log: Impressions, weights: str, fitted: Any, planned: Any) -> None:
    if log.propensities is None or log.outcomes is None:
        missing = " and ".join(name for name, there in (("propensities", log.propensities), ("outcomes", log.outcomes)) if there is None)
        raise DataError(f"Lists are judged by what was shown with which chance and what came of it. These impressions have no {missing}.")
    first = np.repeat(log.by_request[:-1], np.diff(log.by_request))
    gap = log.positions != np.arange(len(log)) - first + 1
    if gap.any():
        at = int(gap.argmax())
        raise DataError(
            f"The weight of a list needs every place from 1 on. The request {log.requests.ids[int(log.request_of[at])]!r} has place {log.positions[at]} "
            f"where {at - first[at] + 1} should be. Log the places that nobody looked at too, with the outcome 0."
        )
    if weights not in ("list", "above"):
        raise ParameterError(
            f'The \'weights\' are those of the whole "list" or of the places "above" and at it. Got {weights!r}.', parameter="weights"
        )
    if (fitted is None) != (planned is None) or (fitted is not None and weights == "above"):
        raise ParameterError('Predictions of lists are fitted= and planned= together, for weights="list".', parameter="fitted")


def _people(log: Impressions) -> NDArray[Any]:
    """(requests,) whose each is; a visitor who isn't known is one of their own."""
    there = np.diff(log.by_request) > 0
    users = np.full(len(there), -1, np.int64)
    users[there] = log.users[log.by_request[:-1][there]]
    return persons_of(users)


def _chances(log: Impressions, name: str, policy: Any) -> Float64:
    """(rows,) the policy's chance of what was shown at each place, given what stood above."""
    if isinstance(policy, Recommendations):
        if len(policy.items) != len(log.requests):
            raise ParameterError(
                f"The lists of {name!r} must be one per request ({len(log.requests):,}). Got {len(policy.items):,}.", parameter="policies"
            )
        codes = np.append(log.vocabulary.encode(policy.vocabulary.ids), np.int32(-1))[policy.items]
        within = log.positions <= policy.items.shape[1]
        return (within & (codes[log.request_of, np.minimum(log.positions, policy.items.shape[1]) - 1] == log.items)).astype(np.float64)
    chances = np.asarray(policy, np.float64)
    if chances.shape != (len(log),) or not ((chances >= 0) & (chances <= 1)).all():
        raise ParameterError(
            f"The policy {name!r} must be chances from 0 to 1, one per row of what was shown ({len(log):,}), or lists (vt.Recommendations). Got the shape {chances.shape}.",
            parameter="policies",
        )  # fmt: skip
    return chances


def _product(log: Impressions, chances: NDArray[Any]) -> Float64:
    """(requests,) the chance of each list."""
    out = np.ones(len(log.requests))
    np.multiply.at(out, log.request_of, chances.astype(np.float64))
    return out


def _as_decisions(log: Impressions, people: NDArray[Any]) -> DecisionLog:
    """Whole lists as decisions, to be asked whether they speak of a policy."""
    assert log.propensities is not None
    units = Units(log.requests.ids, pl.DataFrame(), ())
    clusters, n = people.astype(np.int32), len(log.requests)
    ids = pl.Series("cluster", np.arange(int(people.max(initial=-1)) + 1))
    return DecisionLog(units, np.zeros(n, np.int32), {}, clusters, ids, propensities=_product(log, log.propensities))


def _stages(log: Impressions, chances: Float64, weights: str, fitted: Any, planned: Any) -> tuple[Weighted, ...]:
    """What estimators need: of the whole request, or of each place."""
    requests, lengths = len(log.requests), np.diff(log.by_request)
    assert log.outcomes is not None
    assert log.propensities is not None
    earned = log.outcomes.astype(np.float64) * (1.0 if log.values is None else log.values)
    ratio = chances / log.propensities.astype(np.float64)
    if weights == "list":
        return (Weighted(_product(log, ratio), np.bincount(log.request_of, earned, requests).astype(np.float64), fitted, planned),)
    product, stages = np.ones(requests), []
    for place in range(int(lengths.max(initial=0))):
        there = lengths > place
        rows = log.by_request[:-1][there] + place
        product, brought = product.copy(), np.zeros(requests)
        product[there] *= ratio[rows]
        brought[there] = earned[rows]
        stages.append(Weighted(product, brought))
    return tuple(stages)
