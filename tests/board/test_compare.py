import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
import rogues
from rich.cells import cell_len

import vitrina as vt
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.printing import as_text
from vitrina.board import assemble
from vitrina.board.baselines import baselines, recent_days
from vitrina.board.people import examples
from vitrina.evaluate.run import evaluate
from vitrina.jobs.folders import work_folder

METRICS = ["nDCG@5", "Coverage@5", "HitRate@5"]
TWO_AT_A_TIME = vt.Budget(workers=2)


@pytest.fixture(scope="module")
def split():
    return vt.testing.synthetic(users=150, items=40).split(vt.split.GlobalTime(quantile=0.8, repeat=True))


@pytest.fixture(scope="module")
def board(split):
    models = {
        "popular": vt.Popularity(),
        "recent": vt.Popularity(days=7),
        "raises": rogues.Raises(),
        "hungry": rogues.Hungry(),
        "exits": rogues.Exits(),
        "killed": rogues.Killed(),
        "leaves": rogues.Exits(code=3),
        "talks": rogues.Talks(),
        "own": rogues.Favourite(first=3),
    }
    return vt.compare(
        models, split, metrics=METRICS, primary="nDCG@5", k=5, baselines=False, baseline="popular", budget=TWO_AT_A_TIME, progress=False
    )


def test_a_model_that_fails_has_a_row_and_the_others_stay(board):
    ends = {e.name: (e.status, e.error) for e in board.entries}
    assert ends["raises"] == ("failed", "RuntimeError: the third wheel came off")
    assert ends["hungry"] == ("out of memory", "MemoryError: no room for 40 GB")
    assert ends["exits"][0] == ends["killed"][0] == "out of memory"
    assert "killed" in ends["killed"][1]
    assert ends["leaves"] == ("failed", "Its process ended with the exit code 3.")
    assert ends["talks"][0] == "failed"
    assert "shape" in ends["talks"][1]
    assert [n for n, (status, _) in ends.items() if status == "ok"] == board.numbers["model"].unique(maintain_order=True).to_list()
    assert any("raises" in sentence for sentence in board.headline)


def test_numbers_are_those_of_the_same_model_in_this_process(board, split):
    for name, model in {"popular": vt.Popularity(), "recent": vt.Popularity(days=7), "own": rogues.Favourite(first=3)}.items():
        lists = model.fit(split.train).recommend(split.queries, 5, eligible=split.eligible)
        wanted = evaluate(lists, split, METRICS).numbers
        assert board.numbers.filter(pl.col("model") == name).drop("model", "queries").equals(wanted)


def test_entries_are_in_the_order_of_the_primary_metric_and_measured(board):
    ok = [e for e in board.entries if e.status == "ok"]
    values = dict(board.numbers.filter(pl.col("metric") == "nDCG@5").select("model", "value").iter_rows())
    assert [e.name for e in ok] == sorted(values, key=lambda n: -values[n])
    assert [e.status == "ok" for e in board.entries] == [True] * len(ok) + [False] * (len(board.entries) - len(ok))
    for entry in ok:
        assert entry.fit_seconds >= 0
        assert entry.answer_seconds >= 0
        assert 50e6 < entry.peak_bytes < psutil.virtual_memory().total
    assert board.entry("own").config == {"class": "rogues:Favourite", "first": 3, "gate": "", "pid_file": ""}
    with pytest.raises(UnknownNameError, match="'populer'"):
        board.entry("populer")


def test_comparisons_are_with_the_baseline_and_corrected_on_every_metric(board):
    table = board.comparisons
    assert set(table["model"]) == {"recent", "own"}
    assert set(table["baseline"]) == {"popular"}
    assert table.filter(pl.col("metric") == "nDCG@5")["p_adjusted"].null_count() == 0
    assert table.filter(pl.col("metric") == "HitRate@5")["p_adjusted"].null_count() == 0
    winner = board.entries[0].name
    assert set(board.against_winner["baseline"]) == {winner}


