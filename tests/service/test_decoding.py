"""Bodies, beside an oracle that is slow and obvious."""

import json
import time
from datetime import datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrina.service.decoding import EVENT, batch_of, decoded, depth_of, event_of, moment, row_of
from vitrina.service.problems import RefusedError
from vitrina.service.records import Rejected

ANY = msgspec.json.Decoder()
SPACES = st.sampled_from(["", " ", "\n", "\t "])
TEXTS = st.text(st.sampled_from('ab":\\{}[], é😀'), max_size=4)
VALUES = st.recursive(
    TEXTS | st.integers(-9, 9) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(TEXTS, inner), max_size=4).map(tuple),
    max_leaves=12,
)


def written(value, space, ascii_only):
    """JSON of a value, in which a tuple of pairs is an object, with keys as often as they come."""
    if isinstance(value, tuple):
        return (
            "{"
            + ",".join(f"{json.dumps(key, ensure_ascii=ascii_only)}{space}:{space}{written(one, space, ascii_only)}" for key, one in value)
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(space + written(one, space, ascii_only) for one in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def repeats(value):
    if isinstance(value, tuple):
        return len({key for key, _ in value}) < len(value) or any(repeats(one) for _, one in value)
    return isinstance(value, list) and any(repeats(one) for one in value)


def depth(value):
    inside = [one for _, one in value] if isinstance(value, tuple) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(depth, inside), default=0)


@settings(max_examples=300, deadline=None)
@given(VALUES, SPACES, st.booleans())
def test_keys_that_come_twice_are_found_and_depth_is_counted(value, space, ascii_only):
    body = written(value, space, ascii_only).encode()
    assert depth_of(body) == depth(value)
    if repeats(value):
        with pytest.raises(RefusedError, match="twice"):
            decoded(body, ANY, 99)
    else:
        assert decoded(body, ANY, 99) == json.loads(body)
    if depth(value) > 2:
        with pytest.raises(RefusedError, match="2 deep"):
            decoded(body, ANY, 2)


@settings(max_examples=200, deadline=None)
@given(st.datetimes(datetime(1991, 1, 1), datetime(2024, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_times_are_the_moments_that_they_say(at, minutes):
    at = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = round(at.timestamp() * 1e6)
    assert moment(at.isoformat(), 1.8e9) == expected
    assert moment(at.timestamp(), 1.8e9) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("2024-05-01", "no offset"), ("2024-05-01T10:00:00", "2024-05-01T10:00:00Z"), ("yesterday", "can't be read"), ("", "can't be read"),
        ("2024-13-01T00:00:00Z", "can't be read"), ("9999-12-31T23:59:59-23:59", "ahead"), ("0001-01-01T00:00:00+23:59", "1990"), (1e300, "ahead"),
        (-1e300, "1990"), (0, "1990"), (1_700_000_000_000, "milliseconds"), ("2100-01-01T00:00:00Z", "ahead"), (1e18, "ahead"), ("1" * 5000, "can't be read"),
    ],
)  # fmt: skip
def test_times_that_are_refused(value, word):
    with pytest.raises(ValueError, match=word):
        moment(value, time.time())


def test_old_times_where_they_are_allowed():
    assert moment("1970-01-01T00:00:00Z", 1.8e9, any_year=True) == 0
    assert moment(-1.5, 1.8e9, any_year=True) == -1_500_000
    with pytest.raises(ValueError, match="1990"):
        moment(-1e12, 1.8e9, any_year=True)


def test_a_row_is_cut_for_the_list_of_refused_ones():
    row = event_of(msgspec.Raw(b'{"event_id": "%s"}' % (b"x" * 10_000)), 1.8e9, 16)
    assert isinstance(row, Rejected)
    assert len(row.row) == 4096
    assert row.reason.endswith(".")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=20) | VALUES.map(lambda value: written(value, "", ascii_only=True).encode()), max_size=4))
def test_whatever_comes_a_batch_is_rows_or_refused(rows):
    body = b'{"events": [%s]}' % b",".join(rows)
    try:
        batch = batch_of(body, "events", 1000)
    except RefusedError:
        return
    for raw in batch.rows:
        event_of(raw, 1.8e9, 16)


def test_a_row_that_is_too_long():
    long = msgspec.Raw(b'{"event_id": "%s"}' % (b"x" * 70_000))
    with pytest.raises(RefusedError, match="65,536"):
        row_of(long, EVENT, 16)
