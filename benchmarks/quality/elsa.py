"""ELSA beside EASE on Gowalla, MovieLens-1M and Complete Journey, both tuned by the same number of trials on a part of train only.

    python -m benchmarks.quality.elsa [LOG ...] [--seconds 7200]

gowalla: the given split of [He et al. 2020](https://arxiv.org/abs/2002.02126); EASE's numbers are the published ones (of [BARS](https://openbenchmark.github.io/BARS)), plain EASE of all its items
is in `benchmarks.quality.sansa`. ml-1m: strong generalisation, a tenth of the people, who training never saw, with the first 80% of their ratings as history; ml-1m-shuffled: a fifth of them, with a random 80% as history, as in most papers. complete-journey: the last 10% of the
time, new items only. Parameters are the best in validation (`train.holdout()`, by the rule of the split); the test part is looked at once for each model. Each run leaves a record ($VITRINA_CACHE
names the folder), so that an interrupted script goes on; no run is begun after `--seconds`. The block of RESULTS.md is written from all records.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import SHARED
from benchmarks.kit.runs import card, ordered
from benchmarks.quality.autoencoders import splits
from benchmarks.quality.gowalla import gowalla
from vitrina.base.config import fingerprint, from_plain, to_plain
from vitrina.evaluate.run import evaluate

PLACE = SHARED / "quality_elsa"


@dataclass(frozen=True)
class Log:
    """A log with its split, and what is tried on it.

    Args:
        depth: of the lists.
        metrics: the last decides.
        trials: by name; as many for each.
        published: of EASE, where it isn't run here.
    """

    split: Callable[[], vt.split.Split]
    depth: int
    metrics: tuple[str, ...]
    trials: dict[str, list[Any]]
    published: str = ""


def elsas(*dims: int) -> list[Any]:
    return [vt.ELSA(dim=dim, learning_rate=rate) for dim in dims for rate in (0.1, 0.03)]


def shuffled() -> vt.split.Split:
    """As papers on strong generalisation cut it: a random fifth of what each person took is the truth, not the last."""
    return splits()[0]


EASES = [vt.EASE(l2=l2) for l2 in (50, 200, 500, 1000)]
LOGS = {
    "gowalla": Log(gowalla, 20, ("Recall@20", "nDCG@20"), {"ELSA": elsas(512)}, ".1765 | .1467"),
    "ml-1m": Log(
        lambda: ordered("ml-1m").split(vt.split.UserShare(share=0.1)), 100, ("Recall@20", "nDCG@100"), {"EASE": EASES, "ELSA": elsas(128, 256)}
    ),
    "ml-1m-shuffled": Log(shuffled, 100, ("Recall@20", "nDCG@100"), {"EASE": EASES, "ELSA": elsas(128, 256)}),
    "complete-journey": Log(
        lambda: vt.complete_journey().split(vt.split.GlobalTime(quantile=0.9, repeat=False)), 20, ("Recall@20", "nDCG@20"),
        {"EASE": EASES, "ELSA": elsas(256, 512)},
    ),
}  # fmt: skip


def record(log: str, model: Any, part: str, until: float) -> dict[str, Any] | None:
    """What a run gave, which is made where there is no record and time is left."""
    path = PLACE / f"{log}-{part}-{fingerprint(model)}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    if time.monotonic() > until:
        return None
    job, split = LOGS[log], LOGS[log].split()
    split = split.train.holdout() if part == "validation" else split
    begin, cpu = time.perf_counter(), time.process_time()
    fitted = model.fit(split.train)
    seconds = time.perf_counter() - begin, time.process_time() - cpu
    found = evaluate(fitted.recommend(split.queries, job.depth, eligible=split.eligible), split, job.metrics, intervals=part == "test")
    numbers = {row["metric"]: [row.get(c) for c in ("value", "low", "high")] for row in found.numbers.to_dicts()}
    run = {
        "model": to_plain(model), "numbers": numbers, "fit": seconds[0], "cpu": seconds[1], "notes": fitted.notes, "load": os.getloadavg()[0],
        "commit": commit(), "card": card(split, metric=job.metrics[-1]),
    }  # fmt: skip
    PLACE.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run), encoding="utf-8")
    print(f"{log}, {part}: {model!r} {numbers}, {seconds[1]:.0f} s of the processor", flush=True)
    return run


def best(log: str, trials: list[Any], until: float) -> tuple[dict[str, Any] | None, int]:
    """The test record of the best of the trials in validation, and how many of them there are; None where one is missing."""
    runs = [record(log, model, "validation", until) for model in trials]
    if None in runs:
        return None, 0
    winner = max((run for run in runs if run), key=lambda run: run["numbers"][LOGS[log].metrics[-1]][0])
    return record(log, from_plain(winner["model"]), "test", until), len(runs)


def table(log: str, until: float) -> list[str]:
    """The lines of a log, or nothing where no model is finished on it."""
    job = LOGS[log]
    found = {name: best(log, trials, until) for name, trials in job.trials.items()}
    done = {name: (run, n) for name, (run, n) in found.items() if run}
    if not done:
        return []
    lines = [
        f"#### {log}",
        "",
        next(iter(done.values()))[0]["card"],
        "",
        f"| model | {' | '.join(job.metrics)} | fit, s | of the processor, s | trials |",
        "|---" * 6 + "|",
    ]
    lines += [f"| EASE, published | {job.published} | | | |"] * bool(job.published)
    for run, trials in done.values():
        cells = [f"{v:.4f} [{low:.4f}, {high:.4f}]" for v, low, high in (run["numbers"][m] for m in job.metrics)]
        lines.append(f"| `{from_plain(run['model'])!r}` | {' | '.join(cells)} | {run['fit']:.0f} | {run['cpu']:.0f} | {trials} |")
    loads = [run["load"] for run, _ in done.values()]
    return [
        *lines,
        "",
        f"{processor()}, load {min(loads):.1f} to {max(loads):.1f}, commits {', '.join(sorted({run['commit'] for run, _ in done.values()}))}.",
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", choices=[*LOGS, []], help="only these")
    parser.add_argument("--seconds", type=float, default=7200)
    asked = parser.parse_args()
    until, now = time.monotonic() + asked.seconds, time.monotonic()
    lines = [line for log in LOGS for line in table(log, until if log in (asked.logs or LOGS) else now)]
    keep(RESULTS, "quality.elsa", "\n".join(lines).strip() or "To be measured: `python -m benchmarks.quality.elsa`.")


if __name__ == "__main__":
    main()
