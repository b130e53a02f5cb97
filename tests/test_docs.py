"""The README, the docs and the examples are run, in a folder with a small log; what they say is printed is printed."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

import vitrina
from vitrina.base.exports import exports
from vitrina.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.stem != "airflow_dag")  # tests/test_airflow_dag.py reads that
REAL = Path(os.environ.get("VITRINA_DATA", ROOT.parent / "shared" / "data"))
FILES = {"plan-wholesale.md": ("online_retail.parquet", REAL / "online-retail" / "lines.parquet")}  # what a page tells its reader to save
ARGUMENTS = {"own_log": ("purchases.csv", "customer", "sku", "bought_at")}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the made-up shop, and in `.cache` what comparisons have finished: two pages show the same one."""
    folder = tmp_path_factory.mktemp("docs")
    spec = importlib.util.spec_from_file_location("shop", ROOT / "examples" / "shop.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write_shop(folder)
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def shop(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_process: None) -> Iterator[Path]:
    """A fresh copy of the folder to stand in; finished models come back."""
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    yield tmp_path
    if (tmp_path / "vitrina-report" / ".cache").exists():
        shutil.copytree(tmp_path / "vitrina-report" / ".cache", kept / "vitrina-report" / ".cache", dirs_exist_ok=True)
    for name in [name for name, module in sys.modules.items() if str(getattr(module, "__file__", None)).startswith(str(tmp_path))]:
        del sys.modules[name]


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for kind, body in FENCE.findall(page.read_text()) if kind in languages]


def run(command: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command of `vitrina` or a script prints; in this process, which has imported what each would import."""
    printed = io.StringIO()
    program, *arguments = command
    with contextlib.redirect_stdout(printed), monkeypatch.context() as at:
        if program == "vitrina":
            ends = ["--check"] if arguments[0] == "serve" else []  # else it goes on until a signal comes
            done = CliRunner().invoke(app, [*arguments, *ends])
            assert done.exit_code == 0, f"{shlex.join(command)}\n{done.output[-3000:]}"
            return done.stdout
        at.setattr(sys, "argv", arguments)
        at.syspath_prepend(str(Path(arguments[0]).resolve().parent))
        runpy.run_path(arguments[0], run_name="__main__")
    return printed.getvalue()


def commands(page: Path) -> list[list[str]]:
    """The `vitrina ...` and `python ...` lines of the console blocks; set-up lines (make, pip) are what CI and newcomers run."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    split = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [words for words in split if words[:1] in (["vitrina"], ["python"]) and "demo" not in words]


def run_script(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The Python blocks of a page as one script; a block that begins with `# name.py` is that file."""
    script = []
    for block in blocks(page, "python"):
        if named := FILE.match(block):
            (folder / named[1]).write_text(block)
        else:
            script.append(block)
    (folder / "page.py").write_text("\n".join(script))
    return run(["python", "page.py"], monkeypatch) if script else ""


def assert_shown(wanted: list[str], output: str) -> None:
    """Each text block is a run of lines of the output, in this order; blanks at the ends of lines don't count."""
    lines = [line.rstrip() for line in output.splitlines()]
    start = 0
    for block in wanted:
        shown = [line.rstrip() for line in block.splitlines()]
        found = next((at for at in range(start, len(lines)) if lines[at : at + len(shown)] == shown), None)
        assert found is not None, f"not printed:\n{block}\nin:\n{output}"
        start = found + len(shown)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_runs(page: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.name in FILES:
        name, there = FILES[page.name]
        if not there.exists():
            pytest.skip(f"{there.parent.name} is not here: set VITRINA_DATA to a folder that holds it")
        (shop / name).symlink_to(there)
    for words in commands(page):
        run(words, monkeypatch)
    assert_shown(blocks(page, "text"), run_script(page, shop, monkeypatch))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_runs(example: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(["python", f"examples/{example.name}", *ARGUMENTS.get(example.stem, ())], monkeypatch)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_commands_in_the_text_exist(page: Path) -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    named = set(re.findall(r"`vitrina (\w+)", page.read_text()))
    assert named <= set(known)


def documented() -> set[str]:
    """Every name that a table of docs/api.md explains: the code in the first cell of a row."""
    cells = re.findall(r"^\| (.*?) \|", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([\w.]+)", cell)}


def test_every_public_name_is_documented_and_nothing_else() -> None:
    public = {f"vt.{name}" for name in {*vitrina.__all__, *exports()}}
    assert public - documented() == set()
    assert {name for name in documented() if name.startswith("vt.")} - public == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_table_has_one_row_per_name(page: Path) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
        names = re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
        assert sorted(names) == sorted(set(names))


def test_make_targets_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"^make (\w+)", text, re.MULTILINE)
    assert targets[:2] == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
