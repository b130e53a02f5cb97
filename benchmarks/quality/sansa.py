"""SANSA and SLIM on Gowalla beside plain EASE of all items: what they find, and what time and memory they take.

    python -m benchmarks.quality.sansa [--seconds 7200] [--only SANSA ...]

Protocol of [He et al. 2020](https://arxiv.org/abs/2002.02126) as in `benchmarks.quality.gowalla`. Parameters are the best nDCG@20 of a few trials on a random tenth of each person's
training items, EASE's on its 8,000 most frequent items; the test part is looked at once for each model. Each run is a process of its own and leaves a record ($VITRINA_CACHE names the
folder), so that an interrupted script goes on; no run is begun after `--seconds`. EASE of all 40,981 items takes 7 GB and 20 minutes of the processor. The block of RESULTS.md is written from
all records. Memory is resident at its most, beyond what the process had before the fit. Published ([BARS](https://openbenchmark.github.io/BARS)): EASE .1765 / .1467, SLIM .1699 / .1382.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import ROOT, SHARED
from benchmarks.kit.runs import card
from benchmarks.quality.gowalla import METRICS, K, gowalla
from vitrina.base.config import from_plain, to_plain
from vitrina.evaluate.run import evaluate

PLACE = SHARED / "quality_sansa"
EASE_ITEMS = 8_000
ALL = 40_981
TRIALS: dict[str, list[Any]] = {
    "SANSA": [
        *(vt.SANSA(l2=l2, neighbours=n) for n, l2 in ((20, 50), (20, 100), (60, 100))),
        *(vt.SANSA(l2=50, dropout=0.5, neighbours=n) for n in (20, 60)),
    ],
    "SANSA, incomplete factor": [vt.SANSA(l2=100, neighbours=20, inverse=vt.inverse.Incomplete())],
    "SLIM": [vt.SLIM(l1=l1, l2=l2) for l1, l2 in ((1, 50), (0.3, 50), (1, 200))],
    "EASE": [vt.EASE(l2=l2, max_items=EASE_ITEMS) for l2 in (20, 50, 100, 200, 500)],
}


def record(model: Any, part: str) -> dict[str, Any]:
    """Fit and judge in this process."""
    warm = vt.testing.toy()
    model.fit(warm).recommend(warm.queries(), 2)
    split = gowalla()
    split = split.train.holdout() if part == "validation" else split
    before, _ = _memory(), Path("/proc/self/clear_refs").write_text("5") if Path("/proc/self/clear_refs").exists() else 0
    begin, cpu = time.perf_counter(), time.process_time()
    fitted = model.fit(split.train)
    fit = {"fit": time.perf_counter() - begin, "cpu": time.process_time() - cpu, "peak": _memory("VmHWM") - before}
    begin, cpu = time.perf_counter(), time.process_time()
    lists = fitted.recommend(split.queries, K, eligible=split.eligible)
    answer = {"answer": time.perf_counter() - begin, "answer_cpu": time.process_time() - cpu}
    numbers = {row["metric"]: row for row in evaluate(lists, split, METRICS, intervals=part == "test").numbers.to_dicts()}
    kept = sum(np.asarray(array).nbytes for array in fitted.state().arrays.values())
    found = {m: [numbers[m].get(c) for c in ("value", "low", "high")] for m in METRICS}
    return (
        {"model": to_plain(model), "part": part, "kept": kept, "notes": fitted.notes, "load": os.getloadavg()[0], "commit": commit()}
        | fit
        | answer
        | found
    )


def _memory(what: str = "VmRSS") -> int:
    found = re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(found[1]) * 1024 if found else 0


def known(model: Any, part: str, until: float) -> dict[str, Any] | None:
    """The record of a run, which is made where there is none and time is left."""
    text = json.dumps([to_plain(model), part], sort_keys=True)
    path = PLACE / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        if time.time() > until:
            return None
        PLACE.mkdir(parents=True, exist_ok=True)
        print(f"{part}: {model!r} ...", flush=True)
        made = subprocess.run(
            [sys.executable, "-m", "benchmarks.quality.sansa", "--inside", text], cwd=ROOT, stdout=subprocess.PIPE, check=True
        )
        path.write_bytes(made.stdout.splitlines()[-1])
    found = json.loads(path.read_text(encoding="utf-8"))
    print(
        f"{part}: {model!r}: "
        + ", ".join(f"{m} {found[m][0]:.4f}" for m in METRICS)
        + f", {found['cpu']:.0f} + {found['answer_cpu']:.0f} s of the processor",
        flush=True,
    )
    return found


def best(name: str, until: float) -> Any:
    """The best of the trials, and how many there were; None without any."""
    tried = [(found["nDCG@20"][0], model) for model in TRIALS[name] if (found := known(model, "validation", until))]
    if not tried:
        return None
    model = max(tried, key=lambda pair: pair[0])[1]
    return vt.EASE(l2=model.l2, max_items=ALL) if name == "EASE" else model


def table(found: dict[str, dict[str, Any]]) -> str:
    """The block of the page."""
    ease = found.get("EASE")
    rows = [
        "| model | Recall@20 | nDCG@20 | of EASE's Recall | fit, s | of the processor, s | memory of the fit, MiB | kept, MiB | all lists, s of the processor |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in found.values():
        cells = " | ".join("{:.4f} [{:.4f}, {:.4f}]".format(*r[m]) for m in METRICS)
        share = f"{r['Recall@20'][0] / ease['Recall@20'][0]:.1%}" if ease else "not run"
        cost = " | ".join(
            f"{r[name]:,.0f}" + (f" ({r[name] / ease[name]:.1%})" if ease and r is not ease else "") for name in ("fit", "cpu")
        )
        memory = f"{r['peak'] / 2**20:,.0f}" + (f" ({r['peak'] / ease['peak']:.1%})" if ease and r is not ease else "")
        rows.append(
            f"| `{from_plain(r['model'])!r}` | {cells} | {share} | {cost} | {memory} | {r['kept'] / 2**20:,.0f} | {r['answer_cpu']:.0f} |"
        )
    loads = sorted(r["load"] for r in found.values())
    trials = ", ".join(f"{name} {len(models)}" for name, models in TRIALS.items() if name in found)
    return (
        f"{processor()}, load {loads[0]:.0f} to {loads[-1]:.0f}.\n\n{card(gowalla(), metric='nDCG@20')} Trials on validation: {trials}, EASE's on {EASE_ITEMS:,} items. "
        "Shares are of plain EASE of all items.\n\n" + "\n".join(rows)
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=7200, help="no run is begun after these")
    parser.add_argument("--only", nargs="*", choices=TRIALS, default=list(TRIALS), help="rows to make")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        plain, part = json.loads(arguments.inside)
        print(json.dumps(record(from_plain(plain), part)))
        return
    until = time.time() + arguments.seconds
    models = {name: model for name in arguments.only if (model := best(name, until))}
    found = {name: made for name, model in models.items() if (made := known(model, "test", until))}
    if found:
        text = table(found)
        keep(RESULTS, "quality.sansa", text)
        print(f"\n{text}")


if __name__ == "__main__":
    main()
