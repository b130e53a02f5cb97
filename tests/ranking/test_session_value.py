"""The order of a session against every order there is, and what the call promises of masks, slots, shapes and stopping."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import ParameterError


def worth_of(order, p, value, after_success, after_failure, loss):
    """Told forward, as a session goes: what is had at each place, times the chance that the person is still there."""
    total, there = 0.0, 1.0
    for i in order:
        on = p[i] * after_success[i] + (1 - p[i]) * after_failure[i]
        total += there * (p[i] * value[i] - (1 - on) * loss)
        there *= on
    return total


def best_of_all(p, value, after_success, after_failure, loss=0.0, k=None, may=None):
    """The most that any order of any choice of at most k allowed items is worth."""
    items = [i for i in range(len(p)) if may is None or may[i]]
    most = len(items) if k is None else min(k, len(items))
    orders = (order for length in range(most + 1) for order in permutations(items, length))
    return max(worth_of(order, p, value, after_success, after_failure, loss) for order in orders)


def drawn(rng, n):
    return rng.random(n), rng.lognormal(0, 1, n), rng.random(n), rng.random(n)


def listed(order, session=0):
    return [int(i) for i in order.items[session] if i >= 0]


def test_the_best_of_all_orders_on_random_sessions():
    rng = np.random.default_rng(0)
    for _ in range(300):
        n = int(rng.integers(1, 6))
        instance = drawn(rng, n)
        loss = float(rng.choice([0.0, rng.random()]))
        k = int(rng.integers(1, n + 1)) if rng.random() < 0.7 else None
        may = rng.random(n) < 0.8
        order = vt.ranking.rank_session(*instance, loss_of_stopping=loss, k=k, eligible=may)
        best = best_of_all(*instance, loss, k, may)
        assert order.expected[0] == pytest.approx(best, abs=1e-12)
        assert worth_of(listed(order), *instance, loss) == pytest.approx(best, abs=1e-12)
        assert may[listed(order)].all()
        assert len(listed(order)) <= (k or n)


GRID = st.sampled_from([0.0, 0.25, 0.5, 1.0])
ITEM = st.tuples(GRID, st.sampled_from([-1.0, 0.0, 1.0, 2.0, 5.0]), GRID, GRID)


@settings(max_examples=150, deadline=None)
@given(st.lists(ITEM, min_size=1, max_size=5), st.sampled_from([0.0, 0.5, 2.0]), st.integers(1, 5))
def test_the_best_of_all_orders_with_ties_and_certain_chances(items, loss, k):
    instance = tuple(np.array(column) for column in zip(*items, strict=True))
    order = vt.ranking.rank_session(*instance, loss_of_stopping=loss, k=k)
    assert order.expected[0] == pytest.approx(best_of_all(*instance, loss, k), abs=1e-12)
    assert vt.ranking.session_value(order.items, *instance, loss_of_stopping=loss)[0] == pytest.approx(order.expected[0], abs=1e-12)


def test_a_long_session_is_sorted_as_a_short_one():
    """Above 64 items the sort is another: an item that earns nothing added to a short session changes nothing."""
    rng = np.random.default_rng(1)
    for k in (None, 7):
        short = [column.copy() for column in drawn(rng, 60)]
        padded = [np.append(column, np.zeros(40)) for column in short]
        padded[1][60:] = -1
        padded[0][60:] = 0.5
        a, b = vt.ranking.rank_session(*short, k=k), vt.ranking.rank_session(*padded, k=k)
        assert listed(a) == listed(b)
        assert a.expected[0] == b.expected[0]


def test_p_times_v_and_the_first_k_by_index_fall_short():
    """What pays best may end the session; and what is first without a limit isn't the best k."""
    p, value, on = np.array([0.9, 0.5, 0.3]), np.array([1.0, 4.0, 3.0]), np.array([0.9, 0.2, 0.9])
    best = vt.ranking.rank_session(p, value, on, 0.9)
    assert listed(best) == [0, 2, 1]
    assert listed(vt.ranking.rank_session(p, value, on, 0.9, k=1)) == [1]
    assert vt.ranking.session_value([np.argsort(-p * value)], p, value, on, 0.9)[0] < 0.9 * best.expected[0]


def test_certain_items_come_first():
    order = vt.ranking.rank_session([0.5, 0.1, 0.2], [9.0, 1.0, 1.0], 1.0, [0.5, 1.0, 1.0])
    assert listed(order) == [1, 2, 0]


def test_going_on_must_pay():
    """A loss of 3 for each person who leaves: item 1 earns .5 and loses .1 * 3, item 0 earns .5 and loses .5 * 3."""
    order = vt.ranking.rank_session([0.5, 0.5], [1.0, 1.0], [0.5, 0.9], [0.5, 0.9], loss_of_stopping=3.0)
    assert listed(order) == [1]
    assert order.expected[0] == pytest.approx(0.2)
    assert listed(vt.ranking.rank_session([0.5, 0.5], [1.0, 1.0], [0.5, 0.9], [0.5, 0.9])) == [1, 0]


def test_nothing_pays():
    order = vt.ranking.rank_session([0.5], [1.0], 0.0, 0.0, loss_of_stopping=9.0)
    assert order.items.tolist() == [[-1]]
    assert order.expected.tolist() == [0.0]


