"""Revenue per session, with its doubt, and beside the order that a metric likes: where the two disagree, it is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.printing import signed
from vitrina.base.showing import titled
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.interval import intervals_of
from vitrina.evaluate.people import persons_of
from vitrina.evaluate.significance import compare_paired
from vitrina.types import Float64

REVENUE = {"ranking": pl.String, "sessions": pl.Int64, "people": pl.Int64, "revenue": pl.Float64, "low": pl.Float64, "high": pl.Float64, "expected": pl.Float64, "ratio": pl.Float64}  # fmt: skip


def revenue_per_session(
    revenue: Mapping[str, Float64], users: NDArray[Any], *, expected: Mapping[str, Float64] | None = None, confidence: float = 0.95
) -> pl.DataFrame:
    """What sessions earned on average (ARPU where a person has one session), with an interval over people, beside what was expected.

    Args:
        revenue: for each ranking (sessions,) what its sessions earned, such as `SessionLog.revenue`; NaN where a session says nothing.
        users: (sessions,) codes of people; a negative one is a visitor of its own. People come with all their sessions.
        expected: for some of the rankings (sessions,) what was promised, such as `SessionOrder.expected`.
        confidence: of the intervals.

    Returns:
        ranking, sessions, people, revenue, low, high, expected, ratio (of revenue to expected); the last two null where nothing was promised.

    Raises:
        ParameterError: the arrays are not one value per user.
        UnknownNameError: something was expected of no ranking.

    >>> import numpy as np
    >>> table = revenue_per_session({"p * v": np.arange(100) % 5, "index": np.arange(100) % 6}, np.arange(100), expected={"index": np.full(100, 2.5)})
    >>> table.select("ranking", pl.col("revenue", "low", "high", "ratio").round(2)).rows()
    [('p * v', 2.0, 1.71, 2.29, None), ('index', 2.46, 2.12, 2.8, 0.98)]
    """
    promised = expected or {}
    for name in promised:
        if name not in revenue:
            raise UnknownNameError.of("ranking", name, revenue)
    for name, column in (*revenue.items(), *promised.items()):
        if np.shape(column) != np.shape(users):
            raise ParameterError(
                f"The sessions of {name!r} must be one number per user ({len(users):,}). Got the shape {np.shape(column)}."
            )
    persons, rows = persons_of(users), []
    for (name, given), (low, high) in zip(revenue.items(), intervals_of([np.asarray(c, np.float64) for c in revenue.values()], users, confidence), strict=True):  # fmt: skip
        earned = np.asarray(given, np.float64)
        known = ~np.isnan(earned)
        said = np.asarray(promised[name], np.float64)[known].mean() if name in promised else None
        mean = float(earned[known].mean()) if known.any() else None
        rows.append(
            (
                name,
                int(known.sum()),
                len(np.unique(persons[known])),
                mean,
                low,
                high,
                said,
                mean / said if mean is not None and said else None,
            )
        )
    return pl.DataFrame(rows, schema=REVENUE, orient="row").with_columns(pl.selectors.float().fill_nan(None))


class Side(NamedTuple):
    """What a comparison says of one ranking: the difference, its interval, and -1, 0 or 1 for surely worse, nothing to tell, surely better."""

    difference: float
    low: float | None
    high: float | None
    verdict: str

    @property
    def sign(self) -> int:
        return 1 if self.verdict.startswith("better") else -1 if self.verdict.startswith("worse") else 0


@final
@dataclass(frozen=True, eq=False, repr=False)
class OrderAndMoney:
    """Each ranking beside the baseline, by the metric of order and by money.

    Args:
        table: ranking, order, order_difference, order_low, order_high, order_verdict, money, money_difference, money_low, money_high, money_verdict, agree, sentence. The baseline has values and nulls.
        metric: the name of the metric of order.
        baseline: what the others are compared with.
    """

    table: pl.DataFrame
    metric: str
    baseline: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each ranking but the baseline."""
        return tuple(self.table["sentence"].drop_nulls().to_list())

    @property
    def disagree(self) -> tuple[str, ...]:
        """The rankings that surely win by one and surely lose by the other."""
        return tuple(self.table.filter(~pl.col("agree"))["ranking"].to_list())

    def __repr__(self) -> str:
        return f"OrderAndMoney({self.metric} beside revenue per session, against {self.baseline!r})"

    def __str__(self) -> str:
        shown = self.table.select("ranking", pl.col("order").alias(self.metric), pl.col("money").alias("per session"))
        return "\n".join([str(shown), *self.sentences])

    def _repr_html_(self) -> str:
        return titled(" ".join(self.sentences), self.table)


