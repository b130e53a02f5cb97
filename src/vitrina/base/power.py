"""How large a difference so many people let be seen, and how many people a wished difference takes."""

from __future__ import annotations

from math import ceil
from statistics import NormalDist

from vitrina.base.errors import ParameterError

FEWEST_PEOPLE = 20  # with a value for both models, below whom nothing is said of their difference
POWER = 0.8  # with which a "detectable" difference would have been seen
ERRORS_SEEN = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(POWER)  # 2.80 standard errors, for one comparison at 5%


def people_needed(difference: float, detectable: float, people: float) -> int:
    """How many people it takes to see `difference` in four runs of five, when so many `people` let `detectable` be seen.

    Errors shrink with the root of the number of people: people * (detectable / difference)^2.

    Args:
        difference: that is wished to be seen.
        detectable, people: of a row of `compare_paired`; or, before there is one, (z(0.975) + z(0.8)) * s = 2.80 s and one person, where s is
            the standard deviation of the difference over people.

    >>> people_needed(0.005, detectable=0.02, people=1000)
    16000
    """
    if not (difference > 0 and detectable >= 0):
        raise ParameterError(f"A difference to be seen is above 0, and one that can be seen 0 or more. Got {difference} and {detectable}.")
    return ceil(people * (detectable / difference) ** 2)
