"""`vitrina key`: a key for a client of the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrina.cli import options as o


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What logs and the audit call whoever has it.", show_default=False)],
    scopes: Annotated[
        str | None,
        typer.Option(
            help="What it opens, between commas: recommend, events, catalogue, models, people, read. All by default.", show_default=False
        ),
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose data it sees.")] = "default",
    json: o.Json = False,
) -> None:
    """Make a key for a client of 'vitrina serve'. It is shown once; the file of settings keeps a hash, from which nobody finds the key."""
    from vitrina.cli import console
    from vitrina.cli.serve_env import KEY, same_name
    from vitrina.service.settings import SCOPES, Key, ScenarioSettings, Settings, hash_of, new_key

    chosen = SCOPES if scopes is None else tuple(one.strip() for one in scopes.split(","))
    secret = new_key()
    made = Key(hash=hash_of(secret), scopes=chosen, tenant=tenant)  # type: ignore[arg-type]
    Settings(scenarios={"default": ScenarioSettings(artifact=Path("model"))}, keys={name: made})  # refuses a name that can't be one
    if json:
        console.print_json({"name": name, "key": secret, "hash": made.hash, "scopes": made.scopes, "tenant": tenant})
        return
    table = f'[keys.{name}]\nhash = "{made.hash}"\nscopes = [{", ".join(f"{scope!r}" for scope in made.scopes)}]'.replace("'", '"')
    console.out().print(secret, markup=False, soft_wrap=True)
    console.note(
        "\nThis is shown once: give it to the client, which sends it as 'Authorization: Bearer KEY'.\n"
        f"Into the file of settings:\n\n{table}" + (f'\ntenant = "{tenant}"' if tenant != "default" else "")
        + f"\n\nOr, without a file, into the environment of the service: {KEY}{same_name(name).upper()}=KEY"
    )  # fmt: skip
