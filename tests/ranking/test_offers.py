"""Eligibility before the model, bounded tries, an explicit fallback; and the back-end that does it the other way round."""

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError

ITEMS = 1000
P, VALUE = np.random.default_rng(0).random(ITEMS), np.random.default_rng(1).lognormal(0, 1, ITEMS)
MAY = np.random.default_rng(2).random(ITEMS) < 0.005  # what the back-end would let through
QUOTA_FULL = np.flatnonzero(MAY)[:1]  # passes the mask, and is taken by somebody else meanwhile


def best(exclude, eligible=None):
    return vt.ranking.rank_session(P, VALUE, 0.8, 0.9, k=1, eligible=eligible, exclude=exclude).items[0]


def test_a_back_end_that_filters_afterwards_asks_800_times_and_this_one_once():
    """The same question gives the same item: asked 800 times without saying what was wrong, nothing comes of it."""
    asked = [int(best(())[0]) for _ in range(800)]
    assert not MAY[asked].any()
    assert len(set(asked)) == 1
    offers = vt.ranking.Offers.of(lambda exclude: best(exclude, MAY), most=3)
    assert MAY[offers.item]
    assert (offers.source, offers.attempts) == ("ranked", 1)


def test_even_a_careful_back_end_needs_many_tries_where_a_mask_needs_one():
    """Saying what was wrong helps, but only as fast as one item per question; so tries are bounded, and then comes the fallback."""
    offers, tries = vt.ranking.Offers.of(best, most=800), 1
    while not MAY[offers.item]:
        offers, tries = offers.rejected(), tries + 1
        assert offers.attempts == tries
    assert tries > 50
    bounded, asked = vt.ranking.Offers.of(best, most=20, fallback=[QUOTA_FULL[0]]), 0
    for _ in range(800):
        if bounded.item is None or MAY[bounded.item]:
            break
        bounded, asked = bounded.rejected(), asked + 1
    assert asked == 20
    assert (bounded.attempts, bounded.source, bounded.item) == (20, "fallback", QUOTA_FULL[0])


def test_nothing_rejected_comes_back_and_attempts_only_rise():
    calls = []

    def rank(exclude):
        calls.append(exclude.tolist())
        return best(exclude, MAY)

    offers, shown, attempts = vt.ranking.Offers.of(rank, most=3, fallback=[5, 6]), [], [0]
    while offers.item is not None:
        shown.append((offers.item, offers.source))
        attempts.append(offers.attempts)
        offers = offers.rejected()
    assert [source for _, source in shown] == ["ranked"] * 3 + ["fallback"] * 2
    items = [item for item, _ in shown]
    assert len(set(items)) == 5
    assert calls == [[], items[:1], items[:2]]
    assert attempts == sorted(attempts)
    assert (offers.attempts, offers.source) == (3, "nothing")
    with pytest.raises(ParameterError, match="Nothing is offered"):
        offers.rejected()


def test_a_ranking_that_has_nothing_is_not_asked_again():
    calls = []

    def rank(exclude):
        calls.append(exclude)
        return np.array([-1])

    offers = vt.ranking.Offers.of(rank, most=100, fallback=[4, 3, 4])
    assert (offers.item, offers.source) == (4, "fallback")
    offers = offers.rejected()
    assert offers.item == 3
    assert offers.rejected().item is None
    assert len(calls) == 1


def test_the_fallback_leaves_out_what_was_rejected():
    first = int(best(())[0])
    assert vt.ranking.Offers.of(best, most=1, fallback=[first]).rejected().item is None


def test_the_same_offers_can_go_on_in_two_ways():
    offers = vt.ranking.Offers.of(best)
    assert offers.rejected().item == offers.rejected().item != offers.item
    assert repr(offers.rejected()).endswith("from ranked, asked 2 of 3 times, 1 rejected)")


def test_what_is_refused():
    with pytest.raises(ParameterError, match=r"must be a whole number from 1 on\. Got 0"):
        vt.ranking.Offers.of(best, most=0)
    with pytest.raises(ParameterError, match="takes codes, not ids"):
        vt.ranking.Offers.of(best, fallback=["tea"])
    with pytest.raises(ParameterError, match="It gave item 3, which was rejected"):
        vt.ranking.Offers.of(lambda exclude: np.array([3])).rejected()


def test_a_recommender_takes_the_same_question():
    """Eligibility is part of the call of every recommender, and what is excluded never comes back."""
    data = vt.testing.synthetic(users=30, items=40)
    fitted, person = vt.EASE().fit(data), data.queries(["u1"])
    may = np.arange(0, 40, 4, dtype=np.int32)

    def rank(exclude):
        return fitted.recommend(person, 1, eligible=vt.Eligibility(include=may, exclude=exclude, repeat=True)).items[0]

    offers, shown = vt.ranking.Offers.of(rank, most=20), []
    while offers.item is not None:
        shown.append(offers.item)
        offers = offers.rejected()
    assert set(shown) <= set(may.tolist())
    assert len(shown) == len(set(shown)) >= 9