def order_and_money(
    order: Mapping[str, Float64],
    money: Mapping[str, Float64],
    baseline: str,
    users: NDArray[Any],
    *,
    metric: str = "nDCG@10",
    bootstrap: Bootstrap = Bootstrap(),
) -> OrderAndMoney:
    """A metric of order beside revenue, on the same sessions, with a sentence that says whether they agree.

    Both are paired comparisons with the baseline, each corrected for the number of rankings (`compare_paired`). Who has the metric `Value@k` on a
    board has both in `Evaluation.per_query`.

    Args:
        order: for each ranking (sessions,) values of the metric, more of which is better; NaN where a session says nothing.
        money: for the same rankings (sessions,) revenue, realised or expected.
        baseline: the ranking that the others are compared with.
        users: (sessions,) codes of people.
        metric: the name of the metric, for the sentences.
        bootstrap: as in `compare_paired`.

    Raises:
        UnknownNameError: the baseline is none of the rankings.
        ParameterError: the two speak of other rankings, or there is not a user per value.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> base, noise = rng.random(300), 0.1 * rng.random(300)
    >>> print(*order_and_money({"old": base, "new": base + noise}, {"old": base, "new": base - noise}, "old", np.arange(300)).sentences)
    'new' ranks better than 'old' (nDCG@10 +0.051) and earns less (−0.051 per session): the better order is not the one that pays.
    """
    if set(order) != set(money):
        odd = sorted(set(order) ^ set(money))
        raise ParameterError(f"Order and money must speak of the same rankings. Only one of the two has {', '.join(map(repr, odd))}.")
    tables = [compare_paired(given, baseline, users, bootstrap=bootstrap) for given in (order, money)]
    rows = []
    for name in order:
        means = [float(np.nanmean(given[name])) for given in (order, money)]
        if name == baseline:
            rows.append((name, means[0], None, None, None, None, means[1], None, None, None, None, None, None))
            continue
        found = [table.row(by_predicate=pl.col("model") == name, named=True) for table in tables]
        sides = [Side(row["difference"], row["low"], row["high"], row["verdict"]) for row in found]
        agree = sides[0].sign * sides[1].sign >= 0
        rows.append((name, means[0], *sides[0], means[1], *sides[1], agree, _sentence(name, baseline, metric, *sides)))
    parts = [f"{side}{what}" for side in ("order", "money") for what in ("", "_difference", "_low", "_high", "_verdict")]
    kinds = {part: pl.String if part.endswith("verdict") else pl.Float64 for part in parts}
    return OrderAndMoney(
        pl.DataFrame(rows, schema={"ranking": pl.String, **kinds, "agree": pl.Boolean, "sentence": pl.String}, orient="row"),
        metric,
        baseline,
    )


ORDER = {1: "ranks better than", -1: "ranks worse than", 0: "ranks neither measurably better nor worse than"}
MONEY = {1: "earns more", -1: "earns less", 0: "whether it earns more or less can't be told"}
THEN = {
    (1, -1): ": the better order is not the one that pays", (-1, 1): ": the worse order is the one that pays",
    (0, -1): ": what the metric doesn't see costs money", (0, 1): ": what the metric doesn't see pays",
}  # fmt: skip


def _sentence(name: str, baseline: str, metric: str, order: Side, money: Side) -> str:
    ranked = f"{name!r} {ORDER[order.sign]} {baseline!r} ({metric} {signed(order.difference, 3)})"
    earned = f"{MONEY[money.sign]} ({signed(money.difference, 3)} per session)"
    return f"{ranked} and {earned}{THEN.get((order.sign, money.sign), '')}."
