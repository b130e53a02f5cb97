"""`vitrina diagnose`: what a log says before any neural model."""

from __future__ import annotations

from vitrina.cli import options as o


def command(config: o.Config, out: o.Out = None, trust: o.Trust = False, force: o.Force = False, json: o.Json = False) -> None:
    """Fit a dozen co-occurrence variants and say in words what the data reward: order, time, popularity, content, repeats.

    Writes diagnosis.html into the folder of the results.
    """
    from vitrina.base.files import write_text
    from vitrina.cli import console, outputs
    from vitrina.cli.config import read_config
    from vitrina.diagnose.run import diagnose

    plan = read_config(config, trust=trust)
    page = (out or plan.out) / "diagnosis.html"
    outputs.check_file(page, plan.source(), force=force)
    split = plan.split(plan.filtered(plan.log()))
    with console.steps() as progress:
        diagnosis = diagnose(split, progress=progress)
    write_text(page, diagnosis.html())
    if json:
        console.print_json(diagnosis)
    else:
        console.out().print(diagnosis)
        console.note(f"Report: {page}")
