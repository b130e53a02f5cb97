"""Full boards on four public logs, each cut at one moment: loads, splits, tunes, compares; writes the report, the board and its tables.

    python -m benchmarks.quality.boards [amazon-grocery] [ml-100k] [online-retail] [complete-journey] [--resume]

Each takes some minutes on two cores. Reports, boards and values of single queries go to `benchmarks/.cache/boards/<name>/`, the tables into
their blocks of `docs/boards.md`. `--resume` goes on with an interrupted board: finished models are kept, which is only right while the code of
the models is the same.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import keep
from benchmarks.kit.places import CACHE, ROOT, data_folder
from benchmarks.kit.runs import card
from vitrina.base.config import Config, to_plain
from vitrina.board.tune import Search

OUT = CACHE / "boards"
PAGE = ROOT / "docs" / "boards.md"
TRIALS, SEED, DRAWS = 8, 0, 1000
METRICS = ("nDCG@10", "Recall@10", "HitRate@10", "MRR@10", "Coverage@10", "Gini@10", "MeanPopularity@10", "MIUF@10")
REPEATS = ("repeat Recall@10", "explore Recall@10", "RepeatShare@10")


@dataclass(frozen=True)
class Job:
    """One board: what to read, how to cut it, what to compare, and with what."""

    title: str
    load: Callable[[], vt.Dataset]
    rule: Any
    models: Callable[[], Mapping[str, Any]]
    baseline: str  # chosen before anything was run
    metrics: tuple[str, ...] = METRICS
    shown: Mapping[str, str] = field(default_factory=dict)  # metric -> heading of its column


def ml_100k() -> vt.Dataset:
    folder = data_folder() / "ml-100k"
    return vt.read_interactions(
        folder / "interactions.parquet", time="timestamp", time_unit="s", value="rating", items=folder / "items.parquet",
        item_kinds={"title": "text", "genres": "categories"}, title="title", name="MovieLens-100K",
    )  # fmt: skip


def online_retail() -> vt.Dataset:
    lines = pl.scan_parquet(data_folder() / "online-retail" / "lines.parquet").filter(
        pl.col("quantity") > 0, pl.col("customer_id") > 0, pl.col("stock_code").str.contains(r"^\d{5}")
    )
    titles = lines.group_by("stock_code").agg(title=pl.col("description").str.to_titlecase().mode().sort().first()).sort("stock_code")
    return vt.read_interactions(
        lines.select("customer_id", "stock_code", "timestamp", "quantity", "invoice").collect(),
        user="customer_id", item="stock_code", time="timestamp", value="quantity", basket="invoice",
        items=titles.collect(), item_kinds={"title": "text"}, title="title", name="Online Retail",
    )  # fmt: skip


def amazon_grocery() -> vt.Dataset:
    """Reviews with their days. Also bought and also viewed were collected later, so they are no features; the last two events of each person are missing."""
    folder = data_folder() / "amazon-grocery"
    items = pl.read_parquet(folder / "items.parquet").select("item_id", pl.col("category").cast(pl.String))
    return vt.read_interactions(
        folder / "interactions.parquet", time="timestamp", time_unit="s", items=items, item_kinds={"category": "category"},
        name="Amazon Grocery",
    )  # fmt: skip


def co_occurrence(fades: list[vt.decay.Decay], gaps: list[vt.decay.Decay], spread: list[vt.weighting.Weighting]) -> dict[str, Any]:
    """As it comes, then searches of one thing each: weighting, fading history, order and gaps."""
    w = vt.weighting
    probabilities = [w.ConditionalProbability(alpha=alpha, shrinkage=10) for alpha in (0.3, 0.7)]
    every = [w.Cosine(), w.Cosine(shrinkage=10), *probabilities, w.Lift(shrinkage=10), w.TfIdf(), w.BM25(), w.BM25(b=0.25)]
    return {
        "Cooccurrence, as it comes": vt.Cooccurrence(),
        "Cooccurrence, weighting": vt.tune(vt.Cooccurrence, weighting=every),
        "Cooccurrence, fading": vt.tune(vt.Cooccurrence, weighting=[w.Cosine(), w.BM25()], decay=fades),
        "Cooccurrence, order": vt.tune(vt.Cooccurrence, weighting=spread, gap=gaps, one_way=[False, True], decay=fades[1]),
    }


def content(fades: list[vt.decay.Decay], columns: list[tuple[str, ...] | None]) -> dict[str, Any]:
    return {
        "Cooccurrence, content": vt.tune(vt.Cooccurrence, content=[vt.Content(weight=weight) for weight in (0.01, 0.03, 0.1, 0.3)]),
        "ContentSimilarity": vt.tune(vt.ContentSimilarity, columns=columns, decay=[None, *fades]),
    }


def repeats() -> dict[str, Any]:
    days = [vt.decay.Exponential(days=days) for days in (7, 14, 30, 60, 90, 180, 360)]
    return {
        "TopPersonal": vt.TopPersonal(),
        "TopPersonal, fading": vt.tune(vt.TopPersonal, decay=days),
        "TifuKNN": vt.tune(
            vt.TifuKNN, neighbours=[50, 100, 300, 900], groups=[3, 7, 14], within=[0.7, 0.8, 0.9, 1.0], between=[0.3, 0.5, 0.7, 0.9],
            alpha=vt.Range(low=0.3, high=0.98),
        ),
    }  # fmt: skip


def events(*numbers: int) -> list[vt.decay.Decay]:
    return [vt.decay.Exponential(events=number) for number in numbers]


def days(*numbers: int) -> list[vt.decay.Decay]:
    return [vt.decay.Exponential(days=number) for number in numbers]


def of_films() -> dict[str, Any]:
    fades = events(2, 5, 10, 20)
    every = co_occurrence(fades, events(3, 10), [vt.weighting.Cosine(), vt.weighting.BM25()])
    return every | content(fades, [None, ("genres",), ("title",)])


def of_reviews() -> dict[str, Any]:
    """Histories of some events, days of several: pairs count by their gap in events; there are categories and no texts."""
    fades = events(2, 5, 10, 20)
    return co_occurrence(fades, events(3, 10), [vt.weighting.Cosine(), vt.weighting.BM25()]) | content(fades, [("category",)])


def of_gifts() -> dict[str, Any]:
    fades = days(14, 60, 180)
    return repeats() | co_occurrence(fades, days(1, 60), [vt.weighting.Cosine(), vt.weighting.BM25()]) | content(fades, [("title",)])


def of_groceries() -> dict[str, Any]:
    """Histories of hundreds of lines and 67,000 items: what takes longest has a smaller space, or is left out (content in co-occurrence)."""
    fades = days(14, 60, 180)
    every = repeats() | co_occurrence(fades, days(1, 14), [vt.weighting.BM25()]) | content(fades, [("type",), ("category",)])
    del every["Cooccurrence, content"]
    return every | {"EASE, 6,000 items": vt.tune(vt.EASE, l2=vt.Range(low=10, high=5000, log=True), max_items=6000)}


PARTS = {"Recall@10": "Recall@10", "Coverage@10": "Coverage@10", "MIUF@10": "MIUF@10"}
REPEAT_PARTS = PARTS | {"repeat Recall@10": "Recall of repeats", "explore Recall@10": "Recall of new", "RepeatShare@10": "repeats in lists"}
JOBS: dict[str, Job] = {
    "amazon-grocery": Job(
        "Amazon Grocery",
        amazon_grocery, vt.split.GlobalTime(quantile=0.8, repeat=False), of_reviews, "EASE", shown=PARTS,
    ),
    "ml-100k": Job(
        "MovieLens-100K",
        ml_100k, vt.split.GlobalTime(quantile=0.8, repeat=False), of_films, "EASE", shown=PARTS,
    ),
    "online-retail": Job(
        "Online Retail",
        online_retail, vt.split.GlobalTime(days=30, target="basket", repeat=True), of_gifts, "TopPersonal", METRICS + REPEATS, REPEAT_PARTS,
    ),
    "complete-journey": Job(
        "Complete Journey",
        vt.complete_journey, vt.split.GlobalTime(days=14, target="basket", repeat=True), of_groceries, "TopPersonal", METRICS + REPEATS,
        REPEAT_PARTS,
    ),
}  # fmt: skip


def compare(name: str, *, resume: bool) -> vt.Board:
    """Run a board and save everything of it."""
    job, out = JOBS[name], OUT / name
    if not resume:
        shutil.rmtree(out / "finished", ignore_errors=True)
    limits = machine()
    data = job.load()
    split = data.split(job.rule)
    board = vt.compare(
        job.models(), split, metrics=job.metrics, baseline=job.baseline, budget=vt.Budget(trials=TRIALS), seed=SEED,
        bootstrap=vt.Bootstrap(draws=DRAWS, seed=SEED), cache=out / "finished", data=data, title=job.title,
    )  # fmt: skip
    board.save(out)
    keep(PAGE, f"quality.boards.{name}", "\n".join(section(board, job, str(split.summary), card(split), limits)))
    return board


def section(board: vt.Board, job: Job, split: str, protocol: str, limits: str) -> Iterator[str]:
    """The board in Markdown: data, split, leaderboard, how it was made."""
    made = board.settings
    yield f"```\n{split}\n```\n"
    yield f"{protocol}\n"
    yield from table(board, job.shown)
    yield ""
    yield (
        f"{made['date'][:10]}, {made['seconds'] / 60:.0f} minutes. {limits}; Vitrina {made['versions']['vitrina']}, Polars "
        f"{made['versions']['polars']}; seed {made['seed']}, {made['bootstrap_draws']:,} draws of people, 95% intervals. Tuning: "
        f"{made['tuning_budget']}. What the searches chose:\n"
    )
    yield from (f"- {e.name}: `{plain(e.config)}`" for e in board.entries if e.trials > 1)


def table(board: vt.Board, shown: Mapping[str, str]) -> Iterator[str]:
    """One row per model, in the order of the primary metric."""
    heads = ("model", board.primary, f"against {board.baseline}", *shown.values(), "tried", "fit, s", "answer, s", "peak, MB")
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    values = {(row["model"], row["metric"]): row for row in board.numbers.iter_rows(named=True)}
    said = board.comparisons.filter(pl.col("metric") == board.primary)
    verdicts = dict(zip(said["model"], said["verdict"], strict=True)) | {board.baseline: "the baseline"}
    for entry in board.entries:
        if entry.status != "ok":
            yield f"| {entry.name} | {entry.status}: {entry.error} |" + " |" * (len(heads) - 2)
            continue
        first = values[entry.name, board.primary]
        cells = [entry.name, f"{first['value']:.4f} ({first['low']:.4f} to {first['high']:.4f})", _short(verdicts[entry.name])]
        cells += [_number(values[entry.name, metric]["value"]) for metric in shown]
        yield f"| {' | '.join([*cells, str(entry.trials), *_cost(entry)])} |"


def _short(verdict: str) -> str:
    said, _, seen = verdict.partition("; a difference of ")
    return f"{said} ({seen.partition(' ')[0]} would have been seen)" if seen else said


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}" if value < 1 else f"{value:.2f}"


def _cost(entry: Any) -> tuple[str, str, str]:
    return f"{entry.fit_seconds:.2f}", f"{entry.answer_seconds:.2f}", f"{entry.peak_bytes / 1e6:,.0f}"


def plain(config: Any) -> str:
    """A config as people write it; what is as it comes is left out."""
    if isinstance(config, list):
        return f"[{', '.join(map(plain, config))}]"
    if not isinstance(config, Mapping) or "name" not in config:
        return repr(config)
    told = {n: v for n, v in config.items() if n != "name" and v is not None and v != _default(config["name"], n)}
    return f"{config['name']}({', '.join(f'{n}={plain(v)}' for n, v in told.items())})"


def _default(model: str, parameter: str) -> Any:
    """The default of a model's or a part's parameter, as a board describes it."""
    found = next((getattr(place, model) for place in (vt, vt.weighting, vt.decay, vt.combine) if hasattr(place, model)), None)
    known = getattr(found, "model_fields", {}).get(parameter)
    default = None if known is None else known.get_default(call_default_factory=True)
    return to_plain(default) if isinstance(default, Config) else default


def searches() -> dict[str, list[str]]:
    """The models of each job that are tuned."""
    return {name: [n for n, model in job.models().items() if isinstance(model, Search)] for name, job in JOBS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", metavar="BOARD", help=f"one or more of {', '.join(JOBS)}; all where none is named")
    parser.add_argument("--resume", action="store_true", help="keep the finished models of an interrupted board")
    options = parser.parse_args()
    unknown = set(options.boards) - set(JOBS)
    if unknown:
        parser.error(f"There is no board {', '.join(sorted(unknown))}. Known: {', '.join(JOBS)}.")
    for name in options.boards or JOBS:
        print(compare(name, resume=options.resume))
        print(f"{OUT / name / 'report.html'}\n")


if __name__ == "__main__":
    main()
