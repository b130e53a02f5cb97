"""`vitrina promote`: a fitted model takes the place of the one that serves, if it was measurably better on the same split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from vitrina.cli import options as o

if TYPE_CHECKING:
    from vitrina.cli.config import Plan

STAYS = 4  # exit code


def command(
    config: o.Config,
    model: Annotated[str, typer.Option(help="Name of the fitted model on the board of the config.", show_default=False)],
    artifact: Annotated[Path, typer.Option(help="Its folder, which 'vitrina fit' wrote.", show_default=False)],
    to: Annotated[Path, typer.Option(help="Folder of the artifact that serves; made where there is none.", show_default=False)],
    trust: o.Trust = False,
    json: o.Json = False,
) -> None:
    """Put an artifact in the place of the one that serves, if the comparison of the config found it measurably better.

    Better is what the board says: the paired interval of the difference from the model that serves, which must be the baseline of the board, on the primary
    metric and the same questions, is above zero (below, where less is better) after the correction for all its models. The model that serves is brought up to
    newer data by the same command. Exit code 4: it stays.
    """
    from vitrina.cli import console
    from vitrina.cli.config import read_config

    found = promote(read_config(config, trust=trust), model, artifact, to)
    if json:
        console.print_json({"promoted": found.promoted, "why": found.why, "serves": to})
    else:
        console.out().print(found.why, markup=False, soft_wrap=True)
    if not found.promoted:
        raise typer.Exit(STAYS)


class Decision(NamedTuple):
    """Whether it was promoted, and why, in a sentence."""

    promoted: bool
    why: str


def promote(plan: Plan, model: str, artifact: Path, to: Path) -> Decision:
    """Decide, and put the artifact there.

    Args:
        plan: the config, which was compared.
        model: what the artifact is on the board.
        artifact: its folder.
        to: the folder that serves.

    Raises:
        ArtifactError: a folder is no artifact.
        ParameterError: there is no whole comparison of this config, the artifact is not of the model that was compared, or what serves isn't what all were
            compared with.
    """
    from vitrina.artifacts.read import read_manifest
    from vitrina.base.errors import ParameterError
    from vitrina.base.files import atomic_folder
    from vitrina.cli import results

    board = results.board_of(plan)
    if not board:
        raise ParameterError(
            f"There is no finished comparison in {plan.out} (a first look with --quick is none). Run first: vitrina compare {plan.file.path}"
        )
    if artifact.resolve() == to.resolve():
        raise ParameterError(f"{artifact} is what serves already. Let 'vitrina fit' write the new model to a folder of its own.")
    if _plain(read_manifest(artifact)["model"]) != _compared(plan, board, model):
        raise ParameterError(
            f"The artifact in {artifact} is not the {model!r} that {plan.out / results.BOARD} compared. "
            f"Run again: vitrina compare {plan.file.path}, and then: vitrina fit {plan.file.path} --model {model!r} --out {artifact}"
        )
    serves = read_manifest(to)["model"] if to.exists() else None
    decision = _decide(plan, board, model, None if serves is None else _plain(serves))
    if decision.promoted:
        with atomic_folder(to) as staging:
            shutil.copytree(artifact, staging, dirs_exist_ok=True)
    return decision


def _decide(plan: Plan, board: Mapping[str, Any], model: str, serves: Any) -> Decision:
    from vitrina.base.errors import ParameterError
    from vitrina.board.verdict import standing

    baseline, primary = board["baseline"], board["primary"]
    if serves is None:
        return Decision(True, f"{model} serves from now on: nothing did before.")
    if serves == _compared(plan, board, model):
        return Decision(True, f"{model} serves on, fitted on newer data.")
    if serves != _compared(plan, board, baseline):
        raise ParameterError(
            f"The comparison is with {baseline!r}, and another model serves. Put the one that serves into {plan.file.path} with its parameters, and name it as "
            "the 'baseline' of [job]."
        )
    row = next(r for r in board["comparisons"] if (r["model"], r["metric"]) == (model, primary))
    said = f"{model} against {baseline}, which serves, {primary}: {row['verdict']}."
    if standing(row["verdict"]) == "better":
        return Decision(True, f"{said} {model} serves from now on.")
    return Decision(False, f"{said} {baseline} stays.")


def _compared(plan: Plan, board: Mapping[str, Any], name: str) -> Any:
    """A model of the board as its artifact keeps it.

    Raises:
        ParameterError: it failed; or the config has changed since it was compared.
        UnknownNameError: there is none of that name.
    """
    from vitrina.base.config import to_plain
    from vitrina.base.errors import ParameterError, UnknownNameError
    from vitrina.cli import results

    entry = next((e for e in board["entries"] if e["name"] == name), None)
    if entry is None:
        raise UnknownNameError.of("model on the board", name, [e["name"] for e in board["entries"]])
    if entry["status"] != "ok":
        raise ParameterError(f"{name!r} has failed in the comparison: {entry['error']} What has no numbers is not promoted.")
    chosen = results.settled(plan, name)
    if _plain(to_plain(chosen)) != entry["config"]:
        raise ParameterError(
            f"The parameters of {name!r} in {plan.file.path} are not those that were compared. Run again: vitrina compare {plan.file.path}"
        )
    return _plain(to_plain(plan.under_rules(name, chosen)))


def _plain(config: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(config, default=str))