def test_the_board_prints_and_turns_to_plain_values(board):
    text = str(board)
    for entry in board.entries:
        assert entry.name in text
    assert "the third wheel came off" in text
    plain = json.loads(json.dumps(board.to_dict(), allow_nan=False, default=str))
    assert plain["entries"][0]["name"] == board.entries[0].name
    assert len(plain["examples"]) == 6
    assert board.per_query.columns == ["model", "query", "user", "nDCG@5", "HitRate@5"]


def test_save_writes_whole_files(board, tmp_path):
    report = board.save(tmp_path / "out")
    assert report.read_text(encoding="utf-8").startswith("<!")
    assert sorted(p.name for p in report.parent.iterdir()) == ["board.json", "per_query.parquet", "report.html"]
    assert pl.read_parquet(tmp_path / "out" / "per_query.parquet").equals(board.per_query)


@pytest.mark.usefixtures("one_process")
def test_a_second_comparison_takes_finished_models_from_the_cache(split, tmp_path, monkeypatch):
    def once():
        return vt.compare([vt.Popularity(by="events")], split, metrics=METRICS, primary="nDCG@5", baselines=False, cache=tmp_path)

    first = once()
    monkeypatch.setattr("vitrina.jobs.processes.run_job", lambda *a, **k: pytest.fail("a process was started"))
    second = once()
    assert not first.entries[0].cached
    assert second.entries[0].cached
    assert second.entries[0].fit_seconds == first.entries[0].fit_seconds
    assert second.numbers.equals(first.numbers)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("work")] == []
    with pytest.raises(pytest.fail.Exception):
        vt.compare([vt.Popularity()], split, metrics=METRICS, primary="nDCG@5", baselines=False, cache=tmp_path)


def test_too_slow_a_model_is_ended(split, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    models = {"slow": rogues.Favourite(first=1, gate=str(gate))}
    board = vt.compare(models, split, metrics=METRICS, primary="nDCG@5", baselines=False, budget=vt.Budget(limit=1))
    assert board.entries[0].status == "failed"
    assert "time limit of 1 seconds" in board.entries[0].error
    assert board.headline[0].startswith("No model came to an end")
    assert "slow" in str(board)


SCRIPT = """
import sys
from pathlib import Path
import rogues
from rich.cells import cell_len
import vitrina as vt

class Local(rogues.Config):
    def fit(self, data, *, validation=None, start=None):
        return vt.Popularity().fit(data)

if __name__ == "__main__":
    cache, gate, pid = sys.argv[1:]
    split = vt.testing.synthetic(users=60, items=30).split(vt.split.GlobalTime(quantile=0.8))
    models = {"local": Local(), "waits": rogues.Favourite(first=2, gate=gate, pid_file=pid)}
    board = vt.compare(models, split, baselines=False, cache=cache, metrics=["nDCG@10"])
    print([(e.name, e.status, e.cached) for e in sorted(board.entries, key=lambda e: e.name)])
"""


def _start(folder: Path) -> subprocess.Popen:
    (folder / "script.py").write_text(SCRIPT)
    (folder / "gate").touch()
    command = [sys.executable, str(folder / "script.py"), *(str(folder / n) for n in ("cache", "gate", "pid"))]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.05)


def _worker(folder: Path) -> int:
    _until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
    return int((folder / "pid").read_text())