def test_a_batch_is_its_sessions():
    rng = np.random.default_rng(2)
    p, value, after, on = (rng.random((40, 9)) for _ in range(4))
    loss, may = rng.random(40), rng.random((40, 9)) < 0.7
    away = [rng.permutation(9)[:2].tolist() for _ in range(40)]
    whole = vt.ranking.rank_session(p, value, after, on, loss, k=4, eligible=may, exclude=vt.Ragged.of(away))
    for s in range(40):
        alone = vt.ranking.rank_session(p[s], value[s], after[s], on[s], loss[s], k=4, eligible=may[s], exclude=away[s])
        assert listed(alone) == listed(whole, s)
        assert alone.expected[0] == whole.expected[s]
        assert not set(listed(alone)) & set(away[s])
        assert may[s][listed(alone)].all()


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    p, value = rng.random((50, 6)), rng.random(6)
    away = vt.Ragged.of([[s % 6] for s in range(50)])
    whole = vt.ranking.rank_session(p, value, 0.8, 0.9, k=3, exclude=away)
    monkeypatch.setattr("vitrina.ranking.value.BLOCK", 13)
    parts = vt.ranking.rank_session(p, value, 0.8, 0.9, k=3, exclude=away)
    assert (whole.items == parts.items).all()
    assert (vt.ranking.session_value(whole.items, p, value, 0.8, 0.9) == parts.expected).all()


def test_numbers_for_all_are_arrays_of_them():
    rng = np.random.default_rng(4)
    p, value = rng.random((5, 6)), rng.random(6)
    short = vt.ranking.rank_session(p, value, 0.8, 0.9, 0.1)
    full = vt.ranking.rank_session(p, np.tile(value, (5, 1)), np.full((5, 6), 0.8), np.full(6, 0.9), np.full(5, 0.1))
    assert (short.items == full.items).all()


def test_permuted_items_are_the_same_session():
    rng = np.random.default_rng(5)
    instance, order = drawn(rng, 8), rng.permutation(8)
    plain = vt.ranking.rank_session(*instance, k=4)
    mixed = vt.ranking.rank_session(*(column[order] for column in instance), k=4)
    assert order[listed(mixed)].tolist() == listed(plain)


def test_money_in_another_coin_changes_nothing():
    rng = np.random.default_rng(6)
    p, value, after, on = drawn(rng, 8)
    euro, cent = (vt.ranking.rank_session(p, value * coin, after, on, 0.2 * coin, k=4) for coin in (1, 100))
    assert listed(euro) == listed(cent)
    assert cent.expected[0] == pytest.approx(100 * euro.expected[0])


def test_equal_items_go_by_their_place():
    assert listed(vt.ranking.rank_session([0.5] * 4, 1.0, 0.9, 0.8)) == [0, 1, 2, 3]


def test_what_is_said_of_each_place():
    p, on = np.array([0.5, 0.25]), np.array([0.9, 0.5])
    order = vt.ranking.rank_session(p, [1.0, 1.0], on, on)
    assert order.reached[0].tolist() == pytest.approx([1.0, 0.9])
    assert order.going_on[0].tolist() == pytest.approx([0.5 + 0.9 * 0.25, 0.25])
    assert "0.725 expected per session" in repr(order)


def test_what_is_to_come_never_rises():
    rng = np.random.default_rng(7)
    p, value, after, on = (rng.random((200, 12)) for _ in range(4))
    for k in (4, None):
        going_on = vt.ranking.rank_session(p, value, after, on, 0.1, k=k).going_on
        assert not (np.diff(going_on, axis=1) > 1e-6).any()


def test_codes_of_nothing_are_not_there_anyway():
    assert listed(vt.ranking.rank_session([0.5, 0.4], 1.0, 0.9, 0.8, exclude=[-1, 0, 99])) == [1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"p": [0.5, 1.5]}, "The 'p' of a session must be chances within [0, 1]. Got 1.5."),
        ({"p": [0.5, np.nan]}, "The 'p' of a session must be chances within [0, 1]. Got nan."),
        ({"value": [1.0, np.inf]}, "The 'value' of a session must be finite numbers. Got inf."),
        ({"continue_after_failure": 2}, "The 'continue_after_failure' of a session must be chances"),
        ({"loss_of_stopping": np.nan}, "The 'loss_of_stopping' of a session must be a finite number of at least 0"),
        ({"value": [1.0, 2.0, 3.0]}, "Got p (1, 2), value (1, 3)"),
        ({"eligible": [0, 1]}, "is a mask of True and False, (2,) or (1, 2). Got int64 of the shape (2,)"),
        ({"eligible": np.ones(3, bool)}, "Got bool of the shape (3,)"),
        ({"exclude": vt.Ragged.of([[0], [1]])}, "must have 1 rows. Got 2."),
        ({"exclude": np.array([True, False])}, "takes codes, and a mask is none"),
        ({"k": 0}, "must be at least 1. Got 0."),
    ],
)
def test_what_is_refused(change, said):
    given = {"p": [0.5, 0.4], "value": 1.0, "continue_after_success": 0.9, "continue_after_failure": 0.8}
    with pytest.raises(ParameterError) as error:
        vt.ranking.rank_session(**(given | change))
    assert said in str(error.value)


def test_orders_that_are_none_are_refused():
    with pytest.raises(ParameterError, match="places from 0 to 1, a row for each of the 1 sessions"):
        vt.ranking.session_value([[0, 2]], [0.5, 0.4], 1.0, 0.9, 0.8)


def test_stopping_costs_nothing_or_something():
    with pytest.raises(ParameterError, match=r"'loss_of_stopping' of a session must be a finite number of at least 0\. Got -1"):
        vt.ranking.rank_session([0.5], [1.0], [0.9], [0.8], loss_of_stopping=-1)
