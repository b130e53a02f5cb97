"""Logs of sessions, and what is learned from them: the chance that an item succeeds, and that the person goes on after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import polars as pl

from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.state import State
from vitrina.data.impressions import Impressions
from vitrina.ranking.logistic import FittedLogistic, Logistic
from vitrina.types import Bool, Float64, Int32, Int64


@final
@dataclass(frozen=True, eq=False, repr=False)
class SessionLog:
    """Sessions in which items were shown one after another: a view of `vt.Impressions` whose requests are the sessions.

    Whether a person left or we had no more to show must be known, or staying power is learned wrong: from the column `ended` of the impressions, or from `slots`.

    Args:
        shown: with outcomes of 0 and 1, and, where money is asked for, values: what a success is worth.
        slots: where there is no column `ended`: how many items a session may have. One with fewer was left by the person after its last item; after the last of `slots` items nobody knows.

    Raises:
        DataError: there are no outcomes, or others than 0 and 1; neither `ended` nor `slots` is there, or both; a session has more items than slots.

    >>> import polars as pl, vitrina as vt
    >>> table = pl.DataFrame({"request_id": ["a", "a", "b"], "user_id": ["ann", "ann", "bob"], "item_id": ["q1", "q2", "q1"],
    ...     "outcome": [1, 0, 1], "value": [2.0, 5.0, 2.0]})
    >>> log = SessionLog(vt.Impressions.of_frame(table), slots=2)
    >>> log, log.revenue.tolist(), log.left.tolist()
    (SessionLog(2 sessions, 3 items shown, 66.7% succeeded, 2 per session earned), [2.0, 2.0], [False, False, True])
    """

    shown: Impressions
    slots: int | None = None

    def __post_init__(self) -> None:
        shown = self.shown
        if shown.outcomes is None or not np.isin(shown.outcomes, (0, 1)).all():
            got = "none" if shown.outcomes is None else str(shown.outcomes[~np.isin(shown.outcomes, (0, 1))][0])
            raise DataError(f"A SessionLog needs impressions with the outcomes 1 for a success and 0 for none. Got {got}.")
        if (shown.ended is None) == (self.slots is None):
            raise DataError(
                "A SessionLog must know who left and who had seen all: give the impressions a column 'ended' (1 where the person left after this "
                f"place), or say slots=, the most items of a session. Got {'neither' if self.slots is None else 'both'}."
            )
        longest = int(self.lengths.max(initial=0))
        if self.slots is not None and longest > self.slots:
            raise DataError(f"No session of a SessionLog may be longer than slots={self.slots}. The longest has {longest} items.")

    def __len__(self) -> int:
        return len(self.shown.requests)

    def __repr__(self) -> str:
        earned = "" if self.shown.values is None or not len(self) else f", {self.revenue.mean():.3g} per session earned"
        share = f", {self.succeeded.mean():.1%} succeeded" if len(self.shown) else ""
        return f"SessionLog({len(self):,} sessions, {len(self.shown):,} items shown{share}{earned})"

    @property
    def lengths(self) -> Int64:
        """(sessions,) items shown."""
        return np.diff(self.shown.by_request)

    @property
    def users(self) -> Int32:
        """(sessions,) code of the person; -1 for a visitor who isn't known, and for a session without rows."""
        first = np.minimum(self.shown.by_request[:-1], max(len(self.shown) - 1, 0))
        return np.where(self.lengths > 0, np.append(self.shown.users, np.int32(-1))[first], -1).astype(np.int32)

    @cached_property
    def succeeded(self) -> Bool:
        """(rows,)"""
        assert self.shown.outcomes is not None
        return self.shown.outcomes == 1

    @cached_property
    def earned(self) -> Float64:
        """(rows,) outcome times value.

        Raises:
            DataError: there are no values.
        """
        if self.shown.values is None:
            raise DataError("These sessions have no values, so nobody knows what they earned. Give the impressions a column 'value'.")
        return self.succeeded * self.shown.values.astype(np.float64)

    @cached_property
    def revenue(self) -> Float64:
        """(sessions,) what each earned."""
        return np.bincount(self.shown.request_of, self.earned, minlength=len(self)).astype(np.float64, copy=False)

    @cached_property
    def _last(self) -> Bool:
        last = np.zeros(len(self.shown), bool)
        last[self.shown.by_request[1:][self.lengths > 0] - 1] = True
        return last

    @cached_property
    def left(self) -> Bool:
        """(rows,) whether the person left after this place."""
        if self.shown.ended is not None:
            return self.shown.ended
        return self._last & (self.lengths[self.shown.request_of] < (self.slots or 0))

    @property
    def known(self) -> Bool:
        """(rows,) whether it is known that the person left or went on: not where we had no more to show."""
        return ~self._last | self.left

    def frame(self) -> pl.DataFrame:
        """The rows as a table: those of `Impressions.frame`, with who left as `ended` and the place `position`."""
        return self.shown.frame().with_columns(ended=pl.Series(self.left))


