"""Two stages beside each of their sources and the usual baselines, on four public logs that are cut at one moment.

    python -m benchmarks.quality.two_stage [amazon-grocery] [ml-100k] [online-retail] [complete-journey] [--validation] [--defaults] [--without]

The logs, their splits and the configs of the sources are those of the boards (`benchmarks.quality.boards`), whose searches found them in validation. Tables go into their
blocks of `docs/boards.md`. `--validation` judges on the end of the training part and writes nothing: what is chosen is chosen there. `--defaults` does so with
the settings that two stages have where none are given, and all groups of features. `--without` fits again
without one source, and without one group of features, in turn, on the end of the training part as well.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import keep
from benchmarks.kit.runs import card
from benchmarks.quality.boards import JOBS, PAGE
from vitrina.board.baselines import baselines
from vitrina.evaluate.significance import compare_pairs
from vitrina.forms.decay import All, Exponential, Window
from vitrina.ranking import Affinity, FeatureGroup, ItemCounters, LambdaRank, Source, Trends, UserCounters, standard

METRICS = ("Precision@1", "Recall@10", "nDCG@10")
TWO = "TwoStage"
BM25, Transitions = vt.weighting.BM25, vt.weighting.Transitions


def transitions(gap: float = 2, fade: float = 2, one_way: float = 0.75, **powers: float) -> vt.Cooccurrence:
    near = All(of=(Window(events=10.0), Exponential(events=gap)))
    return vt.Cooccurrence(weighting=Transitions(**powers), gap=near, one_way=one_way, decay=Exponential(events=fade), last=20)


def recent(days: float, n: int) -> Source:
    return Source(model=vt.Popularity(days=days), n=n, name="Popularity, recent")


def of_films() -> tuple[Source, ...]:
    order = vt.Cooccurrence(gap=Exponential(events=10), decay=Exponential(events=5))
    content = vt.ContentSimilarity(decay=Exponential(events=20))
    return (
        Source(model=order, name="Cooccurrence, order"), Source(model=transitions(arriving=0.0), name="Transitions"),
        Source(model=vt.EASE(l2=25.93), n=60), recent(30, 40), Source(model=content, n=30),
    )  # fmt: skip


def of_reviews() -> tuple[Source, ...]:
    near = transitions(one_way=0.5, fade=1, leaving=0.7)
    both = vt.Blend(models=(near, vt.ContentSimilarity(decay=Exponential(events=1))), weights=(1, 2), scale=vt.scale.AsIs())
    return (
        Source(model=both, n=80, name="Transitions and content"), Source(model=near, n=60, name="Transitions"),
        Source(model=vt.EASE(l2=25.93), n=60), recent(7, 60), Source(model=vt.Cooccurrence(weighting=BM25(b=0.25)), n=60),
    )  # fmt: skip


def of_gifts() -> tuple[Source, ...]:
    order = vt.Cooccurrence(weighting=BM25(), gap=Exponential(days=1), one_way=True, decay=Exponential(days=60))
    content = vt.ContentSimilarity(columns=("title",), decay=Exponential(days=60))
    return (
        Source(model=vt.TifuKNN(groups=3, between=0.9, alpha=0.5662)), Source(model=vt.TopPersonal(decay=Exponential(days=180))),
        Source(model=order, name="Cooccurrence, order"), recent(30, 50), Source(model=content, n=50),
    )  # fmt: skip


def of_groceries() -> tuple[Source, ...]:
    together = vt.Cooccurrence(weighting=BM25(b=0.25), neighbours=50, decay=Exponential(days=60))
    return (
        Source(model=vt.TopPersonal(decay=Exponential(days=90))),
        Source(model=vt.TifuKNN(neighbours=50, groups=3, within=1.0, alpha=0.7738)), recent(90, 50), Source(model=together, n=50),
    )  # fmt: skip


@dataclass(frozen=True)
class Stages:
    """What two stages are made of on a log, and how they learn."""

    sources: Callable[[], tuple[Source, ...]]
    learning: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[type[FeatureGroup], ...] = ()

    def features(self, data: vt.Dataset) -> tuple[FeatureGroup, ...]:
        return tuple(group for group in standard(data) if not isinstance(group, self.left_out))

    def model(self, data: vt.Dataset, **changes: Any) -> vt.TwoStage:
        return vt.TwoStage(**({"sources": self.sources(), "features": self.features(data)} | dict(self.learning) | changes))


RANKER = LambdaRank(learning_rate=0.1, trees=300, patience=30, least_pairs=100)
SHORT = LambdaRank(learning_rate=0.1, trees=60, patience=60, least_pairs=500, leaves=8, truncation=3)
MIXED = LambdaRank(learning_rate=0.1, trees=60, patience=60, least_pairs=500, leaves=8, truncation=3, columns=0.5)
OF_ITEMS = (ItemCounters, Trends)  # by which trees can tell items apart, and learn by heart what a window liked
LOGS: dict[str, Stages] = {
    "amazon-grocery": Stages(of_reviews, {"ranker": SHORT, "negatives": 30, "windows": 2}, OF_ITEMS),
    "ml-100k": Stages(of_films, {"ranker": MIXED, "negatives": 30, "windows": 2}),
    "online-retail": Stages(of_gifts, {"ranker": RANKER, "negatives": 100}),
    "complete-journey": Stages(of_groceries, {"ranker": MIXED, "negatives": 60, "windows": 2}, (*OF_ITEMS, UserCounters, Affinity)),
}  # fmt: skip


def split_of(name: str, *, validation: bool) -> vt.split.Split:
    split = JOBS[name].load().split(JOBS[name].rule)
    return split.train.holdout() if validation else split


@dataclass(frozen=True)
class Judged:
    """Values of single queries by model and metric, and seconds of the two stages."""

    values: Mapping[str, Mapping[str, np.ndarray]]  # metric -> model -> (queries,)
    users: np.ndarray
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    recall: pl.DataFrame
    groups: pl.DataFrame | None
    fit: float
    answer: float
    queries: int


def judge(stages: Stages, split: vt.split.Split, others: Mapping[str, Any]) -> Judged:
    """Fit two stages, ask them, their own sources and the other models."""
    begin = time.perf_counter()
    fitted = stages.model(split.train).fit(split.train)
    fit, begin = time.perf_counter() - begin, time.perf_counter()
    lists = {TWO: fitted.recommend(split.queries, 10, eligible=split.eligible)}
    answer = time.perf_counter() - begin
    print(f"two stages: fit {fit:.0f} s, answer {answer:.0f} s; {'; '.join(fitted.notes[-2:])}", flush=True)
    asked = dict(zip(fitted.sources.names, fitted.sources.recommenders, strict=True))
    asked |= {name: model.fit(split.train) for name, model in others.items() if name not in asked}
    lists |= {name: recommender.recommend(split.queries, 10, eligible=split.eligible) for name, recommender in asked.items()}
    judged = {name: vt.evaluate.evaluate(answer, split, METRICS).per_query for name, answer in lists.items()}
    values = {metric: {name: table[metric].to_numpy() for name, table in judged.items()} for metric in METRICS}
    return Judged(
        values, judged[TWO]["user"].to_numpy(), fitted.sources.names, fitted.notes, fitted.tables["sources"], fitted.tables.get("groups"),
        fit, answer, len(split.queries),
    )  # fmt: skip


def against_sources(judged: Judged) -> dict[str, dict[str, Any]]:
    """For each metric two stages against the source that is best on it: intervals hold for all sources together."""
    rows = {}
    for metric, values in judged.values.items():
        table = compare_pairs(values, [(TWO, source) for source in judged.sources], judged.users)
        best = max(judged.sources, key=lambda source, own=values: np.nanmean(own[source]))
        rows[metric] = next(row for row in table.iter_rows(named=True) if row["against"] == best)
    return rows


def section(judged: Judged, stages: Stages, protocol: str, limits: str) -> Iterator[str]:
    yield f"{protocol}\n"
    yield f"| model | {' | '.join(METRICS)} |\n|{'---|' * (1 + len(METRICS))}"
    for name in sorted(judged.values["nDCG@10"], key=lambda name: -np.nanmean(judged.values["nDCG@10"][name])):
        mark = " (source)" if name in judged.sources else ""
        yield f"| {name}{mark} | {' | '.join(f'{np.nanmean(judged.values[metric][name]):.4f}' for metric in METRICS)} |"
    yield f"\n{protocol}\n"
    yield "| metric | two stages against the best source on it | source |\n|---|---|---|"
    yield from (f"| {metric} | {row['verdict']} | {row['against']} |" for metric, row in against_sources(judged).items())
    yield "\nWhat the sources find in the window that the ranker learned from:\n"
    yield "| source | recall | hits | unique hits | candidates per question |\n|---|---|---|---|---|"
    for row in judged.recall.iter_rows(named=True):
        yield f"| {row['source']} | {row['recall']:.4f} | {row['hits']:,} | {row['unique_hits']:,} | {row['candidates']:.0f} |"
    if judged.groups is not None:
        shares = judged.groups.sort("gain", descending=True) if "gain" in judged.groups.columns else judged.groups
        yield f"\nGroups of features, by what they are worth to the trees: {_shares(shares)}."
    yield f"\nFit {judged.fit:.0f} s, {judged.queries:,} questions answered in {judged.answer:.1f} s. {limits}. {'; '.join(judged.notes[-1:])}."


def _shares(groups: pl.DataFrame) -> str:
    number = next(name for name, dtype in groups.schema.items() if dtype.is_float())
    name = next(name for name in ("group", "features") if name in groups.columns)
    return ", ".join(f"{row[name]} {row[number]:.2f}" for row in groups.sort(number, descending=True).iter_rows(named=True))


def without(name: str) -> Iterator[str]:
    """The change of each metric in validation when one source, or one group of features, is left out."""
    split, stages = split_of(name, validation=True), LOGS[name]
    whole = judge(stages, split, {})
    groups = stages.features(split.train)
    sources = stages.sources()
    yield "| left out | Precision@1 | Recall@10 | nDCG@10 |\n|---|---|---|---|"
    tried = [(s.title, {"sources": tuple(o for o in sources if o is not s)}) for s in sources]
    tried += [(type(g).__name__, {"features": tuple(o for o in groups if o is not g)}) for g in groups]
    for left, changes in tried:
        fitted = stages.model(split.train, **changes).fit(split.train)
        lists = fitted.recommend(split.queries, 10, eligible=split.eligible)
        own = vt.evaluate.evaluate(lists, split, METRICS).per_query
        cells = []
        for metric in METRICS:
            values = {"without": own[metric].to_numpy(), TWO: whole.values[metric][TWO]}
            row = compare_pairs(values, [("without", TWO)], whole.users).row(0, named=True)
            cells.append(f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})" if row["low"] is not None else "0")
        yield f"| {left} | {' | '.join(cells)} |"
        print(left, cells, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", metavar="LOG", help=f"one or more of {', '.join(LOGS)}; all where none is named")
    parser.add_argument("--validation", action="store_true", help="judge on the end of the training part, and write nothing")
    parser.add_argument("--defaults", action="store_true", help="the same with the settings of vt.TwoStage where none are given")
    parser.add_argument("--without", action="store_true", help="leave out one source and one group of features in turn, in validation")
    options = parser.parse_args()
    unknown = set(options.logs) - set(LOGS)
    if unknown:
        parser.error(f"There is no log {', '.join(sorted(unknown))}. Known: {', '.join(LOGS)}.")
    for name in options.logs or LOGS:
        if options.without:
            rows = "\n".join(without(name))
            keep(PAGE, f"quality.two_stage.{name}.without", f"{card(split_of(name, validation=True), 'validation')}\n\n{rows}")
            continue
        validation = options.validation or options.defaults
        split, limits = split_of(name, validation=validation), machine()
        others = {} if validation else {c.name: c.model for c in baselines(split)}
        stages = Stages(LOGS[name].sources) if options.defaults else LOGS[name]
        judged = judge(stages, split, others)
        text = "\n".join(section(judged, stages, card(split), limits))
        print(f"{name}\n{text}\n", flush=True)
        if not validation:
            keep(PAGE, f"quality.two_stage.{name}", text)


if __name__ == "__main__":
    main()
