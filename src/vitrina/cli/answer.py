"""`vitrina answer`: a question answered from the items of a search, every sentence with what it rests on; or why not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrina.cli import options as o


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that 'vitrina search build' wrote.", show_default=False)],
    question: Annotated[list[str], typer.Argument(metavar="QUESTION", help="What somebody asks.", show_default=False)],
    config: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file: the model, how it answers, what it may be asked; without a model, sentences of the items are the answer.",
            show_default=False,
        ),
    ] = None,
    history: Annotated[str | None, typer.Option(help='Ids of what the person had, oldest first: "a1,b7".', show_default=False)] = None,
    context: Annotated[bool, typer.Option("--context", help="Print what a model would read, and ask none.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Print every step on the way too, with its time and tokens.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Allow code of your own: in the config, and in the artifact.")] = False,
    json: o.Json = False,
) -> None:
    """Answer a question from the items of a search: sentences with the items that they rest on, or the reason why there are none.

    Without a model the sentences are those of the items. What a model chooses or writes is verified against what it cites.
    """
    from vitrina.cli import answer_runs, console

    asked = answer_runs.answerer(folder, config, trust=trust)
    ids = [one.strip() for one in (history or "").split(",") if one.strip()]
    text = " ".join(question)
    if context:
        console.out().print(str(answer_runs.context(asked, text, ids)), markup=False, soft_wrap=True)
        return
    with console.working("Answering"):
        found = asked.answer(text, ids)
    if json:
        console.print_json(found.plain(trace=trace))
    else:
        answer_runs.show(found, trace=trace)
