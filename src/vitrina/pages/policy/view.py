"""What the sections of the page share: rows of the values, how numbers are written, which colour a policy has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vitrina.base.printing import decimals, finite, half_width, places_of
from vitrina.pages.policy.study import Study
from vitrina.report.charts import Dot
from vitrina.report.html import Html, el, name
from vitrina.report.words import between, fixed, percent, signed

Row = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """A study, ready to be written down."""

    study: Study

    @cached_property
    def rows(self) -> dict[tuple[str, str, str], Row]:
        """The rows of the values by policy, estimator and reward."""
        return {(r["policy"], r["estimator"], r["reward"]): r for r in self.study.values.table.iter_rows(named=True)}

    @cached_property
    def policies(self) -> list[str]:
        """By value, the best first; those without a value last, in the order of the study."""
        names = list(dict.fromkeys(self.study.values.table["policy"]))
        worth = {name: known(self.main(name)["value"]) for name in names}
        return sorted(names, key=lambda name: -worth[name] if worth[name] is not None else float("inf"))  # type: ignore[operator]

    def main(self, policy: str, reward: str | None = None) -> Row:
        """What the page says a policy is worth: by the estimator that it trusts most."""
        return self.rows[policy, self.study.estimator, reward or self.study.reward]

    def places(self, rows: Sequence[Row]) -> int:
        """Decimals for these values, which stand together."""
        return decimals([r["value"] for r in rows], [half_width(r["low"], r["high"]) for r in rows])

    def places_of_differences(self, rows: Sequence[Row]) -> int:
        widths = [half_width(r["difference_low"], r["difference_high"]) for r in rows]
        return decimals([r["difference"] for r in rows], [w / 3 for w in widths if w])  # one digit more than an end can be told apart

    @cached_property
    def per_unit(self) -> int:
        """Decimals of the values of the page's own reward and estimator."""
        return self.places([self.main(p) for p in self.policies])

    @property
    def confidence(self) -> str:
        return percent(self.study.confidence)

    def colour(self, policy: str) -> str:
        """The one that is advised, the baseline, the others."""
        return "lead" if policy == self.study.found.advised else "base" if policy == self.study.baseline else "other"

    def dot(self, row: Row, places: int) -> Dot:
        """The value of a policy as a dot with its interval."""
        value = row["value"] if finite(row["value"]) else None
        detail = f"{row['policy']}: {fixed(value, places)} {between(row['low'], row['high'], places)}".strip()
        return Dot(row["policy"], value, known(row["low"]), known(row["high"]), self.colour(row["policy"]), detail)

    def cell(self, policy: str) -> Html:
        """The name of a policy in a table."""
        return el("span", name(policy), class_=f"model {self.colour(policy)}")


def known(value: Any) -> float | None:
    """The number, or None where it says nothing."""
    return float(value) if value is not None and finite(value) else None


def told(row: Row) -> str:
    """The class of a difference: told from zero or not."""
    low, high = known(row["difference_low"]), known(row["difference_high"])
    if low is None or high is None:
        return "unsure"
    return "better" if low > 0 else "worse" if high < 0 else "unsure"


def said_difference(row: Row, places: int | None = None) -> str:
    """ "+0.770 (+0.485 to +1.054)"; in a sentence with decimals of its own."""
    if places is None:
        places = min(places_of(known(row["difference"])), places_of(half_width(row["difference_low"], row["difference_high"])))
    low, high = known(row["difference_low"]), known(row["difference_high"])
    ends = f" ({signed(low, places)} to {signed(high, places)})" if low is not None and high is not None else ""
    return f"{signed(known(row['difference']), places)}{ends}"


def p_value(p: float | None) -> str:
    """A p value, never rounded to nothing."""
    return "<0.0001" if p is not None and p < 0.0001 else fixed(p, 4)
