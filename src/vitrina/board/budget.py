"""What a comparison may spend."""

from __future__ import annotations

from typing import final

from pydantic import Field

from vitrina.base.config import Config

TRIALS = 20  # of each search, unless said otherwise
MOST_TRIALS = 1000  # where only the seconds are limited


@final
class Budget(Config):
    """What a comparison may spend: the same for every search, and for every fit.

    Args:
        trials: configurations that each search may try; None is 20, or as many as the seconds allow.
        seconds: of fitting and answering that each search may spend.
        limit: seconds for one fit with its answers; a model that takes longer has failed.
        fits: of a model that has a `seed`, by itself or in a part: with the seed, the seed + 1, ... What seeds change is then part of the
            doubt of every number and verdict. Two fits say next to nothing of it, three little; a model without a seed is fitted once.
        workers: processes at a time; with more than one they share the cores and their times are not those of a free machine.

    >>> Budget(seconds=600).most_trials, Budget().most_trials
    (1000, 20)
    """

    trials: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    limit: float | None = Field(default=None, gt=0)
    fits: int = Field(default=1, ge=1)
    workers: int = Field(default=1, ge=1)

    @property
    def most_trials(self) -> int:
        """The configurations that each search may try."""
        return self.trials or (TRIALS if self.seconds is None else MOST_TRIALS)

    @property
    def in_words(self) -> str:
        """What each search may spend."""
        trials = f"{self.most_trials} trials"
        return trials if self.seconds is None else f"{trials} or {self.seconds:g} seconds"
