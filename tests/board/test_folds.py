"""Folds in time and fits by seed: one board of several is what the boards of each say together."""

import json
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import rogues

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.board.sections import render
from vitrina.board.seeds import seeds, with_seeds
from vitrina.board.spread import leaders, spans, spreads
from vitrina.evaluate.fits import variance_of_fits
from vitrina.evaluate.run import summarise
from vitrina.jobs import processes
from vitrina.jobs.specs import of_spec, to_spec

pytestmark = pytest.mark.usefixtures("one_process")
METRICS = ["nDCG@5", "Coverage@5", "HitRate@5", "MIUF@5"]
MODELS = {"popular": vt.Popularity(), "recent": vt.Popularity(days=7), "chance": vt.RandomItems(seed=3)}
JOB = {"metrics": METRICS, "primary": "nDCG@5", "k": 5, "baselines": False, "baseline": "popular", "progress": False}


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=150, items=40)


@pytest.fixture(scope="module")
def folds(data):
    return vt.split.rolling(data, vt.split.GlobalTime(days=10, repeat=True), folds=3)


def test_a_board_of_folds_is_what_the_boards_of_each_fold_say_together(folds):
    board = vt.compare(MODELS, folds, **JOB)
    alone = [vt.compare(MODELS, fold, **JOB) for fold in folds]
    for model in MODELS:
        pooled = pl.concat(b.per_query.filter(pl.col("model") == model) for b in alone)
        whole = board.per_query.filter(pl.col("model") == model)
        assert whole.drop("query").equals(pooled.drop("query"))
        assert whole["query"].to_list() == list(range(len(pooled)))
        values = dict(board.numbers.filter(pl.col("model") == model).select("metric", "value").iter_rows())
        for metric in ("nDCG@5", "HitRate@5", "MIUF@5"):
            assert values[metric] == pytest.approx(pooled[metric].mean(), abs=1e-12)
        of_table = [b.numbers.filter(model=model, metric="Coverage@5")["value"].item() for b in alone]
        assert values["Coverage@5"] == pytest.approx(np.mean(of_table))
        of_folds = board.folds.filter(pl.col("model") == model)
        by_itself = [b.numbers.filter(model=model, metric="nDCG@5")["value"].item() for b in alone]
        assert of_folds["value"].to_list() == pytest.approx(by_itself, abs=1e-12)
        assert of_folds["queries"].to_list() == [len(fold.queries) for fold in folds]
    assert board.slices.filter(slice="history", model="popular", metric="nDCG@5")["queries"].sum() == len(pooled)
    for earlier, later in pairwise(board.folds.filter(model="popular").iter_rows(named=True)):
        assert earlier["from"] < earlier["to"] <= later["from"]


def test_a_model_that_fails_in_one_fold_is_shown_with_the_fold(folds, capfd):
    most = folds[1].train.n_events
    models = {"popular": vt.Popularity(), "small": rogues.Small(most=most), "raises": rogues.Raises()}
    board = vt.compare(models, folds, **JOB | {"progress": True})
    small = board.entry("small")
    assert small.status == "failed"
    assert small.error.startswith("Fold 3 of 3, ")
    assert small.error.endswith(": ValueError: too much for me")
    assert board.entry("raises").error.startswith("Fold 1 of 3, ")
    assert set(board.folds["model"]) == {"popular"}
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "9 fits: 3 models, in each of 3 folds."
    assert [line.partition(":")[0] for line in said[1:]] == [
        *(f"{n} of 3, fold 1 of 3" for n in (1, 2, 3)), *(f"{n} of 2, fold {f} of 3" for f in (2, 3) for n in (1, 2))
    ]  # fmt: skip


def test_searches_are_tuned_in_each_fold(folds):
    models = {"popular": vt.Popularity(), "search": vt.tune(vt.Popularity, days=[1, 4, 16])}
    board = vt.compare(models, folds, **JOB, budget=vt.Budget(trials=3))
    trials = board.trials.filter(model="search")
    assert trials["fold"].to_list() == [1] * 3 + [2] * 3 + [3] * 3
    assert trials["trial"].to_list() == [1, 2, 3] * 3
    best = [of.sort("value")["config"][-1] for _, of in trials.group_by("fold", maintain_order=True)]
    alone = [vt.compare(models, fold, **JOB, budget=vt.Budget(trials=3)).trials.filter(model="search") for fold in folds]
    assert [of.sort("value")["config"][-1] for of in alone] == best
    chosen = [f"Popularity(days={int(json.loads(config)['days'])})" for config in best]
    assert board.entry("search").call == chosen[2]
    said = [f"In fold {n} its search chose {call}." for n, call in enumerate(chosen[:2], 1) if call != chosen[2]]
    assert [note for note in board.entry("search").notes if note.startswith("In fold")] == said


