"""Who is told the moment of asking: nobody by default, whoever asks for it, models of before, and every board says so."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.base.time import DAY
from vitrina.board.cautions import cautions
from vitrina.board.summary import Findings
from vitrina.sequence import HSTU, Encoded, FuXiAlpha, FuXiBeta, FuXiLinear, ItemMasking, LiGR, Training
from vitrina.sequence.batches import Batch
from vitrina.sequence.layout import Layout
from vitrina.sequence.network import Body
from vitrina.told import SEES_TARGET, marks_of, reads_now

DATA = vt.testing.synthetic(users=60, items=30, seed=2)
QUICK = Training(epochs=1, patience=None)
CLOCKS = [HSTU(), FuXiAlpha(), FuXiBeta(), FuXiLinear()]


def fitted(**rest):
    return vt.SequenceModel(block=rest.pop("block", HSTU()), dim=8, layers=2, seed=1, training=QUICK, **rest).fit(DATA)


def moved(fit, days=40):
    """How far states move where everybody asks so many days later."""
    queries = DATA.queries()
    at = queries.events.times[queries.stop - 1]
    one, other = (fit.encode(replace(queries, now=at + n * DAY)) for n in (1, days))
    return float(np.abs(one - other).max())


@pytest.mark.parametrize("objective", [vt.sequence.ShiftedSequence(), ItemMasking()], ids=repr)
@pytest.mark.parametrize("block", CLOCKS, ids=repr)
def test_the_moment_of_asking_changes_nothing_unless_it_is_asked_for(block, objective):
    assert moved(fitted(block=block, objective=objective)) == 0
    assert moved(fitted(block=block, objective=objective, reads_now=True)) > 0


@pytest.mark.parametrize("block", CLOCKS, ids=repr)
def test_training_sees_no_time_of_a_hidden_event(block):
    torch.manual_seed(0)
    body, table = Body(block, 2, 1, 8, 10, 0.0), torch.randn(20, 8)
    for parameter in body.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    rows = torch.tensor([3, -1, 4, -1, -1, -1, 5, -1])
    hidden, times = rows < 0, 1_700_000_000_000_000 + torch.arange(8).cumsum(0) * DAY
    layout = Layout(torch.tensor([5, 3]), times, times)
    other = torch.where(hidden, times + 3 * DAY // 2, times)
    batch = Batch(rows, layout, torch.zeros(2), torch.arange(8), torch.empty(0))
    moved = replace(batch, layout=Layout(layout.lengths, other, other))
    torch.testing.assert_close(body(table, batch, False), body(table, moved, False), rtol=0, atol=0)
    body.within_history = False
    assert not torch.allclose(body(table, batch, False), body(table, moved, False))


def test_a_mask_stands_where_the_known_event_before_it_does():
    times = torch.tensor([10, 20, 30, 40, 50, 60, 70, 80, 90])
    masked = torch.tensor([True, False, True, True, True, True, False, False, True])
    known = Layout(torch.tensor([4, 2, 3]), times, times + 5).within_history(masked)
    assert known.times.tolist() == [20, 20, 20, 20, 50, 50, 70, 80, 80]
    assert known.asked_at.tolist() == known.times.tolist()
    timeless = Layout(torch.tensor([2]))
    assert timeless.within_history(torch.tensor([True, False])) is timeless


def test_models_of_before_answer_as_before():
    new = fitted(reads_now=True)
    state = new.state()
    before = {name: value for name, value in state.config["answering"].items() if name != "reads_now"}
    old = Encoded.of_state(State(state.config | {"answering": before}, state.arrays), new.vocabulary, new.catalogue)
    assert old.reads_now
    np.testing.assert_array_equal(old.encode(DATA.queries()), new.encode(DATA.queries()))
    with pytest.raises(ParameterError, match="This one has reads_now=False, the start has reads_now=True"):
        vt.SequenceModel(block=HSTU(), dim=8, layers=2, training=QUICK).fit(DATA, start=old)


def test_a_block_that_looks_at_no_times_can_be_told_none():
    with pytest.raises(ParameterError, match=r"needs a block that looks at times, for example vt.sequence.HSTU\(\). Got block=LiGR\(\)"):
        vt.SequenceModel(reads_now=True)
    with pytest.raises(ParameterError, match=r"Got block=HSTU\(times=False\)"):
        vt.SequenceModel(block=HSTU(times=False), reads_now=True)
    assert not fitted(block=LiGR()).reads_now


def taken_at_now(split):
    """Whether each query is asked at a moment at which its person took one of its targets, looked up in the log."""
    taken = set(zip(DATA.user_of.tolist(), DATA.events.items.tolist(), DATA.events.times.tolist(), strict=True))
    queries, owner = split.queries, np.repeat(np.arange(split.n_queries), split.truth.lengths)
    hits = [(int(queries.users[q]), int(item), int(queries.now[q])) in taken for q, item in zip(owner, split.truth.values, strict=True)]
    return bool((np.bincount(owner, hits) > 0).all())


RULES = {
    vt.split.LeaveOneOut(): True, vt.split.GlobalTime(quantile=0.8): True, vt.split.GlobalTime(quantile=0.8, target="last"): True,
    vt.split.GlobalTime(quantile=0.8, target="all"): False,
}  # fmt: skip


@pytest.mark.parametrize(("rule", "marked"), RULES.items(), ids=map(repr, RULES))
def test_a_split_that_asks_at_the_target_marks_who_reads_the_moment(rule, marked):
    split = DATA.split(rule)
    model = vt.SequenceModel(block=HSTU(), dim=8, training=QUICK)
    told, untold = vt.SequenceModel(**dict(model) | {"reads_now": True}).fit(split.train), model.fit(split.train)
    assert marks_of(told, split) == (SEES_TARGET,) * marked
    assert marks_of(untold, split) == ()
    assert marked is taken_at_now(split)
    assert marks_of(told, split.changed(rule=None)) == (SEES_TARGET,)  # nobody knows how it was made
    assert marks_of(told, replace(split, train=replace(split.train, time_unit="step"))) == ()


def test_what_is_made_of_it_is_marked_too():
    told = fitted(reads_now=True)
    lists = vt.rerank.RerankedLists(told, None, 10)
    assert reads_now(lists)
    assert reads_now({"one": (lists,)})
    assert not reads_now(vt.rerank.RerankedLists(fitted(), None, 10))


def test_the_mark_is_on_the_board_the_page_and_in_json(tmp_path):
    split = DATA.split(vt.split.GlobalTime(quantile=0.8))
    model = vt.SequenceModel(block=HSTU(), dim=8, reads_now=True, training=QUICK)
    board = vt.compare({"HSTU, told": model, "Popularity": vt.Popularity()}, split, baselines=False, progress=False)
    assert {e.name: e.marks for e in board.entries}["HSTU, told"] == (SEES_TARGET,)
    assert not any(e.marks for e in board.entries if e.name != "HSTU, told")
    assert f"HSTU, told ({SEES_TARGET})" in " ".join(str(board).split())
    report = board.save(tmp_path / "saved").read_text(encoding="utf-8")
    assert "sees the target" in report
    entries = json.loads((tmp_path / "saved" / "board.json").read_text(encoding="utf-8"))["entries"]
    assert {e["name"]: e["marks"] for e in entries}["HSTU, told"] == [SEES_TARGET]
    first = replace(board.entry("HSTU, told"))
    row = {"hits": 500, "by_person": None, "value": 0.5}
    said = " ".join(cautions(Findings("nDCG@10", "Popularity", [first], {first.name: row}, board.comparisons, board.against_winner)))
    assert said.startswith("HSTU, told sees the target's time, so that its numbers say nothing of models that don't.")
