"""Asking again, without asking forever: what was rejected is part of the next question, tries are counted, and what comes when they are used up is said beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrina.base.codes import codes_of
from vitrina.base.errors import ParameterError
from vitrina.types import Int32

Rank = Callable[[Int32], NDArray[Any]]  # the best items without those excluded, best first; -1 pads


@final
@dataclass(frozen=True, eq=False, repr=False)
class Offers:
    """One session's offers, one at a time. What may not be shown is known before anything is ranked (`eligible`); what is rejected nevertheless is never offered again.

    A frozen value: `rejected()` gives the offers after that. `Offers.of` makes the first.

    Args:
        item: what is offered now; None where nothing is left.
        source: where it comes from: "ranked", "fallback" or "nothing".
        attempts: how often the ranking was asked so far; it only rises, up to `most`.
        excluded: what was rejected so far.
        rank, most, fallback: as in `of`.

    >>> import vitrina as vt
    >>> def rank(exclude):
    ...     return vt.ranking.rank_session([0.9, 0.5, 0.2], [1.0, 1.0, 1.0], 0.9, 0.9, exclude=exclude).items[0]
    >>> offers = Offers.of(rank, most=2, fallback=[7])
    >>> while offers.item is not None:
    ...     print(offers.item, offers.source)
    ...     offers = offers.rejected()
    0 ranked
    1 ranked
    7 fallback
    """

    item: int | None
    source: Literal["ranked", "fallback", "nothing"]
    attempts: int
    excluded: tuple[int, ...]
    rank: Rank
    most: int
    fallback: Int32

    @classmethod
    def of(cls, rank: Rank, *, most: int = 3, fallback: ArrayLike = ()) -> Offers:
        """The first offer.

        Args:
            rank: the best items without those that it is told to leave out, best first: `lambda exclude: rank_session(..., eligible=may, exclude=exclude).items[0]`.
            most: how often it is asked at most.
            fallback: items that are offered in this order, each once, when it isn't asked any more or has nothing; they are not ranked, and must be such as may always be shown.

        Raises:
            ParameterError: `most` is no whole number from 1 on, the fallback is no list of codes, or `rank` gives what it was told to leave out.
        """
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ParameterError(
                f"The 'most' of Offers must be a whole number from 1 on. Got {most!r}.", owner="Offers", parameter="most", value=most
            )
        return _next(rank, most, codes_of(fallback, "The 'fallback' of Offers"), (), 0)

    def __repr__(self) -> str:
        return f"Offers(item {self.item} from {self.source}, asked {self.attempts} of {self.most} times, {len(self.excluded)} rejected)"

    def rejected(self) -> Offers:
        """The next offer, after this one was rejected by the person or by whoever checks it.

        Raises:
            ParameterError: nothing is offered; or `rank` gives what was rejected.
        """
        if self.item is None:
            raise ParameterError(
                "Nothing is offered, so nothing can be rejected. Look whether `offers.item` is None before.", owner="Offers"
            )
        return _next(self.rank, self.most, self.fallback, (*self.excluded, self.item), self.attempts)


def _next(rank: Rank, most: int, fallback: Int32, excluded: tuple[int, ...], attempts: int) -> Offers:
    if attempts < most:
        best = np.asarray(rank(np.array(excluded, np.int32)))
        attempts += 1
        again = np.intersect1d(best[best >= 0], excluded)
        if len(again):
            raise ParameterError(
                f"The 'rank' of Offers must leave out what it is told to. It gave item {again[0]}, which was rejected.",
                owner="Offers",
                parameter="rank",
            )
        if len(best) and best[0] >= 0:
            return Offers(int(best[0]), "ranked", attempts, excluded, rank, most, fallback)
        attempts = most  # it has nothing left, so asking it again would be in vain
    left = [int(item) for item in fallback if item not in excluded]
    return Offers(left[0] if left else None, "fallback" if left else "nothing", attempts, excluded, rank, most, fallback)
