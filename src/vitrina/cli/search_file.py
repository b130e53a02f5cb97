"""The file of a search: a TOML with its items, what is searched in, how sources are mixed, what is mended, and what people judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.cli import build, parts
from vitrina.cli.sections import Section, settings_of
from vitrina.cli.tables import located_path
from vitrina.cli.toml import TomlFile

EXAMPLE = 'A whole one: [items] path = "goods.csv", id = "sku"; [index] columns = {title = 3, description = 1}. Write one with: vitrina search init goods.csv'
ENCODER = parts.Kind(
    "encoder", '{type = "Packaged", tokens = 128}', lambda cls: hasattr(cls, "encode") and hasattr(cls, "dim"), "vitrina.search"
)
WORDS, VECTORS = "words", "vectors"  # the sources


def _is_fusion(cls: type) -> bool:
    from vitrina.search import Fusion

    return issubclass(cls, Fusion)


FUSION = parts.Kind("fusion", '{type = "RRF", constant = 2}', _is_fusion, "vitrina.search")


class ItemsSection(Section):
    """What is searched for."""

    path: str | list[str] = Field(description="Table of items: CSV or Parquet; a path, a glob or a list of paths.")
    id: str = Field(default="item_id", description="Column of ids.")
    title: str | None = Field(
        default=None, description="Column to show to people; one that is called so, or the one that counts most, when left out."
    )


class IndexSection(Section):
    """What is searched in, and how texts become terms and vectors."""

    columns: dict[str, float] | list[str] = Field(description="Columns that are searched in, and how often each counts.")
    language: str | list[str] = Field(default="english", description="Whose stemmer and stop words; several, one after the other.")
    encoder: Any = Field(default=None, description="What makes vectors of texts; none when left out.")
    encoded: list[str] | None = Field(default=None, description="Columns whose text the encoder reads; `columns` when left out.")
    k1: float = Field(default=1.5, ge=0, description="How much the second time that a word is in an item counts.")
    b: float = Field(default=0.75, ge=0, le=1, description="How much a long item is held against it.")
    match: str | float = Field(default="any", description='"any" word will do, "all" must be there, or what share of them.')


class HybridSection(Section):
    """How words and vectors become one list; read where there is an encoder."""

    fusion: Any = Field(default="RRF", description="A fusion by name or table.")
    depth: int = Field(default=100, ge=1, description="How many items each source gives.")
    seconds: float | None = Field(default=None, gt=0, description="How long each source is waited for.")


class RepairSection(Section):
    """What is done to what was typed."""

    spelling: bool = Field(default=True, description="Mend typing errors from the words of the items.")
    layout: bool | None = Field(
        default=None, description="Mend words typed on the other keyboard, Russian or English; where the items have Russian when left out."
    )
    units: bool = Field(default=False, description="Write quantities in one form, in items and queries.")
    synonyms: str | None = Field(default=None, description="File of synonyms, a rule per line.")
    pins: str | None = Field(default=None, description="File of what stands first, or never, for a query.")
    relax: bool = Field(default=True, description="Give up rare words where nothing has all, and say why.")


class JudgedSection(Section):
    """What people judged."""

    qrels: str = Field(description="Judgements: a file of TREC or BEIR, or a table: CSV or Parquet.")
    query: str = Field(default="query", description="Column of the query, of a table.")
    item: str = Field(default="item", description="Column of the item, of a table.")
    gain: str = Field(default="gain", description="Column of how good the item is, of a table.")
    queries: str | None = Field(default=None, description="Table of what was typed, where the judgements have ids of queries.")
    id: str = Field(default="query", description="Column of ids of that table.")
    text: str = Field(default="text", description="Column of what was typed, of that table.")
    above: float = Field(default=0.0, description="An item is relevant where its gain is above this.")


class EvaluateSection(Section):
    """How systems are compared."""

    metric: str = Field(default="linear nDCG@10", description="What systems are compared by.")
    baseline: str | None = Field(default=None, description="The system that all are compared with; the words alone when left out.")
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Of the intervals.")
    learned: bool = Field(default=True, description="A mix learned from the judgements too, where there are two sources.")
    folds: int = Field(default=10, ge=2, description="Parts; each is answered by a mix that the others taught.")
    seed: int = Field(default=0, ge=0, description="Of the folds.")
    runs: dict[str, str] = Field(default={}, description="Lists of other engines: {name = file of TREC}.")


class ReportSection(Section):
    """Where the results go."""

    out: str = Field(default="vitrina-search", description="Folder for the search, the page and the vectors that are kept.")
    title: str | None = Field(default=None, description="Title of the page.")


class Settings(Section):
    """The whole file."""

    items: ItemsSection
    index: IndexSection
    hybrid: HybridSection = HybridSection()
    repair: RepairSection = RepairSection()
    judged: JudgedSection | None = Field(default=None, description="What people judged.")
    evaluate: EvaluateSection = EvaluateSection()
    report: ReportSection = ReportSection()


@dataclass(frozen=True)
class SearchJob:
    """A checked file: its parts are built, nothing is read yet."""

    file: TomlFile
    settings: Settings
    encoder: Any
    fusion: Any

    @property
    def out(self) -> Path:
        return self.file.folder / self.settings.report.out

    @property
    def title(self) -> str:
        return self.settings.report.title or self.file.path.stem

    @property
    def languages(self) -> tuple[str, ...]:
        given = self.settings.index.language
        return (given,) if isinstance(given, str) else tuple(given)

    @property
    def weights(self) -> dict[str, float]:
        given = self.settings.index.columns
        return dict(given) if isinstance(given, Mapping) else dict.fromkeys(given, 1.0)

    def paths(self, table: str, key: str, given: str | list[str] | None) -> list[str]:
        return [] if given is None else located_path(self.file, (table, key), given)

    def sources(self) -> list[str]:
        """All that the job reads, absolute."""
        return [path for table, key, given in _paths(self.settings) for path in self.paths(table, key, given)]

    def facts(self) -> dict[str, str]:
        """What a page says of how it was made."""
        weights = ", ".join(f"{name} {weight:g}" for name, weight in self.weights.items())
        given = self.settings.index
        return {
            "File": self.file.path.name, "Columns": weights, "Language": ", ".join(self.languages) or "none", "Words": f"k1 {given.k1:g}, b {given.b:g}",
            "Encoder": "none" if self.encoder is None else repr(self.encoder), "Mix": "none" if self.encoder is None else repr(self.fusion),
        }  # fmt: skip

    def items(self) -> pl.DataFrame:
        """The table of items, typed.

        Raises:
            DataError: it can't be read, has no column of ids, or an id twice.
        """
        from vitrina.search.rows import read_rows

        given = self.settings.items
        paths = self.paths("items", "path", given.path)
        with build.located(self.file, ("items",)):
            return read_rows(paths if len(paths) > 1 else paths[0], given.id, None, given.title).frame


def _paths(settings: Settings) -> list[tuple[str, str, str | list[str] | None]]:
    judged, repair = settings.judged, settings.repair
    found: list[tuple[str, str, str | list[str] | None]] = [
        ("items", "path", settings.items.path), ("repair", "synonyms", repair.synonyms), ("repair", "pins", repair.pins),
    ]  # fmt: skip
    if judged is not None:
        found += [("judged", "qrels", judged.qrels), ("judged", "queries", judged.queries)]
    return [*found, *(("evaluate", "runs", path) for path in settings.evaluate.runs.values())]


def read_search_file(path: Path, *, trust: bool = False) -> SearchJob:
    """Read and check the file of a search.

    Args:
        path: the TOML file.
        trust: allow `type = "package.module:Class"`, which imports and runs that code.
    Raises:
        UnknownNameError: a key, an encoder, a fusion or a parameter is not known; names the line and the closest names.
        ParameterError: a value is wrong; names the line.
        DataError: there is no such file, or what it points to is missing.
    """
    return job_of(TomlFile.read(path, trust=trust, remedy=EXAMPLE))


def job_of(file: TomlFile) -> SearchJob:
    """The job of a parsed file."""
    settings = settings_of(file, Settings, EXAMPLE)
    job = SearchJob(
        file, settings, parts.made(file, ("index", "encoder"), settings.index.encoder, ENCODER),
        parts.made(file, ("hybrid", "fusion"), settings.hybrid.fusion, FUSION),
    )  # fmt: skip
    job.sources()
    _check(job)
    return job


def _check(job: SearchJob) -> None:
    """What only the parts know of each other."""
    from vitrina.metrics.names import metrics_of
    from vitrina.search import TextAnalysis

    file, given = job.file, job.settings
    with build.located(file, ("index", "language")):
        TextAnalysis(languages=job.languages)
    wrong = next((name for name, weight in job.weights.items() if not weight > 0), None)
    if wrong is not None or not job.weights:
        raise ParameterError(
            f"{file.where(('index', 'columns'))}: columns are one or more, each with a weight above 0: {{title = 3, description = 1}}."
        )
    if isinstance(given.index.match, str) and given.index.match not in ("any", "all"):
        with build.located(file, ("index", "match")):
            raise UnknownNameError.of("way to match", given.index.match, ("any", "all"))
    with build.located(file, ("evaluate", "metric")):
        metrics_of([given.evaluate.metric])
