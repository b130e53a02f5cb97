"""`vitrina init`: a commented config for one log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vitrina.cli import options as o


@o.takes_log_options()
def command(
    data: o.Data,
    log: dict[str, Any],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("vitrina.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented vitrina.toml for this log, from what inspect finds in it."""
    from vitrina.base.errors import ParameterError
    from vitrina.base.files import write_text
    from vitrina.cli import console, outputs
    from vitrina.cli.log import given_columns, read_log
    from vitrina.cli.template import config_text
    from vitrina.data.inspect import inspect
    from vitrina.data.read.streams import is_stream

    if out.exists() and not force:
        raise ParameterError(f"{out} exists already. Overwrite it with --force, or write another one with --out.")
    if is_stream(data):
        raise ParameterError(f"A config names a log that can be read again, and {data} can't. Save it to a file and name that.")
    source = given_columns(data, log)
    outputs.check_file(out, source, force=force)
    events = read_log(source, as_typed=True)
    with console.working("Looking at the log"):
        inspection = inspect(events)
    write_text(out, config_text(source, inspection, events, out.parent))
    if inspection.splits["problem"][0] is not None:
        console.warn(inspection.reason)
    console.out().print(f"Wrote {out}. Compare the models in it with: vitrina compare {out}", markup=False, soft_wrap=True)