def test_ctrl_c_ends_the_processes_and_the_next_run_goes_on(tmp_path):
    process = _start(tmp_path)
    worker = _worker(tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in said
    assert not psutil.pid_exists(worker)
    assert [p.name.split("-")[0] for p in (tmp_path / "cache").iterdir()] == ["model"]

    again = _start(tmp_path)
    (tmp_path / "gate").unlink()
    said, _ = again.communicate(timeout=60)
    assert said.strip() == "[('local', 'ok', True), ('waits', 'ok', False)]"


def test_a_killed_comparison_leaves_no_process_and_its_folder_is_cleared(tmp_path):
    process = _start(tmp_path)
    worker = _worker(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    _until(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE)
    assert any(p.name.startswith("work-") for p in (tmp_path / "cache").iterdir())
    with work_folder(tmp_path / "cache") as own:
        assert [p.name for p in (tmp_path / "cache").glob("work-*")] == [own.name]


def test_what_cannot_be_compared_is_refused_before_anything_runs(split):
    class Local(rogues.Raises):
        pass

    for models, sentence in (
        ([vt.EASE(), vt.EASE()], "is there twice"),
        ([vt.EASE], "is a class"),
        (["EASE"], "must have a method fit"),
        ([Local()], "from a function"),
        ([], "nothing to compare"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            vt.compare(models, split, baselines=False)
    with pytest.raises(ParameterError, match="primary metric"):
        vt.compare([vt.EASE()], split, primary="Coverage@10")
    with pytest.raises(UnknownNameError, match="user table"):
        vt.compare([vt.EASE()], split, slices=["city"])


@pytest.mark.usefixtures("one_process")
def test_the_former_names_of_a_budget_work_for_one_more_release_and_say_what_to_write(split):
    search = {"search": vt.tune(vt.Popularity, days=[1, 2, 3, 4])}
    job = {"metrics": ["nDCG@5"], "primary": "nDCG@5", "baselines": False, "progress": False, "seed": 4}
    with pytest.warns(FutureWarning) as warned:
        former = vt.compare(search, split, trials=2, limit=60, draws=40, **job)
    said = [str(w.message) for w in warned if w.category is FutureWarning]
    assert [s.partition(". ")[0] for s in said] == [
        "compare(trials=2, limit=60) is now compare(budget=Budget(trials=2, limit=60))",
        "compare(draws=40) is now compare(bootstrap=Bootstrap(draws=40))",
    ]
    assert {w.filename for w in warned} == {__file__}
    now = vt.compare(search, split, budget=vt.Budget(trials=2, limit=60), bootstrap=vt.Bootstrap(draws=40, seed=4), **job)
    assert former.numbers.equals(now.numbers)
    assert former.trials.equals(now.trials)
    assert now.settings["bootstrap_draws"] == 40
    with pytest.raises(TypeError, match="unexpected keyword argument 'trails'"):
        vt.compare(search, split, trails=2)
    with pytest.raises(ParameterError, match="'trials' parameter of Budget"):
        vt.Budget(trials=0)


@pytest.mark.usefixtures("one_process")
def test_the_confidence_of_the_bootstrap_is_that_of_intervals_and_verdicts(split):
    models = {"popular": vt.Popularity(), "recent": vt.Popularity(days=7)}
    job = {"metrics": ["nDCG@5"], "primary": "nDCG@5", "baselines": False, "progress": False}
    wide, narrow = (vt.compare(models, split, bootstrap=vt.Bootstrap(confidence=c), **job) for c in (0.99, 0.5))
    widths = [(b.numbers["high"] - b.numbers["low"]).to_numpy() for b in (wide, narrow)]
    assert (widths[0] > 2 * widths[1]).all()
    p = wide.against_winner["p_adjusted"].item()
    assert p == narrow.against_winner["p_adjusted"].item()
    for board, alpha in ((wide, 0.01), (narrow, 0.5)):
        assert ("no measurable difference" in board.comparisons["verdict"].item()) == (p >= alpha)
        assert board.settings["confidence"] == pytest.approx(1 - alpha)


def test_the_baselines_are_there_unless_given(split):
    names = [c.name for c in baselines(split)]
    assert names == ["Popularity, all time", "Popularity, last 7 days", "TopPersonal", "Cooccurrence", "EASE", "Transitions and content"]
    left = [c.name for c in baselines(split, [vt.EASE(l2=7), vt.Popularity(half_life=3), vt.tune(vt.TopPersonal, decay=[None])])]
    assert left == ["Popularity, all time", "Cooccurrence", "Transitions and content"]
    tuned = {c.name: c.model for c in baselines(split, tuned=True)}
    assert {"l2"} == set(tuned["EASE"].space)
    assert recent_days(split.train) == 7


def test_popularity_and_coverage_against_counting_by_hand(split):
    lists = {"own": rogues.Favourite(first=3).fit(split.train).recommend(split.queries, 4, eligible=split.eligible)}
    taken = {
        u: set(split.train.events.items[split.train.indptr[u] : split.train.indptr[u + 1]].tolist()) for u in range(len(split.train.users))
    }
    people = {i: sum(i in t for t in taken.values()) for i in range(split.train.n_items)}
    ranking = sorted((i for i in people if people[i]), key=lambda i: (-people[i], i))
    edges = [int(np.ceil(s * len(ranking))) for _, s in assemble.BUCKETS]
    places = [i for row in lists["own"].items.tolist() for i in row if i >= 0]
    shares = {name: 0.0 for name, _ in assemble.BUCKETS}
    for item in places:
        rank = ranking.index(item)
        shares[next(n for (n, _), e in zip(assemble.BUCKETS, edges, strict=True) if rank < e)] += 1 / len(places)
    found = assemble.popularity(lists, split).filter(pl.col("model") == "own")
    assert dict(found.select("bucket", "share").iter_rows()) == pytest.approx({n: shares.get(n, 0.0) for n in found["bucket"]})

    curve = dict(assemble.coverage(lists).select("rank", "share").iter_rows())
    counts = sorted((places.count(i) for i in set(places)), reverse=True)
    assert max(curve) == len(counts)
    for rank, share in curve.items():
        assert share == pytest.approx(sum(counts[:rank]) / len(places))


def test_examples_are_different_people_with_their_hits(split):
    lists = {
        n: m.fit(split.train).recommend(split.queries, 5, eligible=split.eligible)
        for n, m in {"a": vt.Popularity(), "b": vt.RandomItems()}.items()
    }
    people = examples(lists, split, 6, 5, seed=1)
    assert len({p.user for p in people}) == 6
    assert [len(p.history) for p in people] == sorted(len(p.history) for p in people)
    for person in people:
        for shown in person.lists.values():
            assert len(shown) == 5
            assert all(hit == (title in person.truth) for title, hit in shown)
    assert any(hit for p in people for shown in p.lists.values() for _, hit in shown)
    assert people == examples(lists, split, 6, 5, seed=1)


@pytest.mark.usefixtures("one_process")
def test_what_is_piped_has_a_line_for_each_finished_model(split, capfd):
    models = {"popular": vt.Popularity(), "raises": rogues.Raises(), "search": vt.tune(vt.Popularity, days=[1, 2])}
    vt.compare(models, split, metrics=METRICS, primary="nDCG@5", k=5, baselines=False)
    out, err = capfd.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["1 of 3", "2 of 3", "3 of 3"]
    assert re.fullmatch(r"1 of 3: popular: fitted in \d+\.\d s, answered in \d+\.\d s", lines[0])
    assert lines[1] == "2 of 3: raises: failed: RuntimeError: the third wheel came off"
    assert "search: the best of 2 configurations, fitted in" in lines[2]
    vt.compare(models, split, metrics=METRICS, primary="nDCG@5", k=5, baselines=False, progress=False)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120, 160])
def test_no_digit_of_the_board_is_cut_in_a_terminal_of_any_width(board, width):
    text = as_text(board, width)
    assert "…" not in text
    assert all(cell_len(line) <= width for line in text.splitlines())
    joined = re.sub(r"\s+", " ", text)
    for row in board.numbers.filter(pl.col("metric") == "nDCG@5").iter_rows(named=True):
        assert f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})" in joined
    if width < 120:
        assert "No room here for" in joined
