"""One part at a time around eSASRec: blocks, losses, negatives, objectives, on three logs; writes its tables and plots into a page.

    python -m benchmarks.quality.sequence_parts [--only ml-100k] [--epochs N] [--resume] [--page FILE]

The study of [Tikhonovich et al. 2025](https://arxiv.org/abs/2508.06450): everything but the named part is that of one base, the same on all logs:
two LiGR blocks, dropout .1, `Ids(rare=0.4)`, rate 3e-3. `eSASRec()` as it comes stands beside them. ml-100k has real time and is cut at one moment; amazon-beauty and ml-1m are cut by leave-one-out, as the papers do, and have no days, so that the objectives that
count days can't run there. Every finished run is kept (see `kit/runs.py`), so the hours can be taken in pieces; `--resume` takes runs of older
code too. The page is docs/sequence.md, its plots stand beside it; `--epochs` is for a quick try and wants another page.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import keep
from benchmarks.kit.places import ROOT
from benchmarks.kit.plot import front_plot
from benchmarks.kit.runs import Run, brief, capped, card, compared, leave_one_out, measured, tuned, when_and_where
from benchmarks.quality.boards import JOBS

PAGE = ROOT / "docs" / "sequence.md"
BASE = "eSASRec, the base"
DEFAULT = "eSASRec()"  # as it comes
CHOSEN = ("co-occurrence, fading", "EASE")  # of 10 and of 5
MOST = 14  # trained networks per log, beside the default
METRICS = ("nDCG@10", "Recall@10", "HitRate@10", "Coverage@10", "debiased nDCG@10")
RATE = 3e-3  # of the base
s = vt.sequence


@dataclass(frozen=True)
class Study:
    """One log: how it is cut, whether it has days, and what else is compared."""

    title: str
    split: Callable[[], vt.split.Split]
    days: bool
    heads: Mapping[str, str]  # metric -> heading
    patience: int = vt.sequence.Training().patience or 0


LEFT_OUT = {"Recall@10": "Recall@10 (HR)", "Coverage@10": "Coverage@10", "debiased nDCG@10": "debiased nDCG@10"}
STUDIES = {
    "ml-100k": Study(
        "MovieLens-100K, the last fifth of time", lambda: JOBS["ml-100k"].load().split(JOBS["ml-100k"].rule), True,
        {"HitRate@10": "HR@10", "Recall@10": "Recall@10", "Coverage@10": "Coverage@10", "debiased nDCG@10": "debiased nDCG@10"},
        patience=5,  # all of its validation part is asked, and each network is trained twice
    ),
    "amazon-beauty": Study("Amazon Beauty, leave-one-out", lambda: leave_one_out("amazon-beauty"), False, LEFT_OUT),
    "ml-1m": Study("MovieLens-1M, leave-one-out", lambda: leave_one_out("ml-1m"), False, LEFT_OUT),
}  # fmt: skip


def sampled(negatives: Any, *, corrected: bool = False) -> dict[str, Any]:
    return {"loss": s.SampledSoftmax(negatives=negatives, corrected=corrected)}


def base(**changes: Any) -> Any:
    """What one part is changed in."""
    return vt.eSASRec(**{"layers": 2, "dropout": 0.1, "embed": s.Ids(rare=0.4)} | changes)


def parts(*, days: bool) -> dict[str, dict[str, dict[str, Any]]]:
    """Kind of part -> name of the row -> what is changed in the base."""
    uniform = s.Uniform(n=256)
    shared = s.Uniform(n=1024, shared=True)
    batch, mixed = s.InBatch(n=1024, shared=True), s.Mixed(n=1024, ratio=0.5, shared=True)
    one_question = {"training": s.Training(epochs=144, patience=20, learning_rate=RATE)}  # a window is asked once: an epoch teaches little
    timed = {
        "dense all action, 30 days": {"objective": s.DenseAllAction(days=30)},
        "all action, 60 days": {"objective": s.AllAction(days=60)} | one_question,
    }
    untimed = {"random target": {"objective": s.RandomTarget()}}
    one_block = {} if days else {"LiGR, one block": {"layers": 1}}  # MOST leaves no room for it where there are days
    return {
        "block": {"SASRec's block": {"block": s.SASRecBlock()}, "pre-norm block": {"block": s.PreNorm()}} | one_block,
        "loss": {
            "full softmax": {"loss": s.FullSoftmax()},
            "sampled, 256 per position": sampled(uniform),
            "gBCE, 256 per position": {"loss": s.GBCE(negatives=uniform)},
            "BCE, 1 per position": {"loss": s.BCE(negatives=s.Uniform(n=1))},
        },
        "negatives": {
            "1,024 uniform, log q": sampled(shared, corrected=True),
            "1,024 in-batch, log q": sampled(batch, corrected=True),
            "1,024 mixed": sampled(mixed),
            "1,024 mixed, log q": sampled(mixed, corrected=True),
        },
        "objective": {
            **(timed if days else untimed),
            "next action": {"objective": s.NextAction()} | one_question,
            "item masking (BERT4Rec)": {"objective": s.ItemMasking()},
        },
    }


def networks(*, days: bool, patience: int = STUDIES["ml-1m"].patience) -> dict[str, tuple[str, Any]]:
    """Name of the row -> kind and model; what equals the base is not trained twice."""
    stopping = {"training": s.Training(patience=patience, learning_rate=RATE)}
    middle = base(**stopping)
    named = {name: (kind, base(**stopping | changes)) for kind, rows in parts(days=days).items() for name, changes in rows.items()}
    chosen = {BASE: ("", middle)} | {name: (kind, model) for name, (kind, model) in named.items() if model != middle}
    assert len(chosen) <= MOST, f"{len(chosen)} networks are more than {MOST}"
    return chosen


def baselines(split: vt.split.Split, *, days: bool, resume: bool) -> dict[str, tuple[str, Any]]:
    """What a network has to beat; ridge and fading are chosen on the holdout of the training part."""
    fades = [None, *(vt.decay.Exponential(events=events) for events in (1, 2, 5, 10))]
    near = [vt.Cooccurrence(decay=fade, gap=gap) for fade in fades for gap in (None, vt.decay.Exponential(events=10))]
    ridge = [vt.EASE(l2=l2) for l2 in (50, 100, 250, 500, 1000)]
    recent = {"popularity, last week": vt.Popularity(days=7)} if days else {}
    models = {
        "co-occurrence": vt.Cooccurrence(),
        "co-occurrence, fading": tuned(near, split, resume=resume),
        "EASE": tuned(ridge, split, resume=resume),
        **recent,
        "popularity, all time": vt.Popularity(),
        "top personal": vt.TopPersonal(),
    }
    return {name: ("baseline", model) for name, model in models.items()}


@dataclass(frozen=True)
class FinishedRuns:
    """All runs of one log, in the order of the table."""

    kinds: Mapping[str, str]
    models: Mapping[str, Any]
    runs: Mapping[str, Run]


def study(name: str, options: argparse.Namespace) -> FinishedRuns:
    what = STUDIES[name]
    split = what.split()
    rows = {DEFAULT: ("", vt.eSASRec())} | networks(days=what.days, patience=what.patience)
    models = {row: (kind, capped(model, options.epochs)) for row, (kind, model) in rows.items()}
    models |= baselines(split, days=what.days, resume=options.resume)
    runs: dict[str, Run] = {}
    for row, (_, model) in models.items():
        runs[row] = run = measured(model, split, METRICS, resume=options.resume)
        print(
            f"{name}, {row}: nDCG@10 {run['nDCG@10']:.4f}, {run.fit:.0f} s, epoch {run.best_epoch} of {run.epochs}",
            file=sys.stderr,
            flush=True,
        )
    return FinishedRuns({row: kind for row, (kind, _) in models.items()}, {row: model for row, (_, model) in models.items()}, runs)


def fronts(found: FinishedRuns) -> dict[str, pl.DataFrame]:
    """nDCG@10 against each metric beyond it: model, x, y, on_front."""
    numbers = pl.DataFrame(
        [(row, metric, run[metric]) for row, run in found.runs.items() for metric in METRICS],
        schema=["model", "metric", "value"],
        orient="row",
    )
    return {beyond: vt.evaluate.front(numbers, "nDCG@10", beyond) for beyond in ("Coverage@10", "debiased nDCG@10")}


def section(name: str, found: FinishedRuns, plot: str, options: argparse.Namespace, limits: str) -> Iterator[str]:
    """The block of a log: table, plot, how it was made."""
    what = STUDIES[name]
    on_front = {row for points in fronts(found).values() for row in points.filter("on_front")["model"]}
    verdicts = compared({row: [run] for row, run in found.runs.items()}, BASE)
    yield f"### {what.title}\n\n{card(what.split())}\n"
    yield f"| part | model | nDCG@10 | against {BASE} | {' | '.join(what.heads.values())} | front | fit, s | answer, s | best epoch |"
    yield f"|{'---|' * (len(what.heads) + 8)}"
    for row, run in found.runs.items():
        value, low, high = run.numbers["nDCG@10"]
        others = " | ".join(f"{run[metric]:.4f}" for metric in what.heads)
        epochs = f"{run.best_epoch} of {run.epochs}" if run.epochs else ""
        yield (
            f"| {found.kinds[row]} | {row} | {value:.4f} ({low:.4f} to {high:.4f}) | {brief(verdicts[row])} | {others} | "
            f"{'yes' if row in on_front else ''} | {run.fit:.1f} | {run.answer:.2f} | {epochs} |"
        )
    yield f"\n![{_caption(found)}]({plot})\n"
    yield f"{_tuned(found)}\n"
    yield from _made(what, found, options, limits)


def _caption(found: FinishedRuns) -> str:
    names = fronts(found)["Coverage@10"].filter("on_front")["model"].to_list()
    return f"nDCG@10 and Coverage@10 of {len(found.runs)} models; on the front: {', '.join(names)}"


def _tuned(found: FinishedRuns) -> str:
    """What the best of the study by validation has, beside the default."""
    validated = {
        row: judged[1] for row, run in found.runs.items() if (judged := re.search(r"nDCG@10 ([\d.]+) in validation", " ".join(run.notes)))
    }
    default = validated.pop(DEFAULT)
    best = max(validated, key=lambda row: float(validated[row]))
    mine, theirs = found.runs[DEFAULT]["nDCG@10"], found.runs[best]["nDCG@10"]
    return (
        f"The best of the study in validation is *{best}*, {validated[best]} there and {theirs:.4f} on test; the default has {default} there and {mine:.4f} on test, "
        f"{mine / theirs:.3f} of it."
    )


def _made(what: Study, found: FinishedRuns, options: argparse.Namespace, limits: str) -> Iterator[str]:
    trained = [run for row, run in found.runs.items() if run.epochs and row != DEFAULT]
    hours = sum(run.fit + run.answer for run in found.runs.values()) / 3600
    capping = f", at most {options.epochs} epochs" if options.epochs else ""
    chosen = "; ".join(f"`{model!r}`" for row, model in found.models.items() if row in CHOSEN)
    yield (
        f"{len(trained)} networks and {len(found.runs) - len(trained) - 1} baselines beside the default, {hours:.1f} hours, one seed, patience "
        f"{what.patience}{capping}. {limits}. Runs: {when_and_where(found.runs.values())}. Chosen in validation: {chosen}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(STUDIES), action="append", help="one log; may be given again")
    parser.add_argument("--epochs", type=int, help="at most so many, for a quick try")
    parser.add_argument("--resume", action="store_true", help="take finished runs of older code too")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the blocks are written; plots go beside it")
    options = parser.parse_args()
    if options.epochs and options.page == PAGE:
        parser.error("A quick try doesn't belong on the page. Give another one with --page.")
    limits = machine()
    for name in options.only or STUDIES:
        found = study(name, options)
        options.page.parent.mkdir(parents=True, exist_ok=True)
        plot = options.page.parent / f"sequence-parts-{name}.svg"
        plot.write_text(front_plot(found.runs, found.kinds, fronts(found)["Coverage@10"], DEFAULT, STUDIES[name].title), encoding="utf-8")
        text = "\n".join(section(name, found, plot.name, options, limits))
        keep(options.page, f"quality.sequence_parts.{name}", text)
        print(f"{text}\n", flush=True)


if __name__ == "__main__":
    main()
