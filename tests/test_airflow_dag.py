"""The DAG of the examples: its tasks, their order, and that each command is one that there is.

It is read by Airflow where that is installed, else by a recorder of the names that it takes from there.
"""

from __future__ import annotations

import runpy
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import typer.main

from vitrina.cli.main import app
from vitrina.cli.promote import STAYS

FILE = Path(__file__).parents[1] / "examples" / "airflow_dag.py"
ORDER = ["ingest", "compare", "fit", "promote", "recommend"]


class Dag:
    """What stands between `with DAG(...)` and its end."""

    current: ClassVar[Dag | None] = None

    def __init__(self, dag_id: str, **settings: Any) -> None:
        self.dag_id, self.settings, self.tasks = dag_id, settings, []

    def __enter__(self) -> Dag:
        Dag.current = self
        return self

    def __exit__(self, *_: object) -> None:
        Dag.current = None


class Task:
    """A task and what comes after it."""

    def __init__(self, task_id: str, bash_command: str, trigger_rule: str = "all_success", skip_on_exit_code: int = 99) -> None:
        self.task_id, self.bash_command, self.trigger_rule = task_id, bash_command, trigger_rule
        self.skip_on_exit_code, self.downstream_task_ids = [skip_on_exit_code], set()
        assert Dag.current is not None
        Dag.current.tasks.append(self)

    def __rshift__(self, other: Task) -> Task:
        self.downstream_task_ids.add(other.task_id)
        return other


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    if find_spec("airflow") is None:
        names = {"airflow.sdk": {"DAG": Dag}, "airflow.providers.standard.operators.bash": {"BashOperator": Task}}
        for module, has in names.items():
            parts = module.split(".")
            for end in range(1, len(parts) + 1):
                monkeypatch.setitem(sys.modules, ".".join(parts[:end]), ModuleType(".".join(parts[:end])))
            vars(sys.modules[module]).update(has)
    return {task.task_id: task for task in runpy.run_path(str(FILE))["dag"].tasks}


def test_the_tasks_follow_one_another(tasks: dict[str, Any]) -> None:
    assert sorted(tasks) == sorted(ORDER)
    for task, after in zip(ORDER, [*ORDER[1:], None], strict=True):
        assert set(tasks[task].downstream_task_ids) == ({after} if after else set())
    assert list(tasks["promote"].skip_on_exit_code) == [STAYS]
    assert tasks["recommend"].trigger_rule == "none_failed"


@pytest.mark.parametrize("name", ORDER)
def test_each_command_is_one_that_there_is(tasks: dict[str, Any], name: str) -> None:
    program, command, *words = shlex.split(tasks[name].bash_command.replace("{{ ds }}", "2026-11-26"))
    assert program == "vitrina"
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert command in commands
    with commands[command].make_context(command, words) as context:  # refuses options that there aren't
        assert context.params
