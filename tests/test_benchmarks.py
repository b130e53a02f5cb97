"""The benchmarks are run by hand; here only that each can be started, and that a page keeps what stands around its blocks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = ("run.py", "reproduce.py", "boards.py", "bench_recommend.py")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_tells_its_use(script: str) -> None:
    done = subprocess.run([sys.executable, script, "--help"], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {script}")


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.py")), ids=lambda p: p.name)
def test_a_script_says_what_it_does(script: Path) -> None:
    assert ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))


def test_a_block_is_replaced_and_the_rest_of_the_page_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    from common import with_block

    page = with_block(with_block("# Results\n\nby hand\n", "one", r"| \1 |"), "two", "2")
    assert page == "# Results\n\nby hand\n\n<!-- begin one -->\n| \\1 |\n<!-- end one -->\n\n<!-- begin two -->\n2\n<!-- end two -->\n"
    assert with_block(page, "one", "new") == page.replace(r"| \1 |", "new")


def test_the_models_of_the_boards_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    from boards import JOBS
    from vitrina.board.tune import Search
    from vitrina.jobs.specs import of_spec, to_spec

    for job in JOBS.values():
        models = job.models()
        assert job.baseline in {*models, "EASE"}
        for model in models.values():
            one = model.candidates(1)[0] if isinstance(model, Search) else model
            assert of_spec(to_spec(one)) == one
