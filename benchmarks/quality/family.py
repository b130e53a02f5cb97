"""The whole family of shallow models where people repeat: one board each for Ta-Feng, Online Retail and Complete Journey, searches of equal budgets.

    python -m benchmarks.quality.family [ta-feng] [online-retail] [complete-journey] [--models UpCF EASE ...] [--fresh]

Without `--models` every model of the package that the table `MODELS` names is run, the light ones first. What is finished of a board is kept in
`benchmarks/.cache/family/<board>/` and not run again, so the same command goes on after a kill, and a later one adds models; each writes the board
of all that are finished into its block of `docs/which-model.md`. `--fresh` forgets what is finished, as is right when the code of models has changed.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import keep
from benchmarks.kit.places import CACHE, ROOT, data_folder
from benchmarks.kit.runs import card
from benchmarks.quality import boards

OUT = CACHE / "family"
PAGE = ROOT / "docs" / "which-model.md"
TRIALS, SEED, LIMIT = 6, 0, 900
METRICS = ("nDCG@10", "Recall@10", "repeat Recall@10", "explore Recall@10", "RepeatShare@10", "Coverage@10")
SHOWN = {
    "Recall@10": "Recall@10", "repeat Recall@10": "of repeats", "explore Recall@10": "of new", "RepeatShare@10": "repeats in lists",
    "Coverage@10": "Coverage@10",
}  # fmt: skip
ITEMS = 6000  # the most frequent, for what is square in the items


@dataclass(frozen=True)
class Log:
    """A log of people who repeat: what to read, how to cut it, and what it has."""

    title: str
    load: Callable[[], vt.Dataset]
    rule: Any
    timed: bool = True
    described: bool = True


def ta_feng() -> vt.Dataset:
    return vt.read_interactions(data_folder() / "ta-feng" / "baskets.parquet", basket="basket", name="Ta-Feng")


LOGS = {
    "ta-feng": Log("Ta-Feng", ta_feng, vt.split.LeaveLastBasket(repeat=True), timed=False, described=False),
    "online-retail": Log("Online Retail", boards.online_retail, boards.JOBS["online-retail"].rule),
    "complete-journey": Log("Complete Journey", vt.complete_journey, boards.JOBS["complete-journey"].rule),
}


def fades(log: Log) -> list[Any]:
    """Memories to try: of days where there are times, else of events."""
    numbers = (30, 60, 90, 180, 360) if log.timed else (5, 10, 20, 40, 80)
    return [None, *(vt.decay.Exponential(**{"days" if log.timed else "events": n}) for n in numbers)]


def cooccurrence(log: Log) -> Any:
    gaps = boards.days(1, 14) if log.timed else boards.events(3, 10)
    return vt.tune(vt.Cooccurrence, weighting=[vt.weighting.Cosine(), vt.weighting.BM25()], gap=[None, *gaps], decay=fades(log)[1:4])


def tifuknn(log: Log) -> Any:
    return vt.tune(
        vt.TifuKNN, neighbours=[50, 100, 300, 900], groups=[3, 7, 14], within=[0.7, 0.8, 0.9, 1.0], between=[0.3, 0.5, 0.7, 0.9],
        alpha=vt.Range(low=0.3, high=0.98),
    )  # fmt: skip


def upcf(log: Log) -> Any:
    return vt.tune(vt.UpCF, neighbours=[100, 300, 900], recent=[5, 10, 25, 100], locality=[1, 2, 5, 10], asymmetry=[0.25, 0.5, 0.75])


def repurchase(log: Log) -> Any:
    return vt.tune(vt.Repurchase, shrinkage=[5, 20, 100], timing=[0.25, 0.5, 1], decay=fades(log)) if log.timed else None


def ease(log: Log) -> Any:
    return vt.tune(vt.EASE, l2=vt.Range(low=10, high=5000, log=True), dropout=[0, 0.3, 0.6], max_items=ITEMS)


def cease(log: Log) -> Any:
    return (
        vt.tune(vt.CEASE, l2=vt.Range(low=10, high=5000, log=True), weight=vt.Range(low=0.3, high=30, log=True), max_items=ITEMS)
        if log.described
        else None
    )


def popularity(log: Log) -> Any:
    return vt.tune(vt.Popularity, days=[None, 7, 30, 90], by=["users", "events"]) if log.timed else vt.Popularity()


def others(name: str, **space: Any) -> Callable[[Log], Any]:
    """A search of a model of the package by its name; None where it isn't there, or needs what isn't installed."""

    def search(log: Log) -> Any:
        model = getattr(vt, name, None)
        return None if model is None else vt.tune(model, **space)

    return search


SMOOTH = vt.Range(low=10, high=2000, log=True)
MODELS: Mapping[str, Callable[[Log], Any]] = {
    "Popularity": popularity,
    "TopPersonal": lambda log: vt.TopPersonal(),
    "TopPersonal, fading": lambda log: vt.tune(vt.TopPersonal, decay=fades(log)[1:]),
    "Repurchase": repurchase,
    "TifuKNN": tifuknn,
    "UpCF": upcf,
    "Cooccurrence": cooccurrence,
    "EASE": ease,
    "CEASE": cease,
    "SANSA": others("SANSA", l2=SMOOTH, neighbours=[20, 50, 100]),
    "GFCF": others("GFCF", dim=[64, 128, 256], alpha=[0, 0.1, 0.3, 1]),
    "TurboCF": others("TurboCF", asymmetry=[0.4, 0.5, 0.6], power=[0.5, 0.7, 1, 1.3]),
    "IALS": others("IALS", dim=[32, 64, 128], unobserved=vt.Range(low=0.01, high=1, log=True), l2=vt.Range(low=3e-4, high=0.1, log=True)),
    "ELSA": others("ELSA", dim=[64, 128, 256], epochs=[5, 10, 20]),
    "SLIM": others("SLIM", l1=vt.Range(low=0.3, high=30, log=True), l2=SMOOTH),
    "MultVAE": others("MultVAE", epochs=[30], dropout=[0.3, 0.5, 0.7], beta=[0.1, 0.2, 0.5, 1]),
    "RecVAE": others("RecVAE", epochs=[30], dropout=[0.3, 0.5, 0.7], gamma=[0.002, 0.005, 0.01]),
    "VASP": others("VASP", epochs=[30], dropout=[0, 0.3], rank=[128, 256, 512]),
    "LightGCN": others(
        "LightGCN", epochs=[20], layers=[2, 3], l2=vt.Range(low=1e-5, high=1e-2, log=True), learning_rate=[0.002, 0.005, 0.01]
    ),
    "eSASRec": lambda log: vt.eSASRec(personal=vt.sequence.PersonalPopularity()),
}  # the light ones first


def asked(name: str, names: list[str]) -> dict[str, Any]:
    """What is to be on the board: models that are named, and those that were run before."""
    log, before = LOGS[name], OUT / name / "models.json"
    known = json.loads(before.read_text(encoding="utf-8")) if before.exists() else []
    made = {n: make(log) for n, make in MODELS.items() if n in {*names, *known}}
    return {n: model for n, model in made.items() if model is not None}


def compare(name: str, names: list[str]) -> vt.Board:
    """Run what is not finished of these models, write the board of all that are, and keep which they are."""
    log, out = LOGS[name], OUT / name
    limits, data, models = machine(), log.load(), asked(name, names)
    split = data.split(log.rule)
    board = vt.compare(
        models, split, metrics=METRICS, baselines=False, baseline="TopPersonal", budget=vt.Budget(trials=TRIALS, limit=LIMIT), seed=SEED,
        bootstrap=vt.Bootstrap(draws=1000, seed=SEED), cache=out / "finished", data=data, title=log.title,
    )  # fmt: skip
    board.save(out)
    (out / "models.json").write_text(json.dumps(list(models)), encoding="utf-8")
    keep(PAGE, f"quality.family.{name}", "\n".join(section(board, split, limits)))
    return board


def section(board: vt.Board, split: vt.split.Split, limits: str) -> Iterator[str]:
    """The board in Markdown: what was asked, the table, what the searches chose."""
    made = board.settings
    yield f"{card(split)}\n"
    yield from boards.table(board, SHOWN)
    yield (
        f"\n{made['date'][:10]}. {limits}; seed {made['seed']}, 95% intervals over people. Tuning, on the last part of training: {made['tuning_budget']}. "
        f"EASE and CEASE take the {ITEMS:,} most frequent items. What was chosen:\n"
    )
    yield from (f"- {entry.name}: `{boards.plain(entry.config)}`" for entry in board.entries if entry.trials > 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", metavar="BOARD", help=f"one or more of {', '.join(LOGS)}; all where none is named")
    parser.add_argument(
        "--models", nargs="+", metavar="MODEL", choices=list(MODELS), default=list(MODELS), help="of the table MODELS; all by default"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what is finished")
    options = parser.parse_args()
    if unknown := set(options.boards) - set(LOGS):
        parser.error(f"There is no board {', '.join(sorted(unknown))}. Known: {', '.join(LOGS)}.")
    for name in options.boards or LOGS:
        if options.fresh:
            shutil.rmtree(OUT / name, ignore_errors=True)
        for model in options.models:  # one after another, so that a row is on the page as soon as it is there
            print(compare(name, ["TopPersonal", model]), flush=True)


if __name__ == "__main__":
    main()
