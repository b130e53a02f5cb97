"""Which metric and split to trust on four public logs, by quick count models: what `vt.evaluate.quality_of` says of each.

    python -m benchmarks.quality.quality_logs [ml-100k] [amazon-grocery] [amazon-beauty] [complete-journey]

Four models without a seed (popularity, two co-occurrences, one of them with order and a fading history, and one of the last event alone) and random items with three. The
questions are those of a cut in time at nine tenths of the events, each moment after it; beside them the last moment of each person, and the last event left out. Finished
logs are kept in `benchmarks/.cache/quality_logs/`, so an interrupted run goes on. Minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import CACHE
from benchmarks.kit.runs import ordered
from benchmarks.quality.boards import JOBS
from vitrina.evaluate.quality import ModelValues, Quality, quality_of
from vitrina.evaluate.quality.record import size
from vitrina.evaluate.run import evaluate

METRICS = ("nDCG@10", "Recall@10", "HitRate@1", "MRR@10")
MODELS: dict[str, list[Any]] = {
    "Popularity": [vt.Popularity()],
    "co-occurrence": [vt.Cooccurrence()],
    "with order": [vt.Cooccurrence(gap=vt.decay.Exponential(events=2), decay=vt.decay.Exponential(events=3))],
    "last item": [vt.Cooccurrence(decay=vt.decay.Window(events=1))],
    "random": [vt.RandomItems(seed=seed) for seed in range(3)],
}


def beauty() -> vt.Dataset:
    return ordered("amazon-beauty")


LOGS: dict[str, Callable[[], vt.Dataset]] = {
    "ml-100k": JOBS["ml-100k"].load,
    "amazon-grocery": JOBS["amazon-grocery"].load,
    "amazon-beauty": beauty,
    "complete-journey": JOBS["complete-journey"].load,
}


def values(split: vt.split.Split) -> list[ModelValues]:
    """Each metric of all models on the questions of a split."""
    found: dict[str, dict[str, list[Any]]] = {metric: {} for metric in METRICS}
    for name, fits in MODELS.items():
        for model in fits:
            lists = model.fit(split.train).recommend(split.queries, 10, eligible=split.eligible)
            judged = evaluate(lists, split, METRICS, intervals=False)
            for metric in METRICS:
                found[metric].setdefault(name, []).append(judged.per_query[metric].to_numpy())
    return [
        ModelValues.of_fits(metric, {name: np.stack(rows) for name, rows in columns.items()}, split.queries.users)
        for metric, columns in found.items()
    ]


def asked(name: str) -> tuple[Quality, dict[str, Any]]:
    data = LOGS[name]()
    leave = vt.split.LeaveOneOut()
    timed = data.time_unit == "us"
    rules = [vt.split.GlobalTime(quantile=0.9), vt.split.GlobalTime(quantile=0.9, target="last"), leave] if timed else [leave]
    first = data.split(rules[0])
    own = values(first)
    orders = {str(rules[0]): order(own[0])}
    for rule in rules[1:]:
        split = data.split(rule.model_copy(update={"repeat": bool(first.eligible.repeat)}))
        orders[str(rule)] = order(values(split)[0])
    found = quality_of(own, rules=orders if len(orders) > 1 else None, ties=first.protocol.ties, rule=str(rules[0]))
    about = {"protocol": first.protocol.line, "events": data.n_events, "people": len(data.users), "ties": data.split(leave).protocol.ties}
    return found, about


def order(found: ModelValues) -> dict[str, float]:
    return dict(zip(found.models, found.means.tolist(), strict=True))


def kept(name: str) -> dict[str, Any]:
    """What is said of one log; read where an earlier run has left it."""
    file = CACHE / "quality_logs" / f"{name}.json"
    if not file.exists():
        found, about = asked(name)
        rows = [row | {"stable_high": str(row["stable_high"])} for row in found.table.select("metric", "people", "stable", "stable_low", "stable_high", "now", "needed", "verdict").to_dicts()]  # fmt: skip
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(about | {"rows": rows, "sentences": found.sentences, "rules": found.of("rules").to_dicts()}))
    return json.loads(file.read_text())


def printed(names: list[str]) -> Iterator[str]:
    for name in names:
        found = kept(name)
        yield f"\n{name}, {found['events']:,} events of {found['people']:,} people. Protocol: {found['protocol']}.\n"
        yield "| metric | people | stable from | 90% interval | right now | first two from | verdict |\n|---|---|---|---|---|---|---|"
        for row in found["rows"]:
            ends = f"{size(row['stable_low'])} to {size(float(row['stable_high']))}"
            yield f"| {row['metric']} | {row['people']:,} | {size(row['stable'])} | {ends} | {row['now']:.2f} | {size(row['needed'])} | {row['verdict']} |"
        yield "\n" + "\n".join(f"- {sentence}" for sentence in found["sentences"])
        if found["ties"] is not None:
            yield f"- Of the targets of leave-one-out {found['ties']:.0%} are the last of several events of one time, by the order of rows alone."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", choices=[*LOGS, []], help="which; all where none is named")
    names = parser.parse_args().logs or list(LOGS)
    print(f"{machine()}; intervals 90%, three seeds of random items, seed 0 of the draws.")
    print("\n".join(printed(names)))


if __name__ == "__main__":
    main()
