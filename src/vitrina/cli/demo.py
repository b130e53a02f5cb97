"""`vitrina demo`: the main job on a real log that a package ships."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitrina.cli import options as o

if TYPE_CHECKING:
    from vitrina.board.result import Board
    from vitrina.cli.config import Plan
    from vitrina.data.dataset import Dataset

MODEL = "model"  # folder of the artifact, beside the report
CONFIG = """# One year of a grocery's baskets: 2,469 households, 1.5 million lines. Change it and run: vitrina compare vitrina.toml
[data]
source = "demo:complete-journey"

[split]                    # every basket of the last 30 days is a question, asked with all that came before it
rule = "GlobalTime"
days = 30
target = "basket"

[job]
k = 10
repeat = true              # groceries: people buy again what they had
baseline = "favourites"

[tune]
trials = 6                 # configurations of each search, a few seconds each: more find more

[models.favourites]        # what each person bought most often: what all are compared with
type = "TopPersonal"

[models.fading]            # the same, old baskets fading; how fast is searched on a validation part
type = "TopPersonal"
decay = [{type = "Exponential", days = 30}, {type = "Exponential", days = 60}, {type = "Exponential", days = 120}]

[models.tifuknn]
type = "TifuKNN"

[models.cooccurrence]
type = "Cooccurrence"
weighting = {type = "BM25"}

[models.ease]
type = "EASE"
max_items = 6000           # of 68,509, with most of the lines: a fit takes seconds instead of minutes

[report]
out = "."
"""

TWO_STAGE = """[models.two-stage]         # four sources propose 60 products each; a ranker learns their order from the month before
type = "TwoStage"
windows = 1                # the month before the test; two are surer, and cost another fit of each source
queries = 4000             # baskets of that month to learn from
sources = [
  {type = "Source", name = "fading", n = 60, model = {type = "TopPersonal", decay = {type = "Exponential", days = 60}}},
  {type = "Source", name = "cooccurrence", n = 60, model = {type = "Cooccurrence", weighting = {type = "BM25"}}},
  {type = "Source", name = "transitions", n = 60, model = {type = "Cooccurrence", weighting = {type = "Transitions"}, gap = {type = "Window", events = 10}, one_way = 0.75, last = 20}},
  {type = "Source", name = "ease", n = 60, model = {type = "EASE", max_items = 6000}},
]

[models.ruled]             # the favourites that fade, by the rules of the shop, with some variety inside them
type = "TopPersonal"
decay = {type = "Exponential", days = 60}

[models.ruled.rerank]
type = "Rules"
then = {type = "MMR", diversity = 0.1}

[models.ruled.rerank.rules]
"no tobacco" = {type = "Hide", where = {category = ["CIGARETTES", "CIGARS", "TOBACCO OTHER"]}}
"two of a kind" = {type = "AtMost", n = 2, first = 10, each = "type"}
"two store brands" = {type = "AtLeast", n = 2, first = 5, where = {brand = "Private"}}

"""
CHANGES = {  # from the plain config to that of two stages
    'baseline = "favourites"\n': 'baseline = "fading"\nmetrics = ["nDCG@10", "Precision@1", "Recall@10", "Coverage@10", "ILD@10", "Value@10"]\n',
    '[report]\nout = "."\n': TWO_STAGE + '[report]\nout = "two-stage"\n',
}


def with_two_stages() -> str:
    """The config of the demo with two stages and rules, judged in money too.

    >>> "TwoStage" in with_two_stages(), "TwoStage" in CONFIG
    (True, False)
    """
    text = CONFIG
    for plain, changed in CHANGES.items():
        assert plain in text
        text = text.replace(plain, changed)
    return text


def command(
    out: Annotated[Path, typer.Option(help="Folder for the config and the results.")] = Path("vitrina-demo"),
    two_stage: Annotated[
        bool,
        typer.Option("--two-stage", help="With two stages and rules, and what lists earn. Needs the extra 'rank', and some minutes more."),
    ] = False,
    json: o.Json = False,
) -> None:
    """Compare models on a year of real grocery baskets and fit the best one, ready to be served: minutes on two cores. Needs the extra 'demo'."""
    from vitrina.base.files import write_text
    from vitrina.cli import console
    from vitrina.cli.compare import compare, end
    from vitrina.cli.config import read_config
    from vitrina.data.inspect import inspect
    from vitrina.ranking.lambdarank import imported

    if two_stage:
        imported()  # before anything runs for minutes
    config = out / ("two-stage.toml" if two_stage else "vitrina.toml")
    if not config.exists():
        write_text(config, with_two_stages() if two_stage else CONFIG)
    plan = read_config(config)
    log = plan.log()
    data = plan.filtered(log)
    if not json:
        with console.working("Looking at the log"):
            seen = inspect(data)
        console.out().print(seen)
        console.out().print(
            f"\nComparing. The config, to change and run again with 'vitrina compare': {config}\n", markup=False, soft_wrap=True
        )
    board = compare(plan, json=json, data=data)
    _leave_best(plan, board, log, quiet=json)
    end(board)


def _leave_best(plan: Plan, board: Board, log: Dataset, *, quiet: bool) -> None:
    """Fit the best model of the board on all data, and leave it beside the report."""
    from vitrina.cli import console
    from vitrina.cli.fit import fit

    best = next((entry.name for entry in board.entries if entry.status == "ok"), None)
    if best is None:
        return
    started = time.perf_counter()
    model = plan.out / MODEL
    kept = fit(plan, best, model, force=True, log=log)
    if not quiet:
        console.out().print(
            f"\nThe best on the board, {best}, fitted and saved with all {kept.data.n_events:,} events in {time.perf_counter() - started:.1f} s: {model}\n"
            f"Serve it with: vitrina serve {model}   (the console is at http://127.0.0.1:8000 then; needs the extra 'serve')",
            markup=False, soft_wrap=True,
        )  # fmt: skip
