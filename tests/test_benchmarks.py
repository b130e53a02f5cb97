"""The benchmarks are run by hand; here only that each can be started, what it would train, and that pages and finished runs are kept."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
SCRIPTS = [
    f"benchmarks.{folder}.{path.stem}"
    for folder in ("speed", "quality", "scale", "plan", "additions")
    for path in sorted((FOLDER / folder).glob("*.py"))
]
MODULES = sorted(path for path in FOLDER.rglob("*.py") if ".cache" not in path.parts)


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks are no part of the package: they are found from the root of the repository."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")  # one script reads another
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_tells_its_use(script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(script, run_name="__main__", alter_sys=True)
    assert not ended.value.code
    usage = f"python -m {script.removesuffix('.__main__')}"
    told = capsys.readouterr().out
    assert told.startswith("usage: ")
    assert re.search(rf"^    {re.escape(usage)}( |$)", told, re.MULTILINE)


def test_the_kept_additions_fit() -> None:
    from benchmarks.additions.measure import ADDITIONS, fits, touched

    assert [name for name in ADDITIONS if not fits(name)] == []
    for name in ADDITIONS:
        code = [path for path, _, _ in touched(name) if not path.endswith(".md")]
        assert len(code) == 3, name


def test_make_starts_what_there_is() -> None:
    named = re.findall(r"python -m (benchmarks\.\w+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert [f"{name}.__main__" in SCRIPTS for name in named] == [True, True, True]


def test_every_block_of_the_pages_has_its_script() -> None:
    pages = [FOLDER / "RESULTS.md", ROOT / "docs" / "boards.md", ROOT / "docs" / "sequence.md"]
    blocks = {name for page in pages for name in re.findall(r"<!-- begin ([\w.-]+) -->", page.read_text(encoding="utf-8"))}
    assert {".".join(name.split(".")[:2]) for name in blocks} <= {script.removeprefix("benchmarks.") for script in SCRIPTS} | {
        "additions.measure"
    }


@pytest.mark.parametrize("script", MODULES, ids=lambda p: p.relative_to(FOLDER).as_posix())
def test_a_script_says_what_it_does(script: Path) -> None:
    assert ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))


def test_a_block_is_replaced_and_the_rest_of_the_page_stays() -> None:
    from benchmarks.kit.pages import with_block

    page = with_block(with_block("# Results\n\nby hand\n", "one", r"| \1 |"), "two", "2")
    assert page == "# Results\n\nby hand\n\n<!-- begin one -->\n| \\1 |\n<!-- end one -->\n\n<!-- begin two -->\n2\n<!-- end two -->\n"
    assert with_block(page, "one", "new") == page.replace(r"| \1 |", "new")


def test_the_models_of_the_boards_can_be_built() -> None:
    from benchmarks.quality.boards import JOBS
    from vitrina.board.tune import Search
    from vitrina.jobs.specs import of_spec, to_spec

    for job in JOBS.values():
        models = job.models()
        assert job.baseline in {*models, "EASE"}
        for model in models.values():
            one = model.candidates(1)[0] if isinstance(model, Search) else model
            assert of_spec(to_spec(one)) == one


def test_the_family_can_be_built_for_each_log() -> None:
    from benchmarks.quality.family import LOGS, MODELS
    from vitrina.board.tune import Search
    from vitrina.jobs.specs import of_spec, to_spec

    for log in LOGS.values():
        for make in MODELS.values():
            model = make(log)
            one = model.candidates(1)[0] if isinstance(model, Search) else model
            assert one is None or of_spec(to_spec(one)) == one


@pytest.mark.parametrize("days", [True, False])
def test_the_study_changes_one_part_at_a_time(days: bool) -> None:
    from benchmarks.quality.sequence_parts import BASE, MOST, networks

    found = networks(days=days)
    base = found[BASE][1]
    assert 10 < len(found) <= MOST
    for name, (kind, model) in found.items():
        if name != BASE:
            differing = [field for field in type(base).model_fields if getattr(model, field) != getattr(base, field)]
            wanted = {"negatives": ["loss"], "block": ["layers" if "one block" in name else "block"]}.get(kind, [kind])
            assert differing == wanted + ["training"] * (name in ("next action", "all action, 60 days")), (
                name
            )  # what asks once a window needs more epochs
            assert model.training.learning_rate == base.training.learning_rate
    assert not any(model.objective.needs_time for _, model in found.values()) or days


def test_a_finished_run_is_read_and_not_run_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import vitrina as vt
    from benchmarks.kit import runs

    monkeypatch.setattr(runs, "RUNS", tmp_path)
    split = vt.testing.synthetic(users=40, items=30).split(vt.split.GlobalTime(quantile=0.7))
    model = vt.eSASRec(dim=8, training=vt.sequence.Training(epochs=1))
    first = runs.measured(model, split, ["nDCG@10"])
    assert first.epochs == 1
    assert len(first.per_query) == len(split.queries)

    def refuse(*_: object) -> None:
        raise AssertionError("it ran again")

    monkeypatch.setattr(runs, "_run", refuse)
    assert runs.measured(model, split, ["nDCG@10"]) == first
    with pytest.raises(AssertionError, match="ran again"):
        runs.measured(runs.changed(model, seed=1), split, ["nDCG@10"])
    monkeypatch.setattr(runs, "CODE", {"sequence": "other", "models": "other"})
    assert runs.measured(model, split, ["nDCG@10"], resume=True) == first
    with pytest.raises(AssertionError, match="ran again"):
        runs.measured(model, split, ["nDCG@10"])


def test_a_strict_run_is_fitted_on_the_training_part_and_asked_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import vitrina as vt
    from benchmarks.kit import runs
    from benchmarks.quality import sequence_published as published

    monkeypatch.setattr(runs, "RUNS", tmp_path)
    split = vt.testing.synthetic(users=60, items=30).split(vt.split.LeaveOneOut(strict=True, repeat=False))
    run = runs.measured(vt.Popularity(), split, published.METRICS, unfiltered=True)
    fitted = vt.Popularity().fit(split.train)
    for how, repeat in (("", False), (", nothing left out", True)):
        lists = fitted.recommend(split.queries, 10, eligible=vt.Eligibility(repeat=repeat))
        assert run[f"nDCG@10{how}"] == vt.evaluate.evaluate(lists, split, ["nDCG@10"])["nDCG@10"]
    assert run["nDCG@10"] != run["nDCG@10, nothing left out"]
    for table, marks in ((published.strict_table, 9), (published.retrained_table, 7)):
        rows = "\n".join(table({"amazon-beauty": [run, run]})).splitlines()
        assert {line.count("|") for line in rows} == {marks + 1}
