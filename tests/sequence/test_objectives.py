"""What windows are asked, against plain Python."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from vitrina.forms.windows import Sequences, token_batches
from vitrina.sequence import AllAction, DenseAllAction, ItemMasking, NextAction, RandomTarget, ShiftedSequence
from vitrina.sequence.objectives import DAY, MASK

# distinct rows, so that a target says which event it is
WINDOWS = [[0, 1, 2, 3, 4], [10, 11], [20, 21, 22, 23]]
DAYS = [[0, 1, 2, 50, 51], [0, 99], [5, 5, 6, 6]]


def sequences():
    """The second window is taken out of the middle and the order is turned, so that places in `rows` are no ranges."""
    flat = [-9, *WINDOWS[0], -9, *WINDOWS[2], *WINDOWS[1]]
    times = [0, *DAYS[0], 0, *DAYS[2], *DAYS[1]]
    start, stop = np.array([1, 11, 7]), np.array([6, 13, 11])
    return Sequences(np.array(flat), np.array(times) * DAY + 7 * DAY, start, stop, np.array([5, 6, 7], np.int32))


def asked_of(objective, seed=0):
    """For each window the inputs, and (place, target) pairs."""
    batch = objective.batch(sequences(), np.random.default_rng(seed))
    layout = batch.layout
    out = [([], []) for _ in WINDOWS]
    for row, window in zip(batch.rows.tolist(), layout.window.tolist(), strict=True):
        out[window][0].append(row)
    for token, target in zip(batch.at.tolist(), batch.targets.tolist(), strict=True):
        out[int(layout.window[token])][1].append((int(layout.place[token]), target))
    return out


def test_shifted_sequence():
    assert asked_of(ShiftedSequence()) == [(w[:-1], list(enumerate(w[1:]))) for w in WINDOWS]


def test_next_action():
    assert asked_of(NextAction()) == [(w[:-1], [(len(w) - 2, w[-1])]) for w in WINDOWS]


def test_random_target_names_each_later_event():
    seen = set()
    for seed in range(60):
        for window, (inputs, pairs) in zip(WINDOWS, asked_of(RandomTarget(), seed), strict=True):
            assert inputs == window[:-1]
            assert [place for place, _ in pairs] == list(range(len(window) - 1))
            seen |= {(window[place], target) for place, target in pairs}
    assert seen == {(w[i], w[j]) for w in WINDOWS for i in range(len(w)) for j in range(i + 1, len(w))}


def test_dense_all_action_names_each_event_of_the_next_days_or_the_next():
    seen = set()
    for seed in range(60):
        for window, (inputs, pairs) in zip(WINDOWS, asked_of(DenseAllAction(days=2), seed), strict=True):
            assert inputs == window[:-1]
            seen |= {(window[place], target) for place, target in pairs}
    wanted = set()
    for window, days in zip(WINDOWS, DAYS, strict=True):
        for i in range(len(window) - 1):
            near = [j for j in range(i + 1, len(window)) if days[j] - days[i] <= 2]
            wanted |= {(window[i], window[j]) for j in near or [i + 1]}
    assert seen == wanted


@pytest.mark.parametrize("most", [1, 32])
def test_all_action_names_the_events_of_the_last_days(most):
    for window, days, (inputs, pairs) in zip(WINDOWS, DAYS, asked_of(AllAction(days=1.5, most=most)), strict=True):
        late = [i for i in range(1, len(window)) if days[i] > days[-1] - 1.5]
        assert inputs == [row for i, row in enumerate(window) if i not in late]
        assert {place for place, _ in pairs} == {len(inputs) - 1}
        targets = [target for _, target in pairs]
        assert len(targets) == len(set(targets)) == min(most, len(late))
        assert set(targets) <= {window[i] for i in late}


def test_masks_hide_what_is_asked():
    for window, (inputs, pairs) in zip(WINDOWS, asked_of(ItemMasking(share=0.3)), strict=True):
        assert pairs
        assert all(target == window[place] for place, target in pairs)
        hidden = {place for place, _ in pairs}
        assert inputs == [MASK if place in hidden else row for place, row in enumerate(window)]


def test_a_hidden_item_changes_no_input():
    """Whatever stands at a masked place, the network sees the same tokens."""
    one = ItemMasking(share=0.3).batch(sequences(), np.random.default_rng(0))
    windows = sequences()
    hidden = np.isin(windows.rows, one.targets.numpy())
    windows.rows[hidden] += 100
    other = ItemMasking(share=0.3).batch(windows, np.random.default_rng(0))
    assert torch.equal(one.rows, other.rows)
    assert torch.equal(one.targets + 100, other.targets)


def test_questions():
    batch = ShiftedSequence().question(sequences())
    assert batch.rows.tolist() == [row for w in WINDOWS for row in w]
    assert batch.rows[batch.at].tolist() == [w[-1] for w in WINDOWS]
    batch = ItemMasking().question(sequences())
    assert batch.rows.tolist() == [row for w in WINDOWS for row in (*w, MASK)]
    assert (batch.rows[batch.at] == MASK).all()


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_token_batches_hold_every_history_once(seed):
    lengths = np.random.default_rng(3).integers(1, 40, 200)
    rng = None if seed is None else np.random.default_rng(seed)
    parts = list(token_batches(lengths, 100, rng))
    assert sorted(np.concatenate(parts).tolist()) == list(range(200))
    assert all(lengths[part].sum() <= 100 + lengths.max() for part in parts)
    assert all(np.ptp(lengths[part]) <= 8 for part in parts)


def test_days_without_end_stay_inside_the_window():
    for seed in range(5):
        assert asked_of(DenseAllAction(days=1e6), seed) == asked_of(RandomTarget(), seed)


@pytest.mark.parametrize(
    "objective",
    [
        ShiftedSequence(),
        RandomTarget(),
        DenseAllAction(days=2),
        NextAction(),
        AllAction(days=2),
        AllAction(days=9999, most=2),
        ItemMasking(share=0.3),
    ],
    ids=repr,
)
def test_how_often_an_event_is_a_target_is_what_many_passes_show(objective):
    """The log q of in-batch draws is made of it."""
    windows, passes = sequences(), 4000
    rng = np.random.default_rng(3)
    drawn = np.concatenate([objective.batch(windows, rng).targets.numpy() for _ in range(passes)])
    counted = np.bincount(drawn, minlength=30) / passes
    expected = objective.frequency(windows, 30)
    assert expected.sum() == pytest.approx(counted.sum(), rel=0.02)
    np.testing.assert_allclose(expected, counted, atol=5 * np.sqrt(0.25 / passes))
    assert (expected[counted == 0] < 1e-12).all()


@pytest.mark.parametrize(
    "objective", [ShiftedSequence(), RandomTarget(), DenseAllAction(days=3), NextAction(), AllAction(days=3), ItemMasking()], ids=repr
)
def test_a_target_has_the_weight_of_its_event(objective):
    windows = sequences()
    assert objective.batch(windows, np.random.default_rng(0)).weights is None
    weighed = replace(windows, weights=(windows.rows + 0.5).astype(np.float32))
    batch = objective.batch(weighed, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.weights, batch.targets + 0.5)
    np.testing.assert_array_equal(batch.rows, objective.batch(windows, np.random.default_rng(0)).rows)


CAUSAL = [ShiftedSequence(), RandomTarget(), DenseAllAction(days=2), NextAction(), AllAction(days=1.5)]
TIME_OF = {row: 7 * DAY + day * DAY for window, days in zip(WINDOWS, DAYS, strict=True) for row, day in zip(window, days, strict=True)}


@pytest.mark.parametrize("objective", CAUSAL, ids=repr)
def test_a_token_is_asked_when_the_event_after_it_happens(objective):
    """The last moment at which the history ended there: a later target says nothing of its own time."""
    batch = objective.batch(sequences(), np.random.default_rng(0))
    after = {row: following for window in WINDOWS for row, following in itertools.pairwise(window)}
    assert batch.layout.times.tolist() == [TIME_OF[row] for row in batch.rows.tolist()]
    assert batch.layout.asked_at.tolist() == [TIME_OF[after[row]] for row in batch.rows.tolist()]


def test_a_mask_stands_at_the_time_of_what_it_hides():
    batch = ItemMasking(share=0.3).batch(sequences(), np.random.default_rng(0))
    assert batch.layout.times.tolist() == batch.layout.asked_at.tolist() == [TIME_OF[row] for window in WINDOWS for row in window]


@pytest.mark.parametrize("objective", [*CAUSAL, ItemMasking()], ids=repr)
@pytest.mark.parametrize("now", [None, np.array([900, 901, 902]) * DAY], ids=["without now", "with now"])
def test_a_visitor_is_asked_now(objective, now):
    """Training and answering agree: but for its end, a question is a window with one event more."""
    windows = replace(sequences(), now=now)
    batch = objective.question(windows)
    end = [TIME_OF[window[-1]] for window in WINDOWS] if now is None else now.tolist()
    masks = [] if objective.causal else [MASK]
    times = [[*(TIME_OF[row] for row in window), *([moment] * len(masks))] for window, moment in zip(WINDOWS, end, strict=True)]
    asked = [[*own[1:], moment] if objective.causal else own for own, moment in zip(times, end, strict=True)]
    assert batch.rows.tolist() == [row for window in WINDOWS for row in (*window, *masks)]
    assert batch.layout.times.tolist() == [*itertools.chain(*times)]
    assert batch.layout.asked_at.tolist() == [*itertools.chain(*asked)]
    turned = windows.take(np.array([2, 0]))
    assert objective.question(turned).layout.asked_at.tolist() == asked[2] + asked[0]


@pytest.mark.parametrize("objective", [ShiftedSequence(), RandomTarget(), NextAction(), ItemMasking()], ids=repr)
def test_windows_without_times_have_none(objective):
    windows = replace(sequences(), times=None, now=np.array([1, 2, 3]))
    for layout in (objective.batch(windows, np.random.default_rng(0)).layout, objective.question(windows).layout):
        assert layout.times is None
        assert layout.asked_at is None
