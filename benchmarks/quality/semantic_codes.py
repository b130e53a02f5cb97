"""Semantic codes beside ids and content, on Amazon Beauty: all targets, and those with few training interactions.

    python -m benchmarks.quality.semantic_codes choose [--only NAME] [--epochs N]
    python -m benchmarks.quality.semantic_codes test [--seeds 0 1 2] [--epochs N]

Strict leave-one-out: everything is learned from all but each person's last two items, stopped and chosen by the one before the last, asked for the last;
full ranking, items of the history left out. `choose` fits every candidate with one seed and prints what each reaches in validation; `test` takes ids, ids
with content, and the candidates with codes that were best in validation, with and without content, and asks for the last items once. Finished fits are
kept as artifacts, so an interrupted script goes on. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import CACHE, data_folder
from benchmarks.kit.runs import COMMIT, K, capped, card, leave_one_out
from vitrina.base.config import fingerprint
from vitrina.evaluate import compare_paired
from vitrina.evaluate.run import evaluate
from vitrina.jobs.folders import split_fingerprint

KEPT = CACHE / "semantic-codes"
METRIC, RARE = "nDCG@10", 5  # training interactions
IDS, CONTENT = "ids", "ids, content"


def embeddings() -> dict[str, Any]:
    """The candidates. The given codes are published ones: RQ-VAE and residual k-means of text vectors; of their four digits the last only tells items apart."""
    s, ids = vt.sequence, vt.eSASRec().embed
    given = partial(s.GivenCodes, path=str(data_folder() / "amazon-beauty" / "semantic_ids.parquet"), digits=3)
    own = s.ResidualKMeans()
    codes = {
        "given RQ-VAE codes": s.SemanticIds(codes=given(column="rqvae")),
        "own residual k-means codes": s.SemanticIds(codes=own),
        "own residual k-means codes, prefixes": s.SemanticIds(codes=own, prefixes=True),
        "given residual k-means codes": s.SemanticIds(codes=given(column="rqkmeans")),
    }
    content = s.ContentProjection()
    return {
        IDS: ids,
        **{f"ids, {name}": s.SumOf(parts=(ids, part)) for name, part in codes.items()},
        CONTENT: s.SumOf(parts=(ids, content)),
        **{f"ids, content, {name}": s.SumOf(parts=(ids, content, part)) for name, part in list(codes.items())[:2]},
    }  # fmt: skip


def models(seed: int, epochs: int | None) -> dict[str, Any]:
    return {name: capped(vt.eSASRec(embed=embed, seed=seed), epochs) for name, embed in embeddings().items()}


@dataclass(frozen=True)
class Fit:
    """A fitted model in a folder, and what was noted when it was fitted."""

    folder: Path
    record: Mapping[str, Any]

    @classmethod
    def of(cls, model: Any, split: vt.split.Split) -> Fit:
        """Fit it, or read what an earlier run kept."""
        folder = KEPT / fingerprint(model, split_fingerprint(split))
        note = folder / "fit.json"
        if not note.exists():
            folder.mkdir(parents=True, exist_ok=True)
            begin = time.process_time()
            fitted = model.fit(split.train, validation=split.validation, report=_report, checkpoint=folder / "state")
            vt.save(fitted, folder / "model")
            said = {"model": repr(model), "notes": list(fitted.notes), "cpu": time.process_time() - begin, "commit": COMMIT}
            note.write_text(json.dumps(said | {"date": datetime.now(UTC).date().isoformat()}), encoding="utf-8")
        return cls(folder, json.loads(note.read_text(encoding="utf-8")))

    def values(self, part: vt.split.Split, name: str) -> np.ndarray:
        """(queries,) the metric of each query of a part of the split."""
        file = self.folder / f"{name}.npy"
        if not file.exists():
            fitted = vt.load(self.folder / "model").recommender
            lists = fitted.recommend(part.queries, K, eligible=part.eligible)
            np.save(file, evaluate(lists, part, [METRIC], intervals=False).per_query[METRIC].to_numpy())
        return np.load(file)


def _report(progress: Any) -> None:
    print(f"    {progress}", file=sys.stderr, flush=True)


def groups(part: vt.split.Split, train: vt.Dataset) -> dict[str, np.ndarray]:
    """Which queries ask for an item with so many interactions in training; leave-one-out asks one item per person."""
    events = train.catalogue.events[part.truth.values]
    inside = {
        "all": events >= 0,
        f"fewer than {RARE}": events < RARE,
        "none": events == 0,
        f"1 to {RARE - 1}": (events > 0) & (events < RARE),
    }
    return inside | {f"{RARE} or more": events >= RARE}


def heads(inside: Mapping[str, np.ndarray]) -> str:
    shown = [f"{METRIC}, {name} ({rows.sum():,})" for name, rows in inside.items()]
    return f"| embedding | {' | '.join(shown)} |\n|{'---|' * (len(shown) + 1)}"


def choose(split: vt.split.Split, names: Sequence[str], epochs: int | None) -> dict[str, float]:
    """What the candidates reach in validation, and the table of it on the way."""
    part = split.validation
    assert part is not None
    inside, found = groups(part, split.train), {}
    rows = []
    for name in names:
        values = Fit.of(models(0, epochs)[name], split).values(part, "validation")
        found[name] = float(values.mean())
        rows.append(f"| {name} | {' | '.join(f'{values[at].mean():.4f}' for at in inside.values())} |")
        print(rows[-1], file=sys.stderr, flush=True)
    print("\n".join([f"{card(part)}\n", heads(inside), *rows]))
    return found


def seeds_of(name: str, split: vt.split.Split, seeds: Sequence[int], epochs: int | None) -> np.ndarray:
    """(seeds, queries)"""
    return np.array([Fit.of(models(seed, epochs)[name], split).values(split, "test") for seed in seeds])


def test(split: vt.split.Split, names: Sequence[str], seeds: Sequence[int], epochs: int | None) -> Iterator[str]:
    """Each model's number as the mean over its seeds; the intervals are paired over people, with the spread over seeds in them."""
    inside, users = groups(split, split.train), np.asarray(split.queries.users)
    found = {name: seeds_of(name, split, seeds, epochs) for name in names}
    yield f"{card(split)}\n\n{heads(inside)}"
    for name, values in found.items():
        yield f"| {name} | {' | '.join(f'{values[:, at].mean():.4f}' for at in inside.values())} |"
    for baseline in (name for name in (IDS, CONTENT) if name in found):
        yield f"\nAgainst {baseline}: {METRIC}, 95% intervals over people and seeds, together for the row's models.\n\n| targets | embedding | difference | verdict |\n|---|---|---|---|"
        for group, at in inside.items():
            yield from _verdicts(group, {name: values[:, at] for name, values in found.items()}, baseline, users[at])


