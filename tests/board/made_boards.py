"""Boards made by hand: realistic numbers, long names, a failed model, and everything that may be missing."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

import numpy as np
import polars as pl

from vitrina.board.result import Board, Entry, Example
from vitrina.data.dataset import Step
from vitrina.data.inspect import Inspection
from vitrina.data.inspect.measure import Groups, Histories, Sizes, Tail, Timing
from vitrina.data.split import GlobalTime, PartSize, SplitSummary
from vitrina.metrics import MetricInfo
from vitrina.metrics import metric as metric_of

MODELS = {  # name -> accuracy, beyond (coverage), how sharply it follows popularity
    "EASE": (0.3121, 0.214, 0.45),
    "Cooccurrence(weighting=Cosine(), time_decay=ByPosition(half_life=5))": (0.3074, 0.301, 0.40),
    "Cooccurrence(weighting=TfIdf())": (0.3052, 0.268, 0.42),
    "Cooccurrence": (0.2968, 0.187, 0.52),
    "TifuKNN": (0.2954, 0.355, 0.36),
    "TopPersonal": (0.2310, 0.512, 0.30),
    "Popularity(days=30)": (0.1480, 0.006, 0.97),
    "Popularity": (0.1312, 0.004, 0.99),
}
BASELINE = "Cooccurrence"
METRICS = {
    "nDCG@10": 1.0, "Recall@10": 0.62, "Precision@10": 0.47, "HitRate@10": 1.9, "MAP@10": 0.61, "MRR@10": 1.22,
    "repeat nDCG@10": 1.15, "explore nDCG@10": 0.21, "debiased nDCG@10": 0.71,
}  # fmt: skip
BUCKETS = ("top 1%", "1 to 5%", "5 to 20%", "20 to 50%", "the last half", "no event in training")
TITLES = (
    "Soft drinks 12/18 & 15pk can car", "Fluid milk white only", "Bananas", "Yogurt not multi-packs", "Shredded cheese", "Mainstream white bread",
    "Toilet tissue", "Candy bars (singles) (including)", "Potato chips", "Dairy case 100% pure juice – orange", "Primal", "Ground beef 80% lean, family pack, value size",
    "Eggs – large", "Pâté de campagne aux noisettes", "緑茶 ティーバッグ 20袋", "Premium frozen entrées & skillet dinners for the whole family, roasted vegetables",
)  # fmt: skip


def full() -> Board:
    """Eight models that answered, one that failed, one killed for memory, and something in every table."""
    entries = tuple(_entry(at, name) for at, name in enumerate(MODELS))
    entries += (
        Entry("SequenceModel(SASRec, 2 blocks)", {"name": "SequenceModel", "dim": 64, "epochs": 20}, "failed", "The loss became NaN in epoch 3. Lower learning_rate (now 0.1)."),
        Entry("EASE(max_items=60000)", {"name": "EASE", "max_items": 60000}, "out of memory", "It was stopped at 14.1 GB; it needs 14.4 GB, and 8 GB were free. Try max_items=40000."),
    )  # fmt: skip
    return Board(
        title="What should the grocer show next?", primary="nDCG@10", baseline=BASELINE, entries=entries, inspection=inspection(), split=split(),
        metrics=tuple(MetricInfo.of(metric_of(m)) for m in (*METRICS, "Coverage@10", "Gini@10", "MIUF@10", "MeanPopularity@10")),
        numbers=_numbers(), comparisons=_comparisons(), slices=_slices(), pareto=_pareto(), popularity=_popularity(), coverage=_coverage(),
        trials=_trials(), per_query=pl.DataFrame(), examples=_examples(),
        headline=(
            "EASE leads Cooccurrence by 0.015 nDCG@10 (0.011 to 0.020).",
            "Cooccurrence with cosine weights and decay by position is as good within the noise and covers a third more of the catalogue.",
            "On people with fewer than 5 events nothing can be told from Popularity: start there before anything personal.",
        ),
        settings={
            "seed": 0, "k": 10, "draws": 1000, "confidence": 0.95, "created": "2026-03-05T14:32:00", "tuning_budget": 12,
            "versions": {"vitrina": "0.1.0", "numpy": "2.4.1", "polars": "2.1.0", "numba": "0.68.0"},
            "machine": {"cores": 2, "memory": "16 GB", "system": "Linux 6.1", "processor": "x86_64"},
            "fingerprints": {"data": "8d1f0c2b6a7e9f30", "split": "77ab01c4d9e2f518"}, "command": "vitrina compare grocer.toml --seed 0 --out report.html",
        },
    )  # fmt: skip


def staged() -> Board:
    """The full one with two stages on its first row, and re-rankers or rules on the next two."""
    board = full()
    two, diverse, ruled = list(MODELS)[:3]
    source = pl.DataFrame(
        {"model": [two] * 4, "source": ["fading", "EASE", "Cooccurrence", "fallback"], "places": [0.52, 0.31, 0.162, 0.008], "hits": [0.71, 0.2, 0.09, 0.0]}
    )  # fmt: skip
    moves = pl.DataFrame(
        {"model": [diverse, ruled], "lists": [2000, 2000], "changed": [0.973, 0.411], "entered": [0.242, 0.08], "moved": [0.36, 0.121]}
    )
    rows = [
        (model, metric, *_effect(metric, at))
        for at, model in enumerate((diverse, ruled))
        for metric in ("nDCG@10", "Coverage@10", "MIUF@10")
    ]
    effects = pl.DataFrame(rows, schema=["model", "metric", "before", "after", "difference", "low", "high", "verdict"], orient="row")
    reasons = pl.DataFrame(
        {"model": [ruled] * 2, "reason": ["at most 2 of a department in 5", "at least 1 store brand in 10"], "places": [0.061, 0.032], "lists": [0.31, 0.28]}
    )  # fmt: skip
    examples = tuple(_re_ranked(example, diverse, ruled) for example in board.examples)
    return dataclasses.replace(
        board, sources=source, moves=moves, effects=effects, reasons=reasons, examples=examples, tables={two: _tables(), ruled: {"TwoStage: sources": _tables()["sources"]}}
    )  # fmt: skip


def _effect(metric: str, at: int) -> tuple:
    if metric == "Coverage@10":
        return 0.21, 0.301, None, None, None, None
    change = (-0.0081, 0.0004)[at] if metric == "nDCG@10" else 0.31
    verdict = (
        ("worse by 0.0081 (0.0055 to 0.011)", "no measurable difference")[at] if metric == "nDCG@10" else "better by 0.31 (0.30 to 0.32)"
    )
    return 0.31 - change, 0.31, change, change - 0.003, change + 0.003, verdict


def _re_ranked(example: Example, diverse: str, ruled: str) -> Example:
    before = example.lists[diverse]
    after = (before[1], before[0], *before[2:5], *before[6:], ("Sparkling water, 12 oz, store brand", True))
    ranks = (2, 1, 3, 4, 5, *range(7, len(before) + 1), None)
    kept = tuple(range(1, 6)) + tuple(range(7, len(before) + 1))
    lists = {**example.lists, diverse: after, ruled: tuple(before[rank - 1] for rank in kept)}
    reasons = {ruled: (("at least 1 store brand in 10",), *((),) * (len(kept) - 1))}
    return dataclasses.replace(
        example, lists=lists, before={diverse: before, ruled: before}, ranks={diverse: ranks, ruled: kept}, reasons=reasons
    )  # fmt: skip


def _tables() -> dict[str, pl.DataFrame]:
    groups = {"sources": 0.41, "own counts": 0.3, "item to item": 0.2, "item counters": 0.07, "price": 0.02}
    features = [(f"{group}, feature {at}", group, share / 2**at) for group, share in groups.items() for at in range(1, 5)]
    promised = [0.002 * 2**at for at in range(8)]
    return {
        "sources": pl.DataFrame(
            {
                "source": ["fading", "EASE", "Cooccurrence", "all together"], "recall": [0.382, 0.341, 0.297, 0.512], "unique_hits": [110, 60, 2, 0],
                "taken": [1000] * 4, "candidates": [88.2, 100.0, 100.0, 201.4],
            }
        ),
        "orders": pl.DataFrame({"order": ["fading", "EASE", "ranker"], "precision@1": [0.31, 0.28, 0.33], "recall@10": [0.11, 0.1, 0.13], "nDCG@10": [0.21, 0.19, 0.24]}),
        "importances": pl.DataFrame(features, schema=["feature", "group", "share"], orient="row").with_columns(head=pl.lit("taken")),
        "calibration": pl.DataFrame({"head": ["taken"] * 8, "expected": promised, "came": [p * (1.1 if p < 0.1 else 0.93) for p in promised]}),
        "missing": pl.DataFrame({"feature": ["price, feature 1", "own counts, feature 2"], "missing": [0.18, 0.0]}),
        "drift": pl.DataFrame({"feature": ["item counters, feature 1", "price, feature 1"], "drift": [0.31, 0.04]}),
    }  # fmt: skip


def bare() -> Board:
    """A board with one model, no intervals, no time, no titles, and every other table empty."""
    board = full()
    empty = {name: getattr(board, name).clear() for name in ("comparisons", "slices", "pareto", "popularity", "coverage", "trials")}
    numbers = pl.DataFrame({"model": ["Popularity"], "metric": ["nDCG@10"], "value": [0.1312], "low": [None], "high": [None]}, schema_overrides={"low": pl.Float64, "high": pl.Float64})  # fmt: skip
    part = PartSize(943, 1682, 90_000, None, None)
    undated = dataclasses.replace(split(), train=part, test=part)
    return dataclasses.replace(
        board, title="log", baseline="Popularity", entries=(Entry("Popularity", {"name": "Popularity"}),), numbers=numbers, examples=(), headline=(),
        settings={}, inspection=None, split=undated, **empty,
    )  # fmt: skip


def nothing() -> Board:
    """A board on which no model answered."""
    board = bare()
    entry = Entry("EASE", {"name": "EASE"}, "failed", "It was stopped.")
    return dataclasses.replace(board, entries=(entry,), baseline="EASE", numbers=board.numbers.clear(), split=None)


def _entry(at: int, name: str) -> Entry:
    notes = ("20,000 most frequent of 41,000 items",) if name == "EASE" else ()
    tuned = name.startswith(("EASE", "Cooccurrence(", "Tifu"))
    return Entry(
        name, {"name": name.split("(", maxsplit=1)[0], "l2": 500.0, "weighting": {"name": "Cosine"}, "k": 100}, baseline=name in ("Cooccurrence", "Popularity", "EASE"),
        fit_seconds=(11.2, 3.41, 3.02, 2.75, 4.4, 0.31, 0.02, 0.04)[at], answer_seconds=(6.4, 1.91, 1.83, 1.77, 38.2, 0.61, 0.12, 0.11)[at],
        peak_bytes=int((2.41, 0.62, 0.63, 0.58, 1.15, 0.41, 0.33, 0.33)[at] * 1e9), fallback_share=(0.0, 0.012, 0.012, 0.012, 0, 0.083, 0, 0)[at],
        trials=12 if tuned else 1, cached=at == 3, notes=notes,
    )  # fmt: skip


def _numbers() -> pl.DataFrame:
    rows = []
    for model, (accuracy, coverage, sharp) in MODELS.items():
        for metric, factor in METRICS.items():
            value, half = min(accuracy * factor, 0.98), 0.0042 * (1 + factor / 3)
            rows.append((model, metric, value, value - half, value + half * 1.05))
        rows.append((model, "Coverage@10", coverage, None, None))
        rows.append((model, "Gini@10", 0.6 + 0.39 * sharp, None, None))
        rows.append((model, "MIUF@10", 4.9 - 3.3 * sharp, 4.87 - 3.3 * sharp, 4.93 - 3.3 * sharp))
        rows.append((model, "MeanPopularity@10", 0.11 + 0.3 * sharp, 0.109 + 0.3 * sharp, 0.111 + 0.3 * sharp))
    return pl.DataFrame(rows, schema=["model", "metric", "value", "low", "high"], orient="row")


def _comparisons() -> pl.DataFrame:
    words = {
        "EASE": (0.0153, 0.0107, 0.0201, 0.00000002, "better by 0.015 (0.011 to 0.020)"),
        "Cooccurrence(weighting=Cosine(), time_decay=ByPosition(half_life=5))": (
            0.0106,
            0.0061,
            0.0152,
            0.0002,
            "better by 0.011 (0.006 to 0.015)",
        ),
        "Cooccurrence(weighting=TfIdf())": (
            0.0084,
            0.0001,
            0.0167,
            0.0471,
            "no measurable difference; a difference of 0.014 or more would have been seen",
        ),
        "TifuKNN": (-0.0014, -0.0081, 0.0052, 0.683, "no measurable difference; a difference of 0.012 or more would have been seen"),
        "TopPersonal": (-0.0658, -0.0713, -0.0604, 0.0, "worse by 0.066 (0.060 to 0.071)"),
        "Popularity(days=30)": (-0.1488, -0.1561, -0.1420, 0.0, "worse by 0.149 (0.142 to 0.156)"),
        "Popularity": (-0.1656, -0.1732, -0.1585, 0.0, "worse by 0.166 (0.158 to 0.173)"),
    }
    rows = [(m, "nDCG@10", BASELINE, d, low, high, p, min(1.0, 3 * p), 0.013, v) for m, (d, low, high, p, v) in words.items()]
    names = ["model", "metric", "baseline", "difference", "low", "high", "p", "p_adjusted", "detectable", "verdict"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _slices() -> pl.DataFrame:
    groups = {
        "history length": (("1 to 4 events", 0.35, 410), ("5 to 19", 0.8, 1402), ("20 to 99", 1.1, 2210), ("100 and more", 1.25, 899)),
        "items": (("warm targets only", 1.05, 4700), ("some cold targets", 0.4, 221)),
        "days since the cut": (("week 1", 1.04, 1250), ("week 2", 1.0, 1240), ("week 3", 0.97, 1200), ("week 4", 0.93, 1231)),
    }
    rows = []
    for name, parts in groups.items():
        for order, (group, factor, queries) in enumerate(parts):
            for at, (model, (value, _, _)) in enumerate(MODELS.items()):
                if group == "1 to 4 events" and model == "TifuKNN":
                    continue
                found, half = value * factor, 0.5 / np.sqrt(queries)
                found = 0.128 - 0.002 * at if group == "1 to 4 events" else found
                rows.append((model, name, group, order, "nDCG@10", found, max(found - half, 0), found + half, queries))
    names = ["model", "slice", "group", "order", "metric", "value", "low", "high", "queries"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _pareto() -> pl.DataFrame:
    points = {m: (v[0], v[1]) for m, v in MODELS.items()}
    front = {m: not any(x > v[0] and y > v[1] for x, y in points.values()) for m, v in points.items()}
    names = ["model", "x", "y", "on_front", "x_metric", "y_metric"]
    return pl.DataFrame([(m, *v, front[m], "nDCG@10", "Coverage@10") for m, v in points.items()], schema=names, orient="row")


def _popularity() -> pl.DataFrame:
    rows = []
    for model, sharp in [("taken", 0.33), *((m, v[2]) for m, v in MODELS.items())]:
        weights = np.array([sharp, (1 - sharp) * 0.5, (1 - sharp) * 0.3, (1 - sharp) * 0.15, (1 - sharp) * 0.05, 0.0])
        rows += [(model, bucket, order, float(w)) for order, (bucket, w) in enumerate(zip(BUCKETS, weights, strict=True))]
    return pl.DataFrame(rows, schema=["model", "bucket", "order", "share"], orient="row")


def _coverage() -> pl.DataFrame:
    frames = []
    for model, (_, coverage, sharp) in MODELS.items():
        rank = np.arange(1, max(10, int(20_000 * coverage)) + 1)
        share = np.cumsum(rank ** -(0.5 + 0.5 * sharp))
        frames.append(pl.DataFrame({"model": model, "rank": rank, "share": share / share[-1]}))
    return pl.concat(frames)


def _trials() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    rows = [(m, t, f'{{"name": "{m.split("(")[0]}", "l2": {round(float(10 ** rng.uniform(1, 4)), 1)}}}', "nDCG@10", MODELS[m][0] * rng.uniform(0.9, 1.02)) for m in list(MODELS)[:3] for t in range(12)]  # fmt: skip
    return pl.DataFrame(rows, schema=["model", "trial", "config", "metric", "value"], orient="row")


def _examples() -> tuple[Example, ...]:
    rng, found = np.random.default_rng(5), []
    for person in range(6):
        history = tuple(str(t) for t in rng.choice(TITLES, size=(12, 5, 1, 9, 12, 0)[person]))
        truth = tuple(str(t) for t in rng.choice(TITLES, size=1 + person % 3, replace=False))
        lists = {m: tuple((str(t), bool(t in truth and person != 3)) for t in rng.choice(TITLES, size=10, replace=False)) for m in MODELS}
        found.append(Example(f"household {100 + 37 * person}", history, truth, lists))
    return tuple(found)


def split() -> SplitSummary:
    return SplitSummary(
        rule="GlobalTime(days=28)", train=PartSize(2_466, 24_120, 1_310_222, "2017-01-01 11:53", "2017-12-03 23:58"),
        test=PartSize(2_101, 12_330, 118_442, "2017-12-04 00:10", "2017-12-31 23:58"), queries=4_921, targets_mean=24.1, targets_median=18.0,
        targets_max=301, history_median=410.0, repeat=True, repeat_decided=False,
        shares={"new_users": 0.0014, "queries_without_history": 0.0016, "cold_targets": 0.0371, "seen_targets": 0.371, "cold_items": 0.0902},
        notes=("1,204 repeated items within a query count once.",), leakage=(),
        warnings=("4% of the targets are items without a training event: no model of interactions can hit them. They count as misses; compare a content model, or a shorter test part.",),
    )  # fmt: skip


def inspection() -> Inspection:
    rng, k = np.random.default_rng(1), np.arange(365)
    per_day = 3000 + 1400 * (1 - np.exp(-k / 60)) + 700 * np.isin(k % 7, (5, 6)) + rng.normal(0, 260, 365)
    days = [date(2017, 1, 1) + timedelta(days=int(d)) for d in k]
    daily = pl.DataFrame({"day": days, "events": per_day.astype(np.int64)})
    share = np.append(0, np.cumsum(np.arange(1, 101) ** -1.02))
    curve = pl.DataFrame({"item_share": np.arange(101) / 100, "event_share": share / share[-1]})
    length, people = np.unique(np.geomspace(1, 4000, 300).astype(int)), rng.integers(1, 20, 300)
    lengths = pl.DataFrame({"length": length, "users": people[: len(length)]})
    nothing = pl.DataFrame()
    return Inspection(
        name="Complete Journey", sizes=Sizes(2_466, 26_541, 1_428_664, 0.0134, "2017-01-01 11:53", "2017-12-31 23:58", 365.0),
        histories=Histories({"median": 412.0}, 0.01, 0.412, lengths), tail=Tail(0.3, 0.7, 0.8, 0.1, curve),
        timing=Timing(0.961, False, 1, 0.01, "2017-12-23", nothing, daily), groups=Groups("baskets", 155_848, 9.17, 6.0, 140, 50.0, 1.0, nothing),
        duplicates=2_938, steps_are_per_user=False, bots=nothing, kinds=nothing, features=nothing, values=None, splits=nothing,
        recommended=GlobalTime(days=28), reason="", asked=None,
        steps=(Step("5-core of users and items", 1_469_307, 1_428_664, 2_469, 2_466, 92_331, 26_541, "4 rounds"),),
        warnings=(
            "37% of the test targets were in the person's history already: set repeat=true, or most of what people really take can't be recommended to them.",
            "96% of the events share their time stamp with another event of the same person: ask for baskets, or what was taken at once is half the answer.",
        ),
    )  # fmt: skip