def test_folds_that_are_none_are_refused(data, folds):
    for wrong, hint in (
        ([], "There is no fold"),
        (folds[::-1], "follow one another in time, and fold 1"),
        ([folds[0], folds[0]], "follow one another in time"),
        ([folds[0], data], "compared on a split"),
        ([folds[0], vt.testing.synthetic(users=151, items=40).split(vt.split.GlobalTime(days=10, repeat=True))], "parts of one log"),
        ([folds[0], data.split(vt.split.GlobalTime(days=10, repeat=False))], "fold 1 has repeat=True, the last one repeat=False"),
    ):
        with pytest.raises(ParameterError, match=hint):
            vt.compare(MODELS, wrong, **JOB)
    with pytest.raises(ParameterError, match=r"by LeaveOneOut.* asks until .*vt\.split\.rolling\(data, vt\.split\.GlobalTime"):
        vt.split.rolling(data, vt.split.LeaveOneOut(), folds=2)


def test_seeds_are_found_wherever_they_are():
    inside = vt.Reranked(model=vt.RandomItems(seed=4), reranker=vt.testing.KeepOrder())
    assert [of_spec(spec).model.seed for spec in with_seeds(to_spec(inside), 3)] == [4, 5, 6]
    own = rogues.Seeded(seed=2)
    assert [of_spec(spec).seed for spec in with_seeds(to_spec(own), 2)] == [2, 3]
    assert with_seeds(to_spec(own), 1) == [to_spec(own)]
    assert list(seeds(to_spec(vt.EASE()))) == []
    assert list(seeds({"weights": {"seed": 3}, "name": "Mine"})) == []  # a mapping with that key is no object


def test_values_are_means_over_the_fits(folds):
    board = vt.compare(MODELS, folds[1:], **JOB, budget=vt.Budget(fits=3))
    alone = [vt.compare(MODELS | {"chance": vt.RandomItems(seed=seed)}, folds[1:], **JOB) for seed in (3, 4, 5)]
    assert [(e.name, e.fits) for e in board.entries if e.name == "chance"] == [("chance", 3)]
    assert board.entry("popular").fits == 1
    of_seeds = [b.numbers.filter(model="chance", metric="nDCG@5")["value"].item() for b in alone]
    assert board.fits["model"].unique().to_list() == ["chance"]
    assert board.fits["value"].to_list() == pytest.approx(of_seeds, abs=1e-12)
    for metric in METRICS:
        means = np.mean([b.numbers.filter(model="chance", metric=metric)["value"].item() for b in alone])
        assert board.numbers.filter(model="chance", metric=metric)["value"].item() == pytest.approx(means)
    of_chance = board.numbers.filter(model="chance", metric="nDCG@5").row(0, named=True)
    values = [b.per_query.filter(model="chance")["nDCG@5"].to_numpy() for b in alone]
    users = alone[0].per_query.filter(model="chance")["user"].to_numpy()
    more = {"nDCG@5": variance_of_fits(np.stack(values), users)}
    wanted = summarise({"nDCG@5": np.mean(values, axis=0)}, users, more=more)["nDCG@5"]
    assert (of_chance["low"], of_chance["high"]) == pytest.approx((wanted.low, wanted.high))
    popular = alone[0].per_query.filter(model="popular")["nDCG@5"].to_numpy()
    against = vt.evaluate.compare_paired(
        {"chance": np.mean(values, axis=0), "popular": popular}, "popular", users, more={"chance": more["nDCG@5"]}
    )
    got = vt.compare({name: MODELS[name] for name in ("popular", "chance")}, folds[1:], **JOB, budget=vt.Budget(fits=3)).comparisons
    assert got.filter(metric="nDCG@5")["low"].item() == pytest.approx(against["low"].item())
    assert [e.lists["chance"] for e in board.examples] == [e.lists["chance"] for e in alone[0].examples]
    mine, first = (b.numbers.filter(model="popular").drop("people", strict=False) for b in (board, alone[0]))
    assert mine.equals(first)