def _verdicts(group: str, values: Mapping[str, np.ndarray], baseline: str, users: np.ndarray) -> Iterator[str]:
    more = {name: float(rows.mean(axis=1).var(ddof=1) / len(rows)) for name, rows in values.items()} if len(values[baseline]) > 1 else None
    table = compare_paired({name: rows.mean(axis=0) for name, rows in values.items()}, baseline, users, more=more)
    for row in table.iter_rows(named=True):
        shown = f"{row['difference']:+.4f}" + (f" ({row['low']:+.4f} to {row['high']:+.4f})" if row["low"] is not None else "")
        yield f"| {group} | {row['model']} | {shown} | {row['verdict']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("choose", "test"), nargs="?", default="test")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", help="names of candidates; all others are left out")
    parser.add_argument("--epochs", type=int, help="at most so many, for a quick try")
    options = parser.parse_args()
    limits, split = machine(), leave_one_out("amazon-beauty", described=True, strict=True)
    names = options.only or list(embeddings())
    if options.what == "choose":
        choose(split, names, options.epochs)
        return
    found = {name: Fit.of(models(0, options.epochs)[name], split).values(split.validation, "validation").mean() for name in names}
    coded = {name: value for name, value in found.items() if "codes" in name}
    taken = [
        max((name for name in coded if ("content" in name) == content), key=lambda name: coded[name], default=None)
        for content in (False, True)
    ]
    chosen = [name for name in (IDS, taken[0], CONTENT, taken[1]) if name in names]
    print("\n".join(test(split, chosen, options.seeds, options.epochs)))
    print(f"\nAmazon Beauty. Seeds {', '.join(map(str, options.seeds))}; variants were chosen in validation with seed 0. {limits}.")


if __name__ == "__main__":
    main()
