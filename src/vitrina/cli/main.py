"""The command line. Each command is one file; what is heavy is imported when a command runs, so that `--help` answers at once.

Exit codes: 0 done, 1 an error nobody expected, 2 a mistake in the command, the config or the data, 3 done but a model failed, 4 the model that serves stays, 130 Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vitrina import __version__
from vitrina.cli import (
    advise,
    answer,
    compact,
    compare,
    demo,
    diagnose,
    experiment,
    fit,
    ingest,
    init,
    inspect,
    judge,
    key,
    plan,
    policy,
    promote,
    recommend,
    rules,
    search,
    serve,
    similar,
)
from vitrina.cli.letters import survive

OK, UNEXPECTED, MISTAKE, MODEL_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


class Commands(TyperGroup):
    """Runs a command and turns what it raises into one sentence and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--debug" in args:  # wherever it stands
            args = ["--debug", *(a for a in args if a != "--debug")]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        debug = bool(ctx.params.get("debug"))
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say("Interrupted. No half-written file is left behind.")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            sys.stdout = None  # the reader of the pipe has gone; there is nobody to flush to
            raise typer.Exit(OK) from None
        except Exception as error:
            if "unexpected extra argument" in str(getattr(error, "message", "")):  # what a shell makes of logs/*.csv
                error.message += '. Several files are one argument, a glob in quotes: "logs/*.csv"'  # type: ignore[attr-defined]
            if debug or type(error).__module__.startswith(("click.", "typer.")):
                raise
            raise typer.Exit(_report(error)) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From an interaction log to recommendations that can be trusted.",
    epilog="Start with: vitrina inspect purchases.csv   or, on data that come along: vitrina demo",
)
GROUPS = {
    "Data": (inspect, init, ingest, compact),
    "Board": (demo, compare, diagnose),
    "Models": (advise, fit, promote, recommend, similar),
    "Service": (serve, key),
}
for group, modules in GROUPS.items():
    for module in modules:
        app.command(module.__name__.rpartition(".")[2], rich_help_panel=group)(module.command)
app.add_typer(rules.app, name="rules", rich_help_panel="Board")
app.add_typer(policy.app, name="policy", rich_help_panel="Decisions")
app.add_typer(experiment.app, name="experiment", rich_help_panel="Decisions")
app.add_typer(plan.app, name="plan", rich_help_panel="Decisions")
app.add_typer(search.app, name="search", rich_help_panel="Search")
app.command("answer", rich_help_panel="Search")(answer.command)
app.add_typer(judge.app, name="judge", rich_help_panel="Search")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole trace of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_version)] = False,
) -> None:
    """From an interaction log to recommendations that can be trusted."""


def _report(error: Exception) -> int:
    """Say it in a sentence; return the exit code."""
    from vitrina.base.errors import VitrinaError

    if isinstance(error, VitrinaError):
        _say(f"Error: {error}")
        return MISTAKE
    if isinstance(error, OSError) and error.strerror:
        _say(f"Error: {f'{error.filename}: ' if error.filename else ''}{error.strerror}.")
        return MISTAKE
    if isinstance(error, MemoryError):
        _say(f"Error: memory ran out ({error}). Close other programs, or take fewer items or a smaller log.")
        return UNEXPECTED
    _say(
        f"Unexpected error: {type(error).__name__}: {error}\nThis is a fault of Vitrina. Run the command again with --debug for the trace."
    )
    return UNEXPECTED


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")  # not typer.echo, which takes an ASCII console for a mistake


def run() -> None:
    """The `vitrina` command."""
    survive(sys.stdout)
    survive(sys.stderr)
    app(prog_name="vitrina")
