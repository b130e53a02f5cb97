"""A search whose best value is the last one it looked at says so, and says nothing where there is nothing to widen."""

import pytest

import vitrina as vt
from vitrina.board.edges import edge_notes


def notes(search, best, tried=None, own=True):
    return edge_notes(search, search.candidates(50) if tried is None else tried, best, own=own)


@pytest.mark.parametrize(("l2", "at_edge"), [(10, True), (100, False), (1000, True)])
def test_the_ends_of_a_list_are_edges(l2, at_edge):
    found = notes(vt.tune(vt.EASE, l2=[10, 1000, 100]), vt.EASE(l2=l2))
    assert found == ((f"The best l2 ({l2}) is at the edge of its search (10 to 1000): widen it.",) if at_edge else ())


@pytest.mark.parametrize(("l2", "at_edge"), [(1.5, True), (30, False), (600, True), (1000, True)])
def test_the_outer_tenth_of_a_range_in_its_own_scale_is_its_edge(l2, at_edge):
    search = vt.tune(vt.EASE, l2=vt.Range(low=1, high=1000, log=True))
    assert bool(notes(search, vt.EASE(l2=l2), tried=[vt.EASE(l2=v) for v in (1.1, l2, 999)])) == at_edge


def test_the_last_of_several_values_drawn_from_a_range_is_an_edge_too():
    search = vt.tune(vt.EASE, l2=vt.Range(low=1, high=10_000, log=True))
    tried = [vt.EASE(l2=v) for v in (3, 20, 80, 200, 700)]
    assert notes(search, vt.EASE(l2=700), tried)
    assert not notes(search, vt.EASE(l2=200), tried)
    assert not notes(search, vt.EASE(l2=700), tried[2:])  # three values are no search


def test_a_number_inside_of_a_part_has_edges():
    decays = [vt.decay.Exponential(days=d) for d in (30, 60, 120)]
    search = vt.tune(vt.TopPersonal, decay=decays)
    assert "The best decay.days (120) is at the edge" in notes(search, vt.TopPersonal(decay=decays[2]))[0]
    assert notes(search, vt.TopPersonal(decay=decays[1])) == ()


def test_nothing_is_said_where_the_domain_ends_or_there_is_no_order():
    assert notes(vt.tune(vt.Cooccurrence, last=[1, 5, 20]), vt.Cooccurrence(last=1)) == ()  # 0 events can't be read
    assert notes(vt.tune(vt.Cooccurrence, last=[5, 20, None]), vt.Cooccurrence(last=20)) == ()  # None is beyond 20
    assert notes(vt.tune(vt.Cooccurrence, last=[5, 20, None]), vt.Cooccurrence(last=None)) == ()
    assert notes(vt.tune(vt.Popularity, by=["users", "events"]), vt.Popularity(by="events")) == ()
    assert notes(vt.tune(vt.Cooccurrence, one_way=[True, False]), vt.Cooccurrence(one_way=True)) == ()
    mixed = [vt.weighting.BM25(k1=0.8), vt.weighting.Lift(), vt.weighting.BM25(k1=2)]
    assert notes(vt.tune(vt.Cooccurrence, weighting=mixed), vt.Cooccurrence(weighting=mixed[2])) == ()


def test_a_search_of_vitrinas_own_says_whose_it_is_to_widen():
    (said,) = notes(vt.tune(vt.EASE, l2=[10, 100]), vt.EASE(l2=100), own=False)
    assert "compare EASE with a wider search of your own" in said


@pytest.mark.usefixtures("one_process")
def test_the_note_is_on_the_board(tmp_path):
    split = vt.testing.synthetic(users=80, items=30).split(vt.split.GlobalTime(quantile=0.8))
    models = {"window": vt.tune(vt.Popularity, days=[1, 2, 3])}
    board = vt.compare(models, split, metrics=["nDCG@10"], baselines=False, budget=vt.Budget(trials=3), progress=False)
    entry = board.entry("window")
    best = entry.config["days"]
    assert any("edge of its search (1 to 3)" in note for note in entry.notes) == (best != 2)
    assert entry.call == f"Popularity(days={best:g})"
    assert f"window: Popularity(days={best:g})." in str(board)
