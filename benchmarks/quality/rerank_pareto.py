"""What diversity costs: every re-ranker over EASE and eSASRec, on films with genres and on cosmetics with texts.

    python -m benchmarks.quality.rerank_pareto [ml-100k] [amazon-beauty] [--models FOLDER]

Each re-ranker is tried with the same values of diversity in validation; of those whose nDCG@10 is at least 95% of the model's own the one with the most different lists
(by intra-list diversity) is taken, and asked once on test. Re-rankers choose 10 of 50 candidates. Fitted models are kept in the folder and taken from there.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.places import CACHE
from benchmarks.kit.runs import card, leave_one_out
from benchmarks.quality.boards import ml_100k
from vitrina.evaluate.run import evaluate

CANDIDATES, K, KEPT = 50, 10, 0.95
DIVERSITY = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
RERANKERS = {"MMR": vt.MMR, "SMMR": vt.SMMR, "DPP": vt.DPP, "SSD": vt.SSD, "XQuAD": vt.XQuAD, "Calibrated": vt.Calibrated}
MODELS = {"EASE": vt.EASE(), "eSASRec": vt.eSASRec(), "eSASRec, 10 epochs": vt.eSASRec(training=vt.sequence.Training(epochs=10))}
COLUMNS = {"ml-100k": ("genres",), "amazon-beauty": ("attributes",)}
LOGS = {"ml-100k": ("EASE", "eSASRec"), "amazon-beauty": ("EASE", "eSASRec, 10 epochs")}


def splits(log: str) -> tuple[Any, Any]:
    """Validation and test: the model of Beauty is fitted once (strict), that of the films again on what validation held out."""
    if log == "ml-100k":
        split = ml_100k().split(vt.split.GlobalTime(quantile=0.8, repeat=False))
        return split.train.holdout(), split
    split = leave_one_out(log, described=True, strict=True)
    return split.validation, split


def fitted(name: str, split: Any, folder: Path) -> Any:
    if not folder.exists():
        vt.save(MODELS[name].fit(split.train, validation=split.validation), folder)
    return vt.load(folder, trust=True).recommender


def nearest(lists: Any, vectors: Any) -> float:
    """Mean over lists of the smallest cosine distance of two items: 0 where a list has copies."""
    rows = vectors[np.maximum(lists.items[:, :K], 0)]
    cosines = np.einsum("qid,qjd->qij", rows, rows) - 4 * np.eye(rows.shape[1])
    return float(np.mean(1 - cosines.max(axis=(1, 2))))


def categories(lists: Any, members: Any) -> float:
    """Mean number of different categories in a list."""
    return float(np.mean([len(np.unique(members[row[row >= 0]].indices)) for row in lists.items[:, :K]]))


def judged(lists: Any, split: Any, vectors: Any, members: Any) -> dict[str, float]:
    found = evaluate(lists, split, ["nDCG@10", "ILD@10", "Coverage@10"], vectors=vectors, intervals=False)
    numbers = {name: found[name] for name in ("nDCG@10", "ILD@10", "Coverage@10")}
    return numbers | {"nearest pair": nearest(lists, vectors), "categories": categories(lists, members)}


def rows(log: str, model: str, folder: Path) -> list[str]:
    validation, test = splits(log)
    items = test.train
    vectors, members = vt.similarity.OfContent().vectors(items), vt.similarity.OfCategories(columns=COLUMNS[log]).members(items)
    asked = {}
    for part, split in (("validation", validation), ("test", test)):
        strict = log == "amazon-beauty"
        recommender = fitted(model, test if strict else split, folder / f"{log}-{'test' if strict else part}-{model}")
        asked[part] = split, recommender.recommend(split.queries, CANDIDATES, eligible=split.eligible)

    def numbers(part: str, reranker: Any) -> dict[str, float]:
        split, lists = asked[part]
        ranked = lists if reranker is None else reranker.fit(items).rerank(split.queries, lists, K, eligible=split.eligible)
        return judged(ranked if reranker is not None else _first(lists), split, vectors, members)

    plain = numbers("validation", None)["nDCG@10"]
    lines = [_row(model, "none", "", numbers("test", None))]
    for name, kind in RERANKERS.items():
        more = {"categories": vt.similarity.OfCategories(columns=COLUMNS[log])} if kind in (vt.XQuAD, vt.Calibrated) else {}
        tried = {value: numbers("validation", kind(diversity=value, **more)) for value in DIVERSITY}
        kept = [v for v, found in tried.items() if found["nDCG@10"] >= KEPT * plain] or [DIVERSITY[0]]
        best = max(kept, key=lambda v: tried[v]["ILD@10"])
        lines.append(_row(model, name, f"{best:g}", numbers("test", kind(diversity=best, **more))))
    return lines


def _first(lists: Any) -> Any:
    extra = {name: column[:, :K] for name, column in lists.extra.items()}
    return replace(lists, items=lists.items[:, :K], scores=lists.scores[:, :K], extra=extra)


def _row(model: str, name: str, value: str, found: dict[str, float]) -> str:
    cells = [f"{found[m]:.4f}" for m in ("nDCG@10", "ILD@10", "nearest pair")]
    return f"| {model} | {name} | {value} | {' | '.join(cells)} | {found['categories']:.2f} | {found['Coverage@10']:.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", metavar="LOG", help=f"one or more of {', '.join(LOGS)}; all where none is named")
    parser.add_argument("--models", type=Path, default=CACHE / "rerank", help="folder of the fitted models")
    options = parser.parse_args()
    for log in options.logs or LOGS:
        print(f"{card(splits(log)[1], log)}\n")
        print(
            "| model | re-ranker | diversity | nDCG@10 | ILD@10 | nearest pair | categories | Coverage@10 |\n|---|---|---|---|---|---|---|---|"
        )
        for model in LOGS[log]:
            print("\n".join(rows(log, model, options.models)), flush=True)
        print()
    print(f"{processor()}, commit {commit()}.")


if __name__ == "__main__":
    main()
