"""What a comparison's quality takes beside its board: seeds, other rules and smaller logs, within a budget, gone on with after Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.board import examine as examined
from vitrina.board.examine import announced, examine, planned
from vitrina.board.quality import order_of
from vitrina.data.dataset import Dataset
from vitrina.pages.quality import Study, render

pytestmark = pytest.mark.usefixtures("one_process")
MODELS = {"popular": vt.Popularity(), "pairs": vt.Cooccurrence(), "random": vt.RandomItems()}
ABOUT = {"metrics": ["nDCG@10", "HitRate@1"], "baselines": False, "examples": 0, "progress": False}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return vt.testing.synthetic(users=200, items=40, seed=3)


@pytest.fixture
def split(data: Dataset) -> vt.split.Split:
    return data.split(vt.split.GlobalTime(days=10, repeat=False))


@pytest.fixture
def board(split: vt.split.Split, tmp_path: Path) -> vt.Board:
    return vt.compare(MODELS, split, cache=tmp_path, **ABOUT)


def test_steps_are_planned_within_the_seconds_and_the_others_are_named(board: vt.Board, split: vt.split.Split) -> None:
    done, left = planned(board, split, 1e6)
    assert not left
    assert done[0].what == "3 seeds of random"
    assert [str(step.rule) for step in done[1:4]] == [
        "GlobalTime(repeat=False, days=10, target='last')", "GlobalTime(repeat=False, days=10, target='all')", "LeaveOneOut(repeat=False)",
    ]  # fmt: skip
    assert {(step.share, step.draw) for step in done[4:]} == set(examined.SHARES)
    some, rest = planned(board, split, done[0].seconds)
    assert [step.what for step in some] == [done[0].what]
    assert len(some) + len(rest) == len(done)
    lines = list(announced(some, rest, done[0].seconds))
    assert "3 seeds of random" in lines[0]
    assert "LeaveOneOut" in lines[1]
    with pytest.raises(ParameterError, match="0 or more"):
        planned(board, split, -1)


def test_it_finds_out_keeps_what_is_finished_and_goes_on(
    board: vt.Board, split: vt.split.Split, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examined, "SHARES", ((0.5, 1),))
    told: list[str] = []

    def stop(what: str, number: int, of: int) -> None:
        told.append(what)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(board, split, data, seconds=1e6, cache=tmp_path, report=stop, **ABOUT)
    kept = {path for path in tmp_path.iterdir() if path.is_dir()}
    found = examine(board, split, data, seconds=1e6, cache=tmp_path, report=lambda *_: told.append("again"), **ABOUT)
    assert kept <= set(tmp_path.iterdir())
    assert told[3:] == ["again"] * 5
    assert found.board.entry("random").fits == 3
    assert found.board.entry("popular").cached
    quality = found.quality
    assert quality.row("nDCG@10")["freedom"] == 2
    rules = quality.of("rules")
    assert rules["one"][0] == board.protocol.rule
    other = vt.compare(MODELS, data.split(vt.split.LeaveOneOut(repeat=False)), cache=tmp_path, **ABOUT)
    both = vt.evaluate.order_agreement({"a": order_of(found.board), "b": order_of(other)}, "rules")
    row = next(r for r in rules.iter_rows(named=True) if (r["one"], r["other"]) == (board.protocol.rule, "LeaveOneOut(repeat=False)"))
    assert row["tau"] == pytest.approx(both["tau"].item())
    assert quality.sizes.select("share", "draw").rows() == [(0.5, 1)]
    assert 20 < quality.sizes["people"].item() < 60  # half of those who ask
    page = render(Study("Which benchmark to believe: <a log>", quality, ("one step was left out",)))
    assert (
        page.index("Trust") < page.index('<section id="metrics"') < page.index('<section id="stable"') < page.index('<section id="sizes"')
    )
    assert "&lt;a log&gt;" in page
    assert "one step was left out." in page
    assert ">nan<" not in page
    assert page == render(Study("Which benchmark to believe: <a log>", quality, ("one step was left out",)))


def test_without_times_there_is_no_other_rule() -> None:
    data = vt.read_interactions(vt.testing.synthetic(users=60, items=20).frame().select("user_id", "item_id"))
    split = data.split(vt.split.LeaveOneOut(repeat=True))
    board = vt.compare({"popular": vt.Popularity(), "pairs": vt.Cooccurrence()}, split, **ABOUT)
    assert not [step for step in planned(board, split, 1e6)[0] if step.rule is not None]
