"""What `vitrina answer` does and says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitrina.base.errors import DataError
from vitrina.cli import build, console
from vitrina.cli.answer_file import AnswerJob, read_answer_file
from vitrina.cli.search_ask import loaded, words_of
from vitrina.cli.search_make import ONE_FORM

if TYPE_CHECKING:
    from vitrina.answers import Answer, Answerer, Context, ItemTexts
    from vitrina.search import Lexical

ID = "item_id"


def answerer(folder: Path, config: Path | None, *, trust: bool) -> Answerer:
    """Who answers from the search of a folder, as a file says.

    Raises:
        DataError: the search knows no texts of its items.
    """
    job = read_answer_file(config, trust=trust)
    engine = loaded(folder, trust=trust)
    words = words_of(engine)
    assert words is not None
    return job.answerer(engine, _texts(job, folder, words))


def _texts(job: AnswerJob, folder: Path, words: Lexical) -> ItemTexts:
    from vitrina.answers import ItemTexts as ItemTexts_

    known = words.item_table
    if known is None:
        raise DataError(
            f"The search in {folder} was saved without its table of items, so there is nothing to cite. Build it again: vitrina search build"
        )
    table = known.frame.with_columns(words.vocabulary.ids.head(len(known.frame)).alias(ID))
    copies = ONE_FORM.format("")
    table = table.drop([name for name in table.columns if name.endswith(copies)])
    with build.located(job.file, ("answer", "columns")):
        return ItemTexts_.of(table, words.vocabulary, id=ID, title=known.title, columns=job.settings.answer.columns)


def context(asked: Answerer, question: str, history: Sequence[str]) -> Context:
    """What a model would read."""
    with console.working("Searching"):
        return asked.context(question, history)


def show(found: Answer, *, trace: bool) -> None:
    """The answer with its sources, or the reason; then the steps."""
    out = console.out()
    out.print(str(found), markup=False, soft_wrap=True)
    if found.status != "answered":
        console.note(f"{found.status.capitalize()}{f' ({found.code})' if found.code else ''}.")
    for note in found.notes:
        console.note(note)
    if trace:
        out.print()
        out.print(str(found.trace), markup=False, soft_wrap=True)
