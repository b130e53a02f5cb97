"""`vitrina serve`: an artifact, or a file of settings, as a service over HTTP."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vitrina.cli import options as o

if TYPE_CHECKING:
    from vitrina.service.settings import Settings

PACKAGES = ("apsw", "httptools", "msgspec", "prometheus_client", "starlette", "uvicorn")


def command(
    target: Annotated[
        Path,
        typer.Argument(metavar="DIR|FILE.toml", help="An artifact that 'vitrina fit' wrote, or a file of settings.", show_default=False),
    ],
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, 127.0.0.1 by default; any other needs a key.", show_default=False)
    ] = None,
    port: Annotated[int | None, typer.Option(help="8000 by default; 0 for a free one.", show_default=False)] = None,
    admin_port: Annotated[int | None, typer.Option(help="Of health and metrics, 8001 by default.", show_default=False)] = None,
    state: Annotated[Path | None, typer.Option(help="Folder of what it keeps; beside DIR or FILE by default.", show_default=False)] = None,
    store: Annotated[
        str | None,
        typer.Option(help="'sqlite' in that folder, or postgresql://...; passwords rather in VITRINA_STORE.", show_default=False),
    ] = None,
    histories: Annotated[
        Literal["log", "store"] | None,
        typer.Option(help="What people did: from the log of the fit and the store after it, or from the store alone.", show_default=False),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say whether it could start, and stop.")] = False,
    trust: o.TrustArtifact = False,
) -> None:
    """Answer over HTTP: recommendations, similar items, events, and the console. Stops on Ctrl-C and SIGTERM, after what runs is answered.

    Settings come from the file, then from variables VITRINA_..., then from the options; the last that speaks counts.
    """
    import os

    from vitrina.base.threads import one_thread_each

    one_thread_each()  # requests are answered side by side with the loop and the store: threads within one would get into each other's way
    from vitrina.cli import answers, console

    _check_installed()
    from vitrina.cli.serve_env import from_environment
    from vitrina.cli.serve_file import read_service
    from vitrina.cli.serve_logs import read_logs, sources

    environment = from_environment(os.environ)
    for note in environment.notes:
        console.warn(note)
    given = {"host": host, "port": port, "admin_port": admin_port, "state": state, "store": store, "histories": histories}
    settings = read_service(target, environment, given, trust=answers.trusting(trust))
    sources(settings)
    if check:
        _checked(settings)
        return
    from vitrina.base.errors import WriteError
    from vitrina.service import run
    from vitrina.service.store.base import StoreUnavailableError

    try:
        ended = run.run(settings, lambda: read_logs(settings), run.printed)
    except (StoreUnavailableError, WriteError) as error:  # nobody has to mend a command: a supervisor starts it again
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    if not ended.was_ready:
        _leave(ended.code)


def _check_installed() -> None:
    """The extra 'serve' is looked for before anything is read."""
    from vitrina.base.errors import MissingExtraError

    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError:
            raise MissingExtraError.of(package, "serve", "vitrina serve") from None


def _checked(settings: Settings) -> None:
    """Read every model, and say what would be served."""
    from vitrina import artifacts
    from vitrina.cli import console
    from vitrina.service.settings import without_password

    for name, scenario in settings.scenarios.items():
        found = artifacts.load(scenario.artifact, trust=scenario.trust)
        console.out().print(f"Scenario {name!r}: {found!r}", markup=False, soft_wrap=True)
    for name, served in settings.experiments.items():
        for arm in served.arms.values():
            artifacts.load(arm.artifact, trust=arm.trust)
        console.out().print(
            f"Experiment {name!r} in {served.scenario!r}: {', '.join(served.experiment.arms)}", markup=False, soft_wrap=True
        )
    keys = f"{len(settings.keys)} keys ({', '.join(settings.keys)})" if settings.keys else "no keys: this machine alone"
    console.out().print(
        f"It would listen on {settings.host}:{settings.port} with {keys}, and keep its rows in {without_password(settings.store)} and {settings.state}.",
        markup=False, soft_wrap=True,
    )  # fmt: skip


def _leave(code: int) -> None:
    """End now: a thread that still reads a log isn't waited for."""
    import os
    import sys

    sys.stderr.write("Interrupted before the service was ready.\n")
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(code)
