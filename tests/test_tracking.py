"""Boards and artifacts in a local store of MLflow."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

import vitrina as vt
from vitrina import tracking
from vitrina.base.errors import ArtifactError, MissingExtraError, ParameterError

sys.path.insert(0, str(Path(__file__).parent / "board"))
import rogues  # pyright: ignore[reportMissingImports]

METRICS = ["nDCG@5", "Coverage@5"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


@pytest.fixture
def board(one_process):
    split = vt.testing.synthetic(users=60, items=30).split(vt.split.GlobalTime(quantile=0.7))
    models = {
        "popular": vt.Popularity(),
        "own": vt.TopPersonal(decay=vt.decay.Exponential(days=30)),
        "broken": rogues.Raises(),
    }
    return vt.compare(models, split, metrics=METRICS, primary="nDCG@5", k=5, baselines=False, baseline="popular", progress=False)


def folder_of(run) -> Path:
    return Path(run.info.artifact_uri.removeprefix("file://"))


def test_a_board_is_a_run_with_its_files_and_a_run_for_each_model(board, store):
    from mlflow import MlflowClient

    run = tracking.log_board(board, store)
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("vitrina")
    assert experiment is not None
    runs = {found.info.run_name: found for found in client.search_runs([experiment.experiment_id])}
    whole = runs.pop(board.title)
    assert whole.info.run_id == run
    assert {found.info.status for found in (whole, *runs.values())} == {"FINISHED"}
    assert whole.data.tags["protocol"] == board.protocol.line
    files = folder_of(whole)
    assert sorted(path.name for path in files.iterdir()) == ["board.json", "per_query.parquet", "report.html"]
    assert pl.read_parquet(files / "per_query.parquet").equals(board.per_query)

    assert set(runs) == {"popular", "own", "broken"}
    for row in board.numbers.iter_rows(named=True):
        logged = runs[row["model"]].data.metrics
        name = row["metric"].replace("@", "_at_")
        assert logged[name] == row["value"]
        ends = {end: row[end] for end in ("low", "high") if row[end] is not None}
        assert {end: logged[f"{name}.{end}"] for end in ends} == ends
        assert len([key for key in logged if key.startswith(name)]) == 1 + len(ends)
    own = runs["own"].data
    beside = board.comparisons.filter(model="own", metric="nDCG@5").row(0, named=True)
    assert own.metrics["against_baseline.difference"] == beside["difference"]
    assert own.tags["verdict"] == beside["verdict"]
    assert own.tags["mlflow.parentRunId"] == run
    assert own.tags["protocol"] == board.protocol.line
    assert own.params["decay.days"] == "30.0"
    assert runs["broken"].data.tags["status"] == "failed"
    assert runs["broken"].data.tags["error"] == board.entry("broken").error


def test_an_artifact_is_a_run_with_its_folder_that_loads_again(store, tmp_path):
    from mlflow import MlflowClient

    data = vt.testing.toy()
    folder = vt.save(vt.EASE(l2=7).fit(data), tmp_path / "chosen", data=data, metrics={"nDCG@10": 0.25})
    run = MlflowClient(tracking_uri=store).get_run(tracking.log_artifact(folder, store, experiment="shop"))
    assert run.info.run_name == "chosen"
    assert run.data.metrics == {"nDCG_at_10": 0.25}
    assert run.data.params["l2"] == "7.0"
    assert run.data.params["data.events"] == str(data.n_events)
    again = vt.load(folder_of(run) / "artifact")
    assert again.manifest == vt.load(folder).manifest
    with pytest.raises(ArtifactError, match="no folder"):
        tracking.log_artifact(tmp_path / "nothing", store)


def test_a_store_that_cannot_be_used_is_told_with_what_to_do(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(ParameterError, match=r"MLFLOW_ALLOW_FILE_STORE=true in the environment \(it is not set"):
        tracking.connect((tmp_path / "mlruns").as_uri())
    with pytest.raises(ParameterError, match="MLflow can't log to 'nonsense://there'"):
        tracking.connect("nonsense://there")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r"vitrina\[mlflow\]"):
        tracking.connect("http://127.0.0.1:1")


def test_names_that_become_one_are_refused_and_a_failed_run_says_so(store):
    tracker = tracking.connect(store)
    with pytest.raises(ParameterError, match="one name in MLflow"), tracker.run("odd", {}) as run:
        tracker.log(run, {}, {"a@1": 1.0, "a_at_1": 2.0})
    assert tracker.client.get_run(run).info.status == "FAILED"


def test_a_value_that_is_too_long_says_what_is_missing(store):
    tracker = tracking.connect(store)
    with tracker.run("long", {"note": "x" * 9000}) as run:
        tracker.log(run, {f"p{number}": number for number in range(150)}, {"null": None, "nan": float("nan")})
    found = tracker.client.get_run(run).data
    assert found.tags["note"].endswith("... (9000 letters)")
    assert (len(found.params), found.metrics) == (150, {})


def test_compare_logs_its_board(store, tmp_path, one_process):
    from mlflow import MlflowClient
    from typer.testing import CliRunner

    from vitrina.cli.main import app

    log = pl.DataFrame(
        {
            "user_id": [f"u{n % 20}" for n in range(200)],
            "item_id": [f"i{n * 7 % 13}" for n in range(200)],
            "timestamp": range(1_600_000_000, 1_600_000_200),
        }
    )
    log.write_csv(tmp_path / "log.csv")
    config = tmp_path / "vitrina.toml"
    config.write_text('[data]\nsource = "log.csv"\n[job]\nbaselines = false\n[models.Popularity]\n')
    told = CliRunner().invoke(app, ["compare", str(config), "--mlflow", store])
    assert told.exit_code == 0, told.output
    experiment = MlflowClient(tracking_uri=store).get_experiment_by_name("vitrina")
    assert experiment is not None
    assert {run.info.run_name for run in MlflowClient(tracking_uri=store).search_runs([experiment.experiment_id])} >= {"Popularity"}
    told = CliRunner().invoke(app, ["compare", str(config), "--mlflow", "nonsense://there", "--out", str(tmp_path / "other")])
    assert told.exit_code == 2
    assert not (tmp_path / "other").exists()  # nothing was fitted for a store that can't be written
