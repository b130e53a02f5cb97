"""Files as strangers have them, on the command line; and consoles that don't have every letter."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vitrina as vt
import vitrina.cli.main
from vitrina.cli.config import read_config
from vitrina.testing import synthetic

Type = Callable[..., Any]
COMMAND = [sys.executable, "-c", "from vitrina.cli.main import run; run()"]
FRAME = synthetic(users=60, items=12, mean_length=6, groups=3).frame()
ROWS = [(str(u), str(i), str(int(t.timestamp()))) for u, i, t in FRAME.select("user_id", "item_id", "timestamp").iter_rows()]


def write(path: Path, separator: str, header: str = "", encoding: str = "utf-8", ending: str = "") -> str:
    lines = ([header] if header else []) + [separator.join(row) + ending for row in ROWS]
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path.name


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *words], input=given, capture_output=True, env=os.environ | environment, check=False)


HEADERLESS = [("u.data", "\t"), ("ratings.dat", "::"), ("log", " "), ("log.txt", ";")]


@pytest.mark.parametrize(("name", "separator"), HEADERLESS)
def test_the_remedy_of_a_headerless_file_works_as_it_is_written(inside: Path, vitrina: Type, name: str, separator: str) -> None:
    write(inside / name, separator)
    told = vitrina("inspect", name)
    assert told.exit_code == 2
    assert f"{name} has no header" in told.stderr
    options = told.stderr.strip().rpartition(": ")[2].split()
    assert options == ["--no-header", "--columns", "user,item,time"]
    assert json.loads(vitrina("inspect", name, *options, "--json").stdout)["sizes"]["users"] == 60


def test_init_writes_what_it_needed_and_the_rest_reads_the_same(inside: Path, vitrina: Type) -> None:
    write(inside / "чеки.dat", "::", encoding="cp1251", ending="::Зоя")
    options = ("--encoding", "cp1251", "--separator", "::", "--no-header", "--columns", "user,item,time,who")
    told = vitrina("init", "чеки.dat", *options, "--order-by", "time")
    assert told.exit_code == 0, told.stderr
    plan = read_config(inside / "vitrina.toml")
    given = plan.source()
    assert (given["encoding"], given["separator"], given["header"], given["columns"]) == (
        "cp1251",
        "::",
        False,
        ["user", "item", "time", "who"],
    )
    assert given["order_by"] == "time"
    data = plan.log()
    assert data.n_events == len(ROWS)
    (inside / "fit.toml").write_text((inside / "vitrina.toml").read_text().partition("[split]")[0] + "[models.Popularity]\n")
    assert vitrina("fit", "fit.toml", "--model", "Popularity", "--out", "model").exit_code == 0
    told = vitrina("recommend", "model", "--out", "lists.parquet")
    assert told.exit_code == 0, told.stderr
    assert "changed" not in told.stderr
    assert pl.read_parquet("lists.parquet")["user"].n_unique() == 60


def test_pipes(inside: Path, vitrina: Type) -> None:
    write(inside / "log.csv", ",", "user_id,item_id,timestamp")
    content = (inside / "log.csv").read_bytes()
    for words in (("inspect", "-", "--json"), ("inspect", "/dev/stdin", "--json")):
        done = run(*words, given=content)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["sizes"]["events"] == len(ROWS)
    shell = f"{sys.executable} -c 'from vitrina.cli.main import run; run()' inspect <(cat log.csv) --json"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, check=False)
    assert json.loads(done.stdout)["sizes"]["events"] == len(ROWS), done.stderr
    told = vitrina("init", "-")
    assert told.exit_code == 2
    assert "Save it to a file" in told.stderr
    done = run("inspect", "-")
    assert done.returncode == 2
    assert b"No log came through the standard input" in done.stderr


def test_histories_from_a_pipe(inside: Path, vitrina: Type) -> None:
    write(inside / "log.csv", ",", "user_id,item_id,timestamp")
    (inside / "vitrina.toml").write_text('[data]\nsource = "log.csv"\n[models.Popularity]\n')
    assert vitrina("fit", "vitrina.toml", "--model", "Popularity", "--out", "model").exit_code == 0
    done = run("recommend", "model", "--data", "-", "--out", "lists.csv", given=(inside / "log.csv").read_bytes())
    assert done.returncode == 0, done.stderr
    assert pl.read_csv("lists.csv")["user_id"].n_unique() == 60


def test_another_encoding_is_answered_with_its_option(inside: Path, vitrina: Type) -> None:
    (inside / "log.csv").write_bytes("user_id,item_id\nЗоя,чай\nПётр,сыр\n".encode("cp1251"))
    told = vitrina("inspect", "log.csv")
    assert told.exit_code == 2
    assert "cp1251: Зоя, чай, Пётр" in told.stderr
    assert "--encoding cp1251" in told.stderr
    assert vitrina("inspect", "log.csv", "--encoding", "cp1251").exit_code == 0


@pytest.fixture
def tea(inside: Path) -> Path:
    write(inside / "чай.csv", ",", "user_id,item_id,timestamp")
    return inside


def narrow(encoding: str, *words: str) -> bytes:
    """What a console of that encoding gets from a command that ends well; in this process."""
    shown, said = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors) for errors in ("strict", "backslashreplace"))
    with pytest.MonkeyPatch.context() as at, contextlib.redirect_stdout(shown), contextlib.redirect_stderr(said):
        at.setattr(sys, "argv", ["vitrina", *words])
        with pytest.raises(SystemExit) as ended:
            vitrina.cli.main.run()
    said.flush()
    assert not ended.value.code, said.buffer.getvalue()  # type: ignore[attr-defined]
    shown.flush()
    return shown.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", [("--help",), ("inspect", "--help"), ("inspect", "чай.csv")])
@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252"])
def test_a_narrow_console_shows_all(tea: Path, encoding: str, words: tuple[str, ...]) -> None:
    assert narrow(encoding, *words)


@pytest.mark.usefixtures("one_process")
def test_a_narrow_console_shows_boards_and_lists(tea: Path) -> None:
    (tea / "vitrina.toml").write_text(
        '[data]\nsource = "чай.csv"\n[job]\nbaselines = false\n[models."Зоя → ≥"]\ntype = "Popularity"\n', encoding="utf-8"
    )
    for words in (
        ["compare", "vitrina.toml"], ["fit", "vitrina.toml", "--model", "Зоя → ≥", "--out", "model"],
        ["recommend", "model", "--history", "чай,i1"],
    ):  # fmt: skip
        narrow("cp1252", *words)
    assert json.loads(narrow("cp1252", "inspect", "чай.csv", "--json"))["name"] == "чай"


def test_letters_that_a_console_lacks_are_told_apart(inside: Path) -> None:
    done = run("inspect", "нет.csv", PYTHONIOENCODING="ascii")
    assert done.stderr.startswith(b"Error: There is no file '\\u043d\\u0435\\u0442.csv'")


def test_data_that_look_like_usual_names_are_no_header(inside: Path, vitrina: Type) -> None:
    (inside / "log.csv").write_text("user1,item7\nuser2,item8\n")
    told = vitrina("inspect", "log.csv")
    assert told.exit_code == 2
    assert told.stderr.rstrip().endswith("--no-header --columns user,item")


def test_read_options_reach_python_alike(inside: Path) -> None:
    write(inside / "ratings.dat", "::")
    data = vt.read_interactions("ratings.dat", columns=["user", "item", "time"])
    assert (data.n_events, data.time_unit) == (len(ROWS), "us")


def test_what_is_asked_about_dates_can_be_typed(shop: Path, vitrina: Type) -> None:
    head = "user_id,item_id,timestamp,value\n"
    (shop / "odd.csv").write_text(head + "".join(f'u{k % 3},i{k % 4},0{1 + k % 9}/02/2024 10:0{k % 5},"1,{k:03d}"\n' for k in range(40)))
    asked = vitrina("inspect", "odd.csv", "--decimal", ",")
    assert asked.exit_code == 2
    assert '--time-format "%d/%m/%Y %H:%M"' in asked.stderr
    assert "with --decimal ." in vitrina("inspect", "odd.csv", "--time-format", "%d/%m/%Y %H:%M").stderr
    told = ("odd.csv", "--time-format", "%d/%m/%Y %H:%M", "--decimal", ",")
    assert vitrina("inspect", *told).exit_code == 0
    assert vitrina("init", *told, "--out", "odd.toml").exit_code == 0
    assert read_config(shop / "odd.toml").log().n_events == 40


def test_shifted_dates_have_a_way_in(shop: Path, vitrina: Type) -> None:
    (shop / "old.csv").write_text(
        "user_id,item_id,timestamp\n" + "".join(f"u{k % 3},i{k % 4},1985-01-{1 + k % 28:02d}\n" for k in range(40))
    )
    assert "Take them as they are with --any-year, or give --time-unit step" in vitrina("inspect", "old.csv").stderr
    assert "1985-01-28" in vitrina("inspect", "old.csv", "--any-year").stdout
    assert vitrina("inspect", "old.csv", "--time-unit", "step").exit_code == 0
    assert vitrina("init", "old.csv", "--any-year", "--out", "old.toml").exit_code == 0
    assert read_config(shop / "old.toml").log().time_unit == "us"
