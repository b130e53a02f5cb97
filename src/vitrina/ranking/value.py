"""What a session is worth: the order in which items that earn, and that may end the session, are shown one after another.

Item i succeeds with the chance p, is worth v, and the person goes on with the chance `continue_after_success` or `continue_after_failure`.
So it earns r = p v - (1 - q) * loss and the session goes on with the chance q = p * after_success + (1 - p) * after_failure. An order is worth

    W = r[1] + q[1] (r[2] + q[2] (r[3] + ...))

Two neighbours i, j stand right when r[i] + q[i] r[j] >= r[j] + q[j] r[i], which is r[i] / (1 - q[i]) >= r[j] / (1 - q[j]): what is earned per session lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrina.base.arrays import Bool, Float32, Float64, Int32, Ragged
from vitrina.base.codes import check_length, codes_of
from vitrina.base.errors import ParameterError
from vitrina.base.kernels import Spread, kernel

BLOCK = 1 << 16  # numbers of sessions x items that are looked at at a time, for each of the five inputs
SMALL = 64  # items that are sorted by insertion
CHANCES = ("p", "continue_after_success", "continue_after_failure")


@final
@dataclass(frozen=True, eq=False, repr=False)
class SessionOrder:
    """What each session shows, first to last.

    Args:
        items: (sessions, k) places in the arrays that were ranked; -1 after the session is stopped.
        expected: (sessions,) what the session is worth.
        going_on: (sessions, k) what the session is worth from this place on, once it is reached; never rises; NaN in pads.
        reached: (sessions, k) the chance that this place is reached; NaN in pads.
    """

    items: Int32  # (sessions, k)
    expected: Float64  # (sessions,)
    going_on: Float32  # (sessions, k)
    reached: Float32  # (sessions, k)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        worth = f", {self.expected.mean():.4g} expected per session" if len(self) else ""
        return f"SessionOrder({len(self):,} sessions of up to {self.items.shape[1]} items{worth})"


def rank_session(
    p: ArrayLike,
    value: ArrayLike,
    continue_after_success: ArrayLike,
    continue_after_failure: ArrayLike,
    loss_of_stopping: ArrayLike = 0.0,
    k: int | None = None,
    eligible: ArrayLike | None = None,
    exclude: Ragged | Sequence[int] | Int32 = (),
) -> SessionOrder:
    """The order of items that makes a session worth most in expectation, among all orders of all choices of at most `k` items.

    Without a limit items go by r / (1 - q), highest first ([Kempe and Mahdian 2008](https://doi.org/10.1007/978-3-540-92185-1_26)), and the session stops where showing an item
    costs more than it brings (r below 0). With k slots the first k of that order are not the best k: an item that earns much and ends the session is worth a late
    slot. The choice is by dynamic programming over that order, which any best choice keeps: W[i, c] = max(W[i + 1, c], r[i] + q[i] W[i + 1, c - 1]).

    An item with q = 1 that earns anything comes before all with q < 1. Exact ties go to the lower place, and to showing. The rule holds where chances don't depend on the place or on what was
    shown before.

    Args:
        p: chance of success: (sessions, items), or (items,) for all sessions.
        value: what a success is worth; the same shapes, or one number. It may be below 0.
        continue_after_success: chance that the person goes on after a success; the same shapes.
        continue_after_failure: the same after none.
        loss_of_stopping: what it costs that a person leaves, such as what they would have brought on other days: one number, or (sessions,). Not charged where the session
            is stopped by us.
        k: slots; None for no limit.
        eligible: which items may be shown at all, (sessions, items) or (items,) flags. None for all.
        exclude: items that may not, such as those that the person rejected: codes for all sessions, or a row per session (`vt.Ragged`).

    Raises:
        ParameterError: a chance is outside [0, 1], a number isn't finite, shapes or rows don't fit, `eligible` is no mask.

    Cost: items * (log items + k) per session, compiled and spread over the cores; beside inputs and answer memory for 65,536 x 5 numbers, or one session, at a time.

    >>> order = rank_session(p=[0.9, 0.5, 0.3], value=[1.0, 4.0, 3.0], continue_after_success=[0.9, 0.2, 0.9], continue_after_failure=0.9)
    >>> order.items.tolist(), order.expected.round(3).tolist()
    ([[0, 2, 1]], [3.33])
    """
    inputs = _Inputs.of({
        "p": p, "value": value, "continue_after_success": continue_after_success, "continue_after_failure": continue_after_failure,
    }, loss_of_stopping)  # fmt: skip
    may = _mask(eligible, inputs)
    rows = exclude if isinstance(exclude, Ragged) else None
    if rows is not None and len(rows) != inputs.sessions:
        raise ParameterError(
            f"The 'exclude' with a row per session must have {inputs.sessions:,} rows. Got {len(rows):,}.", parameter="exclude"
        )
    shared = _within(codes_of((), "") if rows is not None else codes_of(exclude, "The 'exclude' of rank_session"), inputs.items)
    k = inputs.items if k is None else min(check_length(k), inputs.items)
    shape = inputs.sessions, k
    items, expected = np.full(shape, -1, np.int32), np.zeros(inputs.sessions)
    going_on, reached = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for part in inputs.parts():
        allowed = np.array(np.broadcast_to(may[part] if len(may) > 1 else may, (part.stop - part.start, inputs.items)))
        allowed[:, shared] = False
        if rows is not None:
            own = rows.rows(part)
            known = (own.values >= 0) & (own.values < inputs.items)
            allowed[own.row_of[known], own.values[known]] = False
        earned, left = inputs.earned_and_left(part)
        _order(len(allowed), earned, left, allowed, items[part], expected[part], going_on[part], reached[part])
    return SessionOrder(items, expected, going_on, reached)


def session_value(
    items: ArrayLike,
    p: ArrayLike,
    value: ArrayLike,
    continue_after_success: ArrayLike,
    continue_after_failure: ArrayLike,
    loss_of_stopping: ArrayLike = 0.0,
) -> Float64:
    """What given orders are worth in expectation, (sessions,): to compare them with those of `rank_session`.

    Args:
        items: (sessions, k) places in the arrays, in the order of showing; -1 pads.
        p, value, continue_after_success, continue_after_failure, loss_of_stopping: as in `rank_session`.

    Raises:
        ParameterError: as in `rank_session`, or the items are not (sessions, k) places.

    >>> session_value([[1, 0, 2]], [0.9, 0.5, 0.3], [1.0, 4.0, 3.0], [0.9, 0.2, 0.9], 0.9).round(3).tolist()
    [2.94]
    """
    orders = np.atleast_2d(np.asarray(items))
    inputs = _Inputs.of({
        "p": p, "value": value, "continue_after_success": continue_after_success, "continue_after_failure": continue_after_failure,
    }, loss_of_stopping, len(orders))  # fmt: skip
    if orders.ndim != 2 or orders.dtype.kind not in "iu" or len(orders) != inputs.sessions or (orders >= inputs.items).any():
        raise ParameterError(
            f"The 'items' of session_value must be places from 0 to {inputs.items - 1}, a row for each of the {inputs.sessions:,} sessions, -1 for "
            f"pads. Got the shape {orders.shape}{f' and {orders.max()}' if orders.size else ''}.", parameter="items",
        )  # fmt: skip
    worth = np.zeros(inputs.sessions)
    for part in inputs.parts():
        earned, left = inputs.earned_and_left(part)
        own, total = orders[part], np.zeros(part.stop - part.start)
        for place in range(orders.shape[1] - 1, -1, -1):
            item = own[:, place]
            r, s = (np.take_along_axis(column, np.maximum(item, 0)[:, None], axis=1)[:, 0] for column in (earned, left))
            total = np.where(item >= 0, r + (1 - s) * total, total)
        worth[part] = total
    return worth


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The arrays of all sessions as they were given, each (sessions or 1, items or 1), and a loss (sessions or 1, 1)."""

    given: dict[str, NDArray[Any]]
    loss: NDArray[Any]
    sessions: int
    items: int

    @classmethod
    def of(cls, given: dict[str, Any], loss: Any, sessions: int = 1) -> _Inputs:
        arrays = {name: np.atleast_2d(np.asarray(array)) for name, array in given.items()}
        losses = np.atleast_1d(np.asarray(loss, np.float64))[:, None]
        shapes = [array.shape for array in arrays.values()] + [losses.shape, (sessions, 1)]
        try:
            rows, columns = np.broadcast_shapes(*shapes)
        except ValueError:
            named = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
            raise ParameterError(
                f"The arrays of sessions are (sessions, items), or (items,) for all sessions, and a loss per session is (sessions,). Got {named}, "
                f"a loss of {np.shape(loss)}."
            ) from None
        return cls(arrays, losses, rows, columns)

    def parts(self) -> list[slice]:
        size = max(BLOCK // max(self.items, 1), 1)
        return [slice(first, min(first + size, self.sessions)) for first in range(0, self.sessions, size)]

    def earned_and_left(self, part: slice) -> tuple[Float64, Float64]:
        """r and 1 - q of each item in each of these sessions, (sessions, items)."""
        columns = {name: np.asarray(array[part] if len(array) > 1 else array, np.float64) for name, array in self.given.items()}
        loss = self.loss[part] if len(self.loss) > 1 else self.loss
        for name, column in {**columns, "loss_of_stopping": loss}.items():
            within = np.isfinite(column) & ((column >= 0) | (name == "value")) & ((column <= 1) | (name not in CHANCES))
            if not within.all():
                must = (
                    "chances within [0, 1]" if name in CHANCES else "finite numbers" if name == "value" else "a finite number of at least 0"
                )
                raise ParameterError(f"The {name!r} of a session must be {must}. Got {column[~within][0]}.", parameter=name)
        p = columns["p"]
        left = p * (1 - columns["continue_after_success"]) + (1 - p) * (1 - columns["continue_after_failure"])
        earned = p * columns["value"] - left * loss
        shape = part.stop - part.start, self.items
        return np.ascontiguousarray(np.broadcast_to(earned, shape)), np.ascontiguousarray(np.broadcast_to(left, shape))


def _mask(eligible: Any, inputs: _Inputs) -> Bool:
    """(sessions or 1, items or 1) which items may be shown."""
    mask = np.atleast_2d(np.ones(1, bool) if eligible is None else np.asarray(eligible))
    fits = mask.ndim == 2 and mask.shape[0] in (1, inputs.sessions) and mask.shape[1] in (1, inputs.items)
    if mask.dtype != np.bool_ or not fits or (eligible is not None and mask.shape[1] != inputs.items):
        raise ParameterError(
            f"The 'eligible' of rank_session is a mask of True and False, ({inputs.items},) or ({inputs.sessions}, {inputs.items}). Got {mask.dtype} "
            f"of the shape {np.asarray(eligible).shape}.", parameter="eligible",
        )  # fmt: skip
    return mask


def _within(codes: Int32, count: int) -> Int32:
    """Those that stand for an item here; the others can't be shown anyway."""
    return codes[(codes >= 0) & (codes < count)]


@kernel
def _choice(count, earned, left, kept, worth):  # pragma: no cover
    """Leave in `kept`, in its order, the best choice of as many items as there are slots; how many they are. `worth` is [item, slots left]."""
    k = worth.shape[1] - 1
    worth[count] = 0.0
    for at in range(count - 1, -1, -1):
        r, on = earned[kept[at]], 1 - left[kept[at]]
        here, after = worth[at], worth[at + 1]
        for c in range(k):
            here[c + 1] = max(after[c + 1], r + on * after[c])
    chosen = 0
    for at in range(count):
        c = k - chosen
        if c > 0 and earned[kept[at]] + (1 - left[kept[at]]) * worth[at + 1, c - 1] >= worth[at + 1, c]:
            kept[chosen] = kept[at]
            chosen += 1
    return chosen


@Spread
def _order(first, last, earned, left, allowed, items, expected, going_on, reached):  # pragma: no cover
    """Fill the rows: keep what earns, sort it by what it earns per session lost, choose where there are more than slots."""
    n, k = earned.shape[1], items.shape[1]
    kept, index = np.empty(n, np.int32), np.empty(n)
    worth = np.zeros((n + 1, k + 1) if n > k else (1, 1))  # the first column stays 0
    for s in range(first, last):
        count = 0
        for i in range(n):
            r, out = earned[s, i], left[s, i]
            if not allowed[s, i] or r < 0:
                continue
            ratio = r / out if out > 0 else (np.inf if r > 0 else 0.0)
            kept[count], index[count] = i, ratio
            if n <= SMALL:
                at = count
                while at > 0 and index[at - 1] < ratio:
                    kept[at], index[at] = kept[at - 1], index[at - 1]
                    at -= 1
                kept[at], index[at] = i, ratio
            count += 1
        if n > SMALL:
            kept[:count] = kept[:count][np.argsort(-index[:count], kind="mergesort")]
        slots = min(k, count)
        if count > k:
            slots = _choice(count, earned[s], left[s], kept, worth)
        chance, total = 1.0, 0.0
        for place in range(slots):
            items[s, place], reached[s, place] = kept[place], chance
            chance *= 1 - left[s, kept[place]]
        for place in range(slots - 1, -1, -1):
            total = earned[s, kept[place]] + (1 - left[s, kept[place]]) * total
            going_on[s, place] = total
        expected[s] = total