def test_a_fit_that_fails_is_named_and_finished_folds_and_fits_are_not_run_again(folds, tmp_path, monkeypatch):
    models = {"popular": vt.Popularity(), "chance": vt.RandomItems(), "seeded": rogues.Seeded(bad=1)}
    job = JOB | {"cache": tmp_path, "budget": vt.Budget(fits=2)}
    board = vt.compare(models, folds[1:], **job)
    assert ": Fit 2 of 2: ValueError: a bad seed: 1" in board.entry("seeded").error

    ran = []
    monkeypatch.setattr(
        "vitrina.jobs.processes.run_job", lambda job, *_, **__: ran.append(job["model"]) or {"status": "failed", "error": "no"}
    )
    again = vt.compare(models, folds[1:], **job)
    assert [spec["seed"] for spec in ran] == [1]  # only what failed
    assert again.numbers.equals(board.numbers)
    assert again.entry("chance").cached
    more = vt.compare({"chance": vt.RandomItems()}, folds, **JOB | {"cache": tmp_path, "baseline": None})
    assert len(ran) == 2  # the oldest fold is new, and it comes first
    assert more.entry("chance").error.startswith("Fold 1 of 3")


def test_a_first_look_with_folds_and_fits(folds, monkeypatch):
    monkeypatch.setattr("vitrina.board.sample.QUICK_QUERIES", 40)
    labels = {"odd": pl.Series([q % 2 == 0 for fold in folds for q in range(len(fold.queries))])}
    board = vt.compare(MODELS, folds, **JOB, quick=True, budget=vt.Budget(fits=2), slices=labels)
    asked = board.folds.filter(model="chance")["queries"]
    assert asked.max() <= 40
    assert len(board.per_query.filter(model="chance")) == asked.sum()
    whole = sum(len(fold.queries) for fold in folds)
    assert f"{asked.sum()} of {whole} queries" in board.settings["quick"]
    assert board.slices.filter(slice="odd", model="chance", metric="nDCG@5")["queries"].sum() == asked.sum()


def test_after_ctrl_c_in_the_middle_finished_folds_and_fits_are_kept(folds, tmp_path, monkeypatch):
    job = JOB | {"cache": tmp_path, "budget": vt.Budget(fits=2)}
    whole = vt.compare(MODELS, folds, **JOB | {"budget": vt.Budget(fits=2)})
    run_job, ran = processes.run_job, []

    def interrupted(*args, **keywords):
        ran.append(args[0]["model"])
        if len(ran) == 7:  # popular, recent and two by chance in the oldest fold; the same again, but for the last two
            raise KeyboardInterrupt
        return run_job(*args, **keywords)

    monkeypatch.setattr("vitrina.jobs.processes.run_job", interrupted)
    with pytest.raises(KeyboardInterrupt):
        vt.compare(MODELS, folds, **job)
    assert not list(tmp_path.glob("work-*"))
    board = vt.compare(MODELS, folds, **job)
    assert len(ran) == 7 + 3 * 4 - 6
    assert board.numbers.equals(whole.numbers)
    assert board.folds.equals(whole.folds)
    assert board.fits.equals(whole.fits)


def test_the_page_and_the_terminal_show_the_spread_and_what_is_of_the_latest_fold(folds):
    board = vt.compare(MODELS, folds, **JOB, budget=vt.Budget(fits=2, trials=2))
    page, text = render(board), str(board)
    alone = render(vt.compare(MODELS, folds[-1], **JOB))
    for said in ("in each of 3 folds", "of each fit", "This part is of the latest of 3 folds and of the first fit of each model."):
        assert said in page
        assert said not in alone
    values = board.folds.filter(model="recent")["value"].to_list()
    assert f"{np.std(values, ddof=1):.4f}"[1:] in page
    line = next(line for line in text.splitlines() if line.startswith("  recent: "))
    assert line == f"  recent: {', '.join(f'{v:.3f}' for v in values)}; standard deviation {np.std(values, ddof=1):.3f}"
    assert "nDCG@5 in 3 folds (" in text
    assert "nDCG@5 of each fit" in text
    assert "over 3 folds" in board.headline[0]
    assert "later fold" not in " ".join(board.headline)


def test_what_the_folds_say_of_a_lead():
    table = pl.DataFrame(
        {
            "model": ["EASE"] * 2 + ["Popularity"] * 2, "fold": [1, 2] * 2, "from": ["2024-01-01 00:00", "2024-02-01 00:00"] * 2,
            "to": ["2024-01-31 10:00", "2024-02-29 10:00"] * 2, "value": [0.2, 0.1, 0.15, 0.15],
        }
    )  # fmt: skip
    assert leaders(table) == ["EASE", "Popularity"]
    assert leaders(table, lower_is_better=True) == ["Popularity", "EASE"]
    assert spans(table) == ["2024-01-01 to 2024-01-31", "2024-02-01 to 2024-02-29"]
    assert [s.deviation for s in spreads(table)] == pytest.approx([0.05 * 2**0.5, 0])
    assert spreads(table.filter(fold=1)) == []
    assert spans(table.filter(fold=1)) == leaders(table.filter(fold=1)) == leaders(pl.DataFrame()) == []