@final
class SessionModel(Config):
    """What people answer and when they leave, learned from a log of sessions: three logistic regressions on a table of features.

    The chance of a success is learned from all rows; the chance of going on after a success, and after none, from the rows after which it is known. A person who left isn't asked again, so later
    places hold those who stay: what tells people apart must be among the features, or staying looks surer than it is. Places themselves are best left out of the features: `rank_session` takes chances that don't depend on them.

    Args:
        answer: the regression of successes.
        going_on: those of going on.

    >>> import vitrina as vt
    >>> world = vt.ranking.SessionWorld(items=5, seed=1)
    >>> people = world.people(500)
    >>> log = world.play(people, world.random_orders(500, k=4))
    >>> fitted = SessionModel().fit(log, world.features_of(log, people))
    >>> sorted(fitted.chances(world.pairs(people)))
    ['continue_after_failure', 'continue_after_success', 'p']
    """

    answer: Logistic = Logistic()
    going_on: Logistic = Logistic()

    def fit(self, log: SessionLog, features: pl.DataFrame | None = None) -> FittedSessionModel:
        """Learn from a log.

        Args:
            log: its rows are the observations.
            features: a row per row of `log.shown`, in its order: numbers, flags and text about the person, the item and the two together. None takes the item's id alone.

        Raises:
            ParameterError: there is not a row of features per row of the log.
            DataError: nothing was shown, or it is nowhere known who went on after a success, or after none.
        """
        table = log.frame().select(pl.col("item_id").cast(pl.String)) if features is None else features
        if table.height != len(log.shown):
            raise ParameterError(
                f"The features of a SessionModel have a row per row of the log ({len(log.shown):,}). Got {table.height:,}.",
                parameter="features",
            )
        parts = {"success": log.known & log.succeeded, "failure": log.known & ~log.succeeded}
        for what, rows in parts.items():
            if not rows.any():
                raise DataError(
                    f"A SessionModel learns from rows after which people are known to leave or go on. There is none after a {what}."
                )
        after = {what: self.going_on.fit(table.filter(pl.Series(rows)), ~log.left[rows]) for what, rows in parts.items()}
        return FittedSessionModel(self.answer.fit(table, log.succeeded), after["success"], after["failure"])


@final
@dataclass(frozen=True, eq=False)
class FittedSessionModel:
    """Three regressions; each has a table `effects` of what it learned."""

    answer: FittedLogistic
    after_success: FittedLogistic
    after_failure: FittedLogistic

    def chances(self, features: pl.DataFrame) -> dict[str, Float64]:
        """(rows,) chances by the names that `rank_session` has for them.

        Raises:
            DataError: a column is missing, or of another kind than in fitting.
        """
        return {
            "p": self.answer(features), "continue_after_success": self.after_success(features), "continue_after_failure": self.after_failure(features),
        }  # fmt: skip

    def state(self) -> State:
        return State(children={"answer": self.answer, "after_success": self.after_success, "after_failure": self.after_failure})

    @classmethod
    def of_state(cls, state: State) -> FittedSessionModel:
        return cls(state.children["answer"], state.children["after_success"], state.children["after_failure"])
