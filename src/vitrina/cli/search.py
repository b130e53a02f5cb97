"""`vitrina search`: from a table of items to a search that answers, and to a board that says how well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrina.cli import options as o

HELP = "Search the items by words and meaning: build, ask, compare on judged queries, see what found nothing."
Job = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A TOML file; write one with: vitrina search init goods.csv", show_default=False)
]
Id = Annotated[str | None, typer.Option(help="Of a table: column of the ids.", show_default=False)]
Column = Annotated[
    list[str] | None,
    typer.Option("--column", help="Of a table: column that is searched in; may be given several times.", show_default=False),
]

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.callback()
def search() -> None:
    """Search the items by words and meaning: build, ask, compare on judged queries, see what found nothing."""


@app.command()
def init(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Table of items: CSV or Parquet.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("search.toml"),
    id: Id = None,
    column: Column = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented search.toml for a table of items, from what its columns seem to hold."""
    from vitrina.cli import console, search_init

    found = search_init.write(table, out, id, column, force=force)
    console.out().print(f"Wrote {out}. {found}\nBuild the search with: vitrina search build {out}", markup=False, soft_wrap=True)


@app.command()
def build(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file, or a table of items: CSV or Parquet.", show_default=False)],
    out: o.Out = None,
    id: Id = None,
    column: Column = None,
    trust: o.Trust = False,
    force: o.Force = False,
    json: o.Json = False,
) -> None:
    """Index the items and write the whole search as an artifact. Of a table, a search.toml with what its columns seem to hold is written beside it."""
    from vitrina.cli import console, search_init, search_runs

    config, out = search_init.config_of(config, out, id, column, force=force)
    said = search_runs.built(config, out, trust=trust, force=force)
    if json:
        console.print_json(said)
    else:
        console.out().print(search_runs.built_in_words(said), markup=False, soft_wrap=True)


@app.command()
def ask(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that 'vitrina search build' wrote.", show_default=False)],
    text: Annotated[list[str], typer.Argument(metavar="TEXT", help="What somebody types.", show_default=False)],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the list.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Condition on items: brand=HP,Dell, price<100, title~usb; may be given several times.", show_default=False),
    ] = None,
    facets: Annotated[
        str | None, typer.Option(help="Columns whose values are counted, between commas.", metavar="COLUMNS", show_default=False)
    ] = None,
    as_typed: Annotated[bool, typer.Option("--as-typed", help="Mend nothing of what was typed.")] = False,
    log: Annotated[
        Path | None,
        typer.Option(help="File to which a search is added that finds nothing; see 'vitrina search zeros'.", show_default=False),
    ] = None,
    trust: o.TrustArtifact = False,
    json: o.Json = False,
) -> None:
    """Search: the best items for a text, what was mended in it, and why the list is empty where it is."""
    from vitrina.cli import console, search_ask

    asked = search_ask.Asked(
        " ".join(text), k, tuple(where or ()), tuple(c.strip() for c in (facets or "").split(",") if c.strip()), as_typed
    )
    found = search_ask.answered(folder, asked, log, trust=trust)
    if json:
        console.print_json(found)
    else:
        search_ask.show(found)


@app.command()
def evaluate(config: Job, out: o.Out = None, trust: o.Trust = False, force: o.Force = False, json: o.Json = False) -> None:
    """Compare words, vectors, their mixes and the lists of other engines on judged queries, with intervals and paired verdicts; write the numbers and the page."""
    from vitrina.cli import console, search_board
    from vitrina.cli.search_file import read_search_file

    job = read_search_file(config, trust=trust)
    board, page = search_board.judged(job, out, force=force)
    if json:
        console.print_json(search_board.as_json(board))
    else:
        search_board.show(board, page)


@app.command()
def zeros(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Log of searches that found nothing.", show_default=False)],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many texts.")] = 20,
    json: o.Json = False,
) -> None:
    """Print what people searched for and didn't find, the most frequent first, with why."""
    from vitrina.cli import console, search_ask

    found = search_ask.zeros(file, k)
    if json:
        console.print_json(found)
    else:
        search_ask.show_zeros(found)
