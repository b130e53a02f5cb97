"""`vitrina demo`: the main job on a real log that a package ships."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrina.cli import options as o

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


def command(
    out: Annotated[Path, typer.Option(help="Folder for the config and the results.")] = Path("vitrina-demo"),
    json: o.Json = False,
) -> None:
    """Compare models on a year of real grocery baskets: minutes on two cores. Needs the extra 'demo'."""
    from vitrina.base.files import write_text
    from vitrina.cli import console
    from vitrina.cli.compare import compare
    from vitrina.cli.config import read_config
    from vitrina.data.inspect import inspect

    config = out / "vitrina.toml"
    if not config.exists():
        write_text(config, CONFIG)
    plan = read_config(config)
    data = plan.filtered(plan.log())
    if not json:
        with console.working("Looking at the log"):
            seen = inspect(data)
        console.out().print(seen)
        console.out().print(
            f"\nComparing. The config, to change and run again with 'vitrina compare': {config}\n", markup=False, soft_wrap=True
        )
    compare(plan, json=json, data=data)
