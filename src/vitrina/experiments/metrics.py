"""What is measured in an experiment: configs that name columns and say which way is good."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, Self, final

from pydantic import Field, model_validator

from vitrina.base.config import Config

Per = Literal["sum", "any", "first", "rows"]  # how the rows of one unit make its number


class Part(NamedTuple):
    """A number of each unit: a column, and how several rows of a unit make one of it; without a column the number of its rows."""

    column: str | None
    per: Per


class Metric(Config, ABC):
    """A number per arm whose difference from control is asked for.

    Args:
        lower_is_better: as of costs, times and complaints.
        margin: makes it a guard, which isn't there to win but must not be lost: it may be worse by less than this share of the control's value, such as
            0.01 for one per cent.
    """

    lower_is_better: bool = False
    margin: float | None = Field(default=None, gt=0, lt=1)

    @property
    @abstractmethod
    def parts(self) -> dict[str, Part]:
        """`numerator`, and what there is of `denominator`, `covariate` and `covariate_denominator`."""

    @property
    def guards(self) -> bool:
        """Whether it is a guard."""
        return self.margin is not None


@final
class Mean(Metric):
    """The mean over units of what each adds up to in a column, such as revenue per user.

    Args:
        column: of numbers; several rows of a unit add up.
        covariate: a column that was known of each unit before it was assigned, such as its revenue of the month before. It takes the part of the noise away that it predicts
            (CUPED, [Deng et al. 2013](https://doi.org/10.1145/2433396.2433413)); units without one have the mean of the others, which shifts nothing.
        winsorised: a quantile such as 0.99, at which large values are cut: the number is shown so too, beside the plain one, which alone decides.

    >>> Mean(column="revenue", covariate="revenue_before")
    Mean(column='revenue', covariate='revenue_before')
    """

    column: str
    covariate: str | None = None
    winsorised: float | None = Field(default=None, gt=0.5, lt=1)

    @property
    def parts(self) -> dict[str, Part]:
        return {"numerator": Part(self.column, "sum")} | _first(covariate=self.covariate)


@final
class Share(Metric):
    """The share of units of which a column says yes: 1 or true in any of the unit's rows, such as who bought.

    Args:
        column: of 0 and 1, or of false and true.
        covariate: as in `Mean`.

    >>> Share(column="bought", lower_is_better=False).parts
    {'numerator': Part(column='bought', per='any')}
    """

    column: str
    covariate: str | None = None

    @property
    def parts(self) -> dict[str, Part]:
        return {"numerator": Part(self.column, "any")} | _first(covariate=self.covariate)


@final
class Ratio(Metric):
    """The total of one column over the total of another, such as revenue per order or clicks per page, with the error of the delta method over units.

    What a unit adds to the two belongs together, so units and not their rows are what is independent
    ([Deng, Knoblich and Lu 2018](https://doi.org/10.1145/3219819.3219919)).

    Args:
        numerator: column that is added up.
        denominator: column that it is divided by; None takes the rows, so that it is a mean over rows.
        covariate_numerator: the numerator before the assignment, a number of each unit.
        covariate_denominator: the denominator before the assignment.

    >>> Ratio(numerator="revenue", denominator="orders")
    Ratio(numerator='revenue', denominator='orders')
    """

    numerator: str
    denominator: str | None = None
    covariate_numerator: str | None = None
    covariate_denominator: str | None = None

    @model_validator(mode="after")
    def _whole_covariate(self) -> Self:
        if self.covariate_denominator is not None and self.covariate_numerator is None:
            raise ValueError("A Ratio with covariate_denominator needs the covariate_numerator that is divided by it")
        return self

    @property
    def parts(self) -> dict[str, Part]:
        below = Part(None, "rows") if self.denominator is None else Part(self.denominator, "sum")
        named = _first(covariate=self.covariate_numerator, covariate_denominator=self.covariate_denominator)
        return {"numerator": Part(self.numerator, "sum"), "denominator": below} | named


def _first(**named: str | None) -> dict[str, Part]:
    """Numbers of the unit itself, the same in all its rows."""
    return {name: Part(column, "first") for name, column in named.items() if column is not None}
