"""`vitrina similar`: what is most like some items, or who is most like some people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrina.cli import options as o


def command(
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that 'vitrina fit' wrote.", show_default=False)],
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Items, by their ids.", show_default=False)],
    people: Annotated[bool, typer.Option("--people", help="The ids are of people; for a tifuknn.")] = False,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of a list.")] = 10,
    candidates: Annotated[Path | None, typer.Option(help="File with ids of the items that may be shown.", show_default=False)] = None,
    trust: o.TrustArtifact = False,
    json: o.Json = False,
) -> None:
    """Say what is most like some items, without the items themselves, or who is most like some people."""
    from vitrina import artifacts
    from vitrina.base.errors import ParameterError
    from vitrina.cli import answers, screen

    if people and candidates is not None:
        raise ParameterError("The --candidates are items, and --people asks for people. Leave one of them out.")
    fitted = artifacts.load(artifact, trust=answers.trusting(trust))
    screen.show_similar(fitted, ids, k, answers.eligibility(fitted, candidates, repeat=False), people=people, json=json)
