"""Codes and times as people give them: looked at before an array of them is sliced or reaches a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError

MOST_KINDS = 256  # a kind is one byte


def codes_of(values: Any, what: str, encode: str = "data.items.encode") -> NDArray[np.int32]:
    """`values` as int32, (n,).

    Args:
        what: how a sentence begins: "The 'include' of an Eligibility".
        encode: what makes codes of ids.

    Raises:
        ParameterError: they are ids, a mask, fractions, a table or no list at all; says what to write.

    >>> codes_of(["tea"], "The 'include' of an Eligibility")
    Traceback (most recent call last):
    ...
    vitrina.base.errors.ParameterError: The 'include' of an Eligibility takes codes, not ids: data.items.encode(['tea']) makes them. Got 'tea'.
    """
    if isinstance(values, str):
        raise ParameterError(f"{what} takes codes, not ids: {encode}([{values!r}]) makes them. Got {values!r}.")
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.asarray(0)
    if array.ndim != 1:
        raise ParameterError(
            f"{what} must be a list of codes. Got {_shown(values)}; a list of its own for each query is vt.Ragged.of(rows)."
        )
    if not len(array):
        return np.empty(0, np.int32)
    if array.dtype.kind == "b":
        raise ParameterError(f"{what} takes codes, and a mask is none: np.flatnonzero(mask) makes them. Got {_shown(values)}.")
    if array.dtype.kind in "OUST" and any(isinstance(v, str) for v in array):
        first = next(v for v in array if isinstance(v, str))
        raise ParameterError(f"{what} takes codes, not ids: {encode}([{str(first)!r}]) makes them. Got {str(first)!r}.")
    if array.dtype.kind not in "iu":
        raise ParameterError(f"{what} takes codes, which are whole numbers: {encode}(ids) makes them. Got {array.tolist()[0]!r}.")
    if array.dtype != np.int32 and (array.min() < -(2**31) or array.max() >= 2**31):
        raise ParameterError(f"{what} takes codes, which fit 32 bits. Got {array.max() if array.max() >= 2**31 else array.min()}.")
    return np.ascontiguousarray(array, dtype=np.int32)


def codes_within(values: Any, count: int, what: str, encode: str = "data.items.encode") -> NDArray[np.int32]:
    """The same where each code must stand for something: 0 <= code < `count`.

    Raises:
        ParameterError: also when a code is outside; -1 is how an unknown id is encoded.
    """
    codes = codes_of(values, what, encode)
    wrong = codes[(codes < 0) | (codes >= count)]
    if len(wrong):
        hint = " An id that isn't known is encoded as -1; leave it out." if wrong[0] == -1 else ""
        raise ParameterError(f"{what} takes codes from 0 to {count - 1:,}. Got {wrong[0]}.{hint}")
    return codes


def check_length(k: Any) -> int:
    """The length of a list as an int.

    Raises:
        ParameterError: it is no whole number, or less than 1.
    """
    if isinstance(k, (bool, np.bool_)) or not isinstance(k, (int, np.integer)):
        raise ParameterError(f"The 'k' of a recommendation must be a whole number, such as 10. Got {k!r}.", parameter="k", value=k)
    if k < 1:
        raise ParameterError(f"The 'k' of a recommendation must be at least 1. Got {k}.", parameter="k", value=k)
    return int(k)


def times_of(histories: Sequence[Sequence[Any]], times: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """(events,) times, one per event, oldest first.

    Raises:
        ParameterError: they are not one per event, no whole numbers, or go back.
    """
    out = [np.empty(0, np.int64)]
    for row, (history, own) in enumerate(_rows(histories, times, "times")):
        moments = np.asarray(own)
        if moments.shape != (len(history),) or (len(history) and moments.dtype.kind not in "iu"):
            raise ParameterError(
                f"The 'times' of a history must be whole numbers (microseconds since 1970, or steps), one for each of its items. "
                f"History {row} has {len(history)} items and the times {own!r}.",
                parameter="times",
            )
        if (moments[1:] < moments[:-1]).any():
            raise ParameterError(f"A history goes from its oldest event to its newest. The 'times' of history {row} go back: {own!r}.")
        out.append(moments.astype(np.int64))
    return np.concatenate(out)


def kinds_of(histories: Sequence[Sequence[Any]], kinds: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Names of kinds in the order in which they come, and (events,) their codes.

    Raises:
        ParameterError: they are not one per event, no names, or more than 256.
    """
    codes: dict[str, int] = {}
    out: list[int] = []
    for row, (history, own) in enumerate(_rows(histories, kinds, "kinds")):
        if isinstance(own, str) or len(own) != len(history) or not all(isinstance(kind, str) for kind in own):
            raise ParameterError(
                f"The 'kinds' of a history must be names of kinds of events, one for each of its items. "
                f"History {row} has {len(history)} items and the kinds {own!r}.",
                parameter="kinds",
            )
        out += [codes.setdefault(kind, len(codes)) for kind in own]
    if len(codes) > MOST_KINDS:
        raise ParameterError(f"There are at most {MOST_KINDS} kinds of events. Got {len(codes):,} names.", parameter="kinds")
    return tuple(codes), np.array(out, np.uint8)


def values_of(histories: Sequence[Sequence[Any]], values: Sequence[Sequence[float | None]]) -> NDArray[np.float32]:
    """(events,) values, NaN where there is none.

    Raises:
        ParameterError: they are not one per event, or no finite numbers.
    """
    out = [np.empty(0, np.float32)]
    for row, (history, own) in enumerate(_rows(histories, values, "values")):
        numbers = len(own) == len(history) and all(value is None or isinstance(value, (int, float, np.number)) for value in own)
        array = np.array([np.nan if value is None else value for value in own], np.float32) if numbers else np.array([np.inf])
        if np.isinf(array).any():
            raise ParameterError(
                f"The 'values' of a history must be numbers, or None where there is none, one for each of its items. "
                f"History {row} has {len(history)} items and the values {own!r}.",
                parameter="values",
            )
        out.append(array)
    return np.concatenate(out)


def _rows(histories: Sequence[Sequence[Any]], told: Any, name: str) -> Iterator[tuple[Sequence[Any], Any]]:
    """Each history with what is told of its events."""
    if isinstance(told, str) or not hasattr(told, "__len__") or len(told) != len(histories):
        got = len(told) if hasattr(told, "__len__") else repr(told)
        raise ParameterError(f"The {name!r} must hold a list for each of the {len(histories)} histories. Got {got}.", parameter=name)
    for row, own in enumerate(told):
        if not hasattr(own, "__len__"):
            raise ParameterError(f"The {name!r} must hold a list for each of the {len(histories)} histories. Got {own!r}.", parameter=name)
        yield histories[row], own


def _shown(values: Any) -> str:
    shape = getattr(values, "shape", None)
    return f"the shape {shape}" if isinstance(shape, tuple) and len(shape) > 1 else f"a {type(values).__name__}"
