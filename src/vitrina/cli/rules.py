"""`vitrina rules preview`: what the rules of a config would hide and move."""

from __future__ import annotations

from typing import Annotated

import typer

from vitrina.cli import options as o

app = typer.Typer(no_args_is_help=True, help="Rules of the business: what they would hide and move.")


@app.callback()
def rules() -> None:
    """Rules of the business: what they would hide and move."""


@app.command("preview")
def command(
    config: o.Config,
    model: Annotated[str | None, typer.Option(help="Name of a model in the config; the first by default.", show_default=False)] = None,
    people: Annotated[int, typer.Option(min=1, help="How many people's lists to look at.")] = 200,
    trust: o.Trust = False,
    json: o.Json = False,
) -> None:
    """Fit a model of the config on all data, and say per rule what it hides and moves in the lists of some people, with examples."""
    from vitrina.base.errors import ParameterError
    from vitrina.board.tune import Search
    from vitrina.cli import build, console, results
    from vitrina.cli.config import read_config
    from vitrina.rerank.rules.preview import preview
    from vitrina.types import Eligibility

    plan = read_config(config, trust=trust)
    if plan.rules is None:
        raise ParameterError(f"{config} has no rules: add a table [rules.NAME] with a type, such as Hide, AtMost or Pin.")
    name = next(iter(plan.models)) if model is None else model
    chosen = plan.models.get(name)
    # what a comparison found is not needed to see what rules do
    chosen = chosen.candidates(1)[0] if isinstance(chosen, Search) else results.settled(plan, name)
    chosen = plan.under_rules(name, chosen)
    data = plan.filtered(plan.log())
    plan.check_rules(data, only=name)
    data = data.changed(repeat=plan.repeat(data))
    with console.working(f"Fitting {name} on {data.n_events:,} events"):
        fitted = chosen.fit(data)
    with build.located(plan.file, ("rules",)):
        shown = preview(fitted, data.queries(), plan.settings.job.k, eligible=Eligibility(repeat=bool(data.repeat)), people=people)
    if json:
        console.print_json(shown)
    else:
        console.out().print(shown)
