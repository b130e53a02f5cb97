"""Counts of order, with and without content, found by their own search: prints a table in Markdown.

    python -m benchmarks.quality.counts [amazon-beauty] [amazon-sports] [ml-1m] [--seeds 0 1 2] [--trials 30] [--people 4000]

The searches are those of the baseline on every board (`vitrina.board.order`). A trial is fitted without everybody's last two items and asked for the last
but one of `--people` people; the best is then fitted once more for each protocol: *strict*, on the same events, and *retrained*, on all but the last item. Nothing else
is chosen. Finished trials and runs are kept in `benchmarks/.cache/counts` by the code of the models, so an interrupted script goes on.

Goals: the numbers that an independent implementation reached, tuned on a part of Beauty's validation and carried over to the others.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import CACHE
from benchmarks.kit.runs import CODE, card, ordered, spread
from vitrina.base.config import fingerprint
from vitrina.board.order import BOTH, COUNTS, content_search, transitions_search
from vitrina.board.sample import take_queries
from vitrina.board.tune import Search
from vitrina.jobs.specs import written

KEPT = CACHE / "counts"
METRIC, BESIDE = "nDCG@10", "Recall@10"
GOALS = {  # (log, search) -> strict, retrained
    ("amazon-beauty", COUNTS): (0.0536, 0.0611),
    ("amazon-beauty", BOTH): (0.0660, 0.0702),
    ("amazon-sports", COUNTS): (0.0331, 0.0373),
    ("amazon-sports", BOTH): (0.0359, 0.0398),
    ("ml-1m", COUNTS): (0.1542, 0.1542),
}  # fmt: skip
SEARCHES: Mapping[str, Callable[[], Search]] = {COUNTS: transitions_search, BOTH: content_search}


@dataclass(frozen=True)
class Log:
    """One log under both protocols, and the part that searches are judged on."""

    name: str
    strict: vt.split.Split
    retrained: vt.split.Split
    judged: vt.split.Split

    @classmethod
    def of(cls, name: str, people: int) -> Log:
        data = ordered(name, described=name != "ml-1m")
        strict, retrained = (data.split(vt.split.LeaveOneOut(repeat=False, strict=strict)) for strict in (True, False))
        assert strict.validation is not None
        rows = np.unique(np.linspace(0, len(strict.validation.queries) - 1, people).astype(np.int64))
        return cls(name, strict, retrained, take_queries(strict.validation, rows))


@dataclass(frozen=True)
class Found:
    """What one search came to."""

    seed: int
    model: Any
    validation: float
    strict: Mapping[str, Any]  # metric -> value, low, high
    retrained: Mapping[str, Any]


def kept(what: str, make: Callable[[], Any], *key: Any) -> Any:
    """What a file has of this model, part and code; made and written where it has nothing."""
    file = KEPT / f"{what}-{CODE['models']}-{fingerprint(*key)}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(make()), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def lists_of(model: Any, split: vt.split.Split) -> vt.Recommendations:
    return model.fit(split.train).recommend(split.queries, 10, eligible=split.eligible)


def trial(model: Any, log: Log, people: int) -> float:
    """The value of one configuration in validation."""

    def value() -> float:
        judged = vt.evaluate.evaluate(lists_of(model, log.judged), log.judged, [METRIC], intervals=False)
        return float(judged.numbers["value"][0])

    return kept(f"{log.name}-trial", value, model, people)


def tested(model: Any, log: Log, protocol: str) -> dict[str, Any]:
    """Value, low and high of both metrics on the test part."""

    def numbers() -> dict[str, Any]:
        split = getattr(log, protocol)
        rows = vt.evaluate.evaluate(lists_of(model, split), split, [METRIC, BESIDE]).numbers
        return {row["metric"]: [row["value"], row["low"], row["high"]] for row in rows.iter_rows(named=True)}

    return kept(f"{log.name}-{protocol}", numbers, model)


def found(log: Log, search: str, seed: int, options: argparse.Namespace) -> Found:
    candidates = SEARCHES[search]().candidates(options.trials, seed)
    values = []
    for model in candidates:
        values.append(trial(model, log, options.people))
        print(f"{log.name}, {search}, seed {seed}: {values[-1]:.4f} {written(model)}", file=sys.stderr, flush=True)
    best = candidates[int(np.argmax(values))]
    return Found(seed, best, max(values), tested(best, log, "strict"), tested(best, log, "retrained"))


def row(log: str, search: str, goal: int, runs: list[Found], protocol: str) -> str:
    """One protocol of one search: every seed's number, the first with its interval."""
    numbers = [getattr(run, protocol) for run in runs]
    value, low, high = numbers[0][METRIC]
    wanted = GOALS[log, search][goal]
    mean = float(np.mean([n[METRIC][0] for n in numbers]))
    return (
        f"| {log} | {search} | {protocol} | {spread([n[METRIC][0] for n in numbers])} | {value:.4f} ({low:.4f} to {high:.4f}) | "
        f"{spread([n[BESIDE][0] for n in numbers])} | {wanted:.4f} | {'reached' if round(mean, 4) >= wanted else f'{wanted - mean:.4f} below'} |"
    )


def table(logs: list[Log], options: argparse.Namespace) -> Iterator[str]:
    chosen: list[str] = []
    rows: list[str] = []
    for log in logs:
        yield f"- {card(log.strict, log.name)}"
        yield f"- {card(log.retrained, log.name)}"
        for search in SEARCHES:
            if (log.name, search) not in GOALS:
                continue
            runs = [found(log, search, seed, options) for seed in options.seeds]
            rows += [row(log.name, search, goal, runs, protocol) for goal, protocol in enumerate(("strict", "retrained"))]
            chosen += [
                f"- {log.name}, {search}, seed {run.seed}: {run.validation:.4f} in validation, `{written(run.model)}`" for run in runs
            ]
    yield "\n| log | model | protocol | nDCG@10 of the seeds | the first seed's, with its interval over people | Recall@10 | goal | |"
    yield "|---|---|---|---|---|---|---|---|"
    yield from rows
    yield f"\n{options.trials} trials per search, judged on {options.people:,} people; seeds {', '.join(map(str, options.seeds))}: mean (least to most). {machine()}.\n"
    yield from chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", default=list(dict.fromkeys(log for log, _ in GOALS)))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--people", type=int, default=4000)
    options = parser.parse_args()
    print("\n".join(table([Log.of(name, options.people) for name in options.logs], options)), flush=True)


if __name__ == "__main__":
    main()
