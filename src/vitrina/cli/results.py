"""What a comparison left in its folder, for the commands that come after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vitrina.base.config import from_plain
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.exports import class_at
from vitrina.board.tune import Search
from vitrina.cli.config import Plan

BOARD = "board.json"


def board_of(plan: Plan) -> dict[str, Any]:
    """The finished comparison of this config; empty where there is none, or only a first look, which settles nothing."""
    path = plan.out / BOARD
    board = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {} if board.get("settings", {}).get("quick") else board


def settled(plan: Plan, name: str) -> Any:
    """The model to fit: as it is in the config, with the parameters that the comparison found, or a baseline that the comparison added.

    Raises:
        ParameterError: the config leaves parameters open and no comparison has closed them.
    """
    done = {e["name"]: e["config"] for e in board_of(plan).get("entries", ()) if e["status"] == "ok"}
    if name not in plan.models:
        return _baseline(plan, name, done)
    model = plan.model(name)
    if not isinstance(model, Search):
        return model
    winner = done.get(name)
    if winner is None:
        raise ParameterError(
            f"The model {name!r} has parameters to search ({', '.join(model.space)}), and {plan.out / BOARD} has no result for it (a first look with --quick is none). "
            f"Run first: vitrina compare {plan.file.path}"
        )
    parameters = {parameter: value for parameter, value in winner.items() if parameter not in ("name", "class")}
    return model.model(**from_plain(parameters, class_at=class_at if plan.file.trust else None))


def _baseline(plan: Plan, name: str, done: Mapping[str, Any]) -> Any:
    """A model that is on the board and not in the config.

    Raises:
        UnknownNameError: there is none of that name; says the known ones.
    """
    if name in done:
        return from_plain(done[name])
    hint = "" if done else f" Baselines that a comparison adds are known after: vitrina compare {plan.file.path}"
    raise UnknownNameError(f"{plan.file.path}: {UnknownNameError.of('model', name, {*plan.models, *done})}{hint}")


def metrics_of(plan: Plan, name: str) -> dict[str, float]:
    """Numbers of the comparison for one model, to keep with its artifact."""
    numbers = board_of(plan).get("numbers", ())
    return {row["metric"]: row["value"] for row in numbers if row["model"] == name and row["value"] is not None}
