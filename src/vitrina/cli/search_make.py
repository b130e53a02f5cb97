"""From the file of a search to what answers: the index, its vectors, the mix of sources, and what is done to what was typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from vitrina.base.config import Config, fingerprint
from vitrina.cli import build, console
from vitrina.cli.search_file import VECTORS, WORDS
from vitrina.data.features import TITLE_NAMES

if TYPE_CHECKING:
    from vitrina.cli.search_file import SearchJob
    from vitrina.search import ItemIndex
    from vitrina.vocabulary import Vocabulary

KEPT = ".vectors"  # the folder of vectors, beside the results
PART = 2048  # texts that are encoded before their vectors are put on the disk
ONE_FORM = "{} in one form"  # the column with quantities as they are searched for


def index_of(job: SearchJob, table: pl.DataFrame, folder: Path, vocabulary: Vocabulary | None = None) -> ItemIndex:
    """The index of a table; vectors that were made before are taken from `folder`.

    Raises:
        UnknownNameError: there is no such column.
    """
    from vitrina.search import ItemIndex
    from vitrina.search.rows import check_columns

    given = job.settings
    weights = job.weights
    with build.located(job.file, ("index", "columns")):
        check_columns([*weights, *(given.index.encoded or [])], table)
    encoded = given.index.encoded or list(weights)
    vectors = None if job.encoder is None else vectors_of(job, table, encoded, folder)
    if given.repair.units:
        table, weights = in_one_form(table, weights)
    with console.working(f"Indexing {len(table):,} items"), build.located(job.file, ("index",)):
        return ItemIndex.build(
            table, id=given.items.id, columns=weights, language=job.languages or None, encoder=job.encoder, encoded=encoded,
            vectors=vectors, vocabulary=vocabulary, title=title_of(job, table),
        )  # fmt: skip


def title_of(job: SearchJob, table: pl.DataFrame) -> str:
    """The column to show to people: the one that is named, one that is called so, or the one that counts most."""
    given, called = job.settings.items.title, {name.lower(): name for name in table.columns}
    usual = next((called[name] for name in TITLE_NAMES if name in called and name != "description"), None)
    return given or usual or max(job.weights, key=lambda name: job.weights[name])


def in_one_form(table: pl.DataFrame, weights: dict[str, float]) -> tuple[pl.DataFrame, dict[str, float]]:
    """The table with copies of its columns whose quantities are written in one way, and the weights of these: what is shown stays as it was."""
    from vitrina.search import Units
    from vitrina.search.rows import text_column

    copies = pl.DataFrame([text_column(table[name]).alias(ONE_FORM.format(name)) for name in weights])
    return table.hstack(Units().on(copies, copies.columns)), {ONE_FORM.format(name): weight for name, weight in weights.items()}


def vectors_of(job: SearchJob, table: pl.DataFrame, columns: list[str], folder: Path) -> np.ndarray:
    """(rows, dim) the vectors of a table: those of each part are on the disk as soon as they are made, so that Ctrl-C loses a part."""
    from vitrina.base.files import atomic_file
    from vitrina.search.rows import joined_text

    texts, encoder = joined_text(table, columns), job.encoder
    if not isinstance(job.encoder, Config):  # nobody can say whether another one of it is the same
        return encoder.encode(texts)
    parts = []
    with console.steps() as progress:
        for number, first in enumerate(range(0, len(texts), PART)):
            progress("Encoding", number, -(-len(texts) // PART))
            part = texts[first : first + PART]
            kept = folder / KEPT / f"{fingerprint(job.encoder, part.to_list())}.npy"
            if not kept.exists():
                with atomic_file(kept) as staging, staging.open("wb") as file:
                    np.save(file, encoder.encode(part))
            parts.append(np.load(kept))
    return np.concatenate(parts)


def sources_of(job: SearchJob, index: ItemIndex) -> dict[str, Any]:
    """What finds items: by words, and by vectors where there is an encoder."""
    given = job.settings.index
    with build.located(job.file, ("index",)):
        words = index.lexical(k1=given.k1, b=given.b, match=given.match)
        return {WORDS: words} if job.encoder is None else {WORDS: words, VECTORS: index.semantic()}


def mixed(job: SearchJob, sources: dict[str, Any]) -> Any:
    """The sources as one; a single one as it is."""
    from vitrina.search import Hybrid

    given = job.settings.hybrid
    with build.located(job.file, ("hybrid",)):
        return sources[WORDS] if len(sources) == 1 else Hybrid(sources, job.fusion, given.depth, given.seconds)


def engine_of(job: SearchJob, index: ItemIndex, source: Any) -> Any:
    """The source behind what mends a query, gives words up where nothing is found, and pins."""
    from vitrina.search import KnownWords, Pinned, Pins, Query, Relaxed, Understood

    given = job.settings.repair
    known = KnownWords.of_index(index)
    if given.relax:
        any_word = None if job.settings.index.match == "any" else index.lexical()
        source = Relaxed(source, known, any_word)
    steps = [step for make in (_layout, _units, _spelling, _synonyms) for step in make(job, known)]
    source = Understood(source, Query(tuple(steps))) if steps else source
    if given.pins is None:
        return source
    with build.located(job.file, ("repair", "pins")):
        return Pinned(source, Pins.of(job.paths("repair", "pins", given.pins)[0]))


def _layout(job: SearchJob, known: Any) -> list[Any]:
    from vitrina.search import Layout, Spelling

    given = job.settings.repair
    wanted = "russian" in job.languages if given.layout is None else given.layout
    return [Layout(known, Spelling(known) if given.spelling else None)] if wanted else []


def _units(job: SearchJob, known: Any) -> list[Any]:
    from vitrina.search import Units

    return [Units()] if job.settings.repair.units else []


def _spelling(job: SearchJob, known: Any) -> list[Any]:
    from vitrina.search import Spelling

    return [Spelling(known)] if job.settings.repair.spelling else []


def _synonyms(job: SearchJob, known: Any) -> list[Any]:
    from vitrina.search import Synonyms

    path = job.settings.repair.synonyms
    if path is None:
        return []
    with build.located(job.file, ("repair", "synonyms")):
        return [Synonyms.read_file(job.paths("repair", "synonyms", path)[0], known.analysis)]


def part_of(engine: Any, found: Callable[[Any], bool]) -> Any:
    """The first part of a search that is so, from the outside in; None where there is none."""
    if found(engine):
        return engine
    inner = [getattr(engine, "source", None), *getattr(engine, "members", {}).values()]
    return next((part for one in inner if one is not None and (part := part_of(one, found)) is not None), None)
