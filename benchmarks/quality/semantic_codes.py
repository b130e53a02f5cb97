"""Semantic codes beside ids and content, on Amazon Beauty: all targets, and those with few training interactions.

    python -m benchmarks.quality.semantic_codes choose [--only NAME] [--epochs N]
    python -m benchmarks.quality.semantic_codes test [--seeds 0 1 2] [--epochs N]

Strict leave-one-out: everything is learned from all but each person's last two items, stopped and chosen by the one before the last, asked for the last;
full ranking, items of the history left out. `choose` fits every candidate with one seed and prints what each reaches in validation; `test` takes ids, ids
with content, and the candidates with codes that were best in validation, with and without content, and asks for the last items once. Fits are those of `sequence_strict` and
kept like them, so an interrupted script goes on. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import capped, card, verdicts
from benchmarks.quality.sequence_strict import asked, fitted, of_both, of_ids, split_of, validation_of

LOG, METRIC, RARE = "amazon-beauty", "nDCG@10", 5  # training interactions
IDS, CONTENT = "ids", "ids, content"


def models(seed: int, epochs: int | None) -> dict[str, vt.SequenceModel]:
    """The candidates. The given codes are published ones: RQ-VAE and residual k-means of text vectors; of their four digits the last only tells items apart."""
    s, ids, both = vt.sequence, of_ids(seed=seed), of_both(seed=seed)
    given = partial(s.GivenCodes, path=str(data_folder() / LOG / "semantic_ids.parquet"), digits=3)
    own = s.ResidualKMeans()
    codes = {
        "given RQ-VAE codes": s.SemanticIds(codes=given(column="rqvae")),
        "own residual k-means codes": s.SemanticIds(codes=own),
        "own residual k-means codes, prefixes": s.SemanticIds(codes=own, prefixes=True),
        "given residual k-means codes": s.SemanticIds(codes=given(column="rqkmeans")),
    }
    found = {
        IDS: ids,
        **{f"ids, {name}": of_ids(embed=s.SumOf(parts=(ids.embed, part)), seed=seed) for name, part in codes.items()},
        CONTENT: both,
        **{f"ids, content, {name}": of_ids(embed=s.SumOf(parts=(*both.embed.parts, part)), seed=seed) for name, part in list(codes.items())[:2]},
    }  # fmt: skip
    return {name: capped(model, epochs) for name, model in found.items()}


def values(model: vt.SequenceModel, part: str) -> np.ndarray:
    """(queries,) the metric of each query of a part of the split."""
    found = asked(LOG, model, partial(fitted, LOG, model), part)
    assert found is not None
    return found.per_query[METRIC].to_numpy()


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


def choose(split: vt.split.Split, names: Sequence[str], epochs: int | None) -> Iterator[str]:
    """A table of what the candidates reach in validation."""
    part = validation_of(LOG)
    inside = groups(part, split.train)
    yield f"{card(part)}\n\n{heads(inside)}"
    for name in names:
        found = values(models(0, epochs)[name], "validation")
        yield f"| {name} | {' | '.join(f'{found[at].mean():.4f}' for at in inside.values())} |"


def test(split: vt.split.Split, names: Sequence[str], seeds: Sequence[int], epochs: int | None) -> Iterator[str]:
    """Each model's number as the mean over its seeds; the intervals are paired over people, with the spread over seeds in them."""
    inside, users = groups(split, split.train), np.asarray(split.queries.users)
    found = {name: np.array([values(models(seed, epochs)[name], "test") for seed in seeds]) for name in names}  # (seeds, queries)
    yield f"{card(split)}\n\n{heads(inside)}"
    for name, rows in found.items():
        yield f"| {name} | {' | '.join(f'{rows[:, at].mean():.4f}' for at in inside.values())} |"
    for baseline in (name for name in (IDS, CONTENT) if name in found):
        yield f"\nAgainst {baseline}: {METRIC}, 95% intervals over people and seeds, together for the row's models.\n\n| targets | embedding | difference | verdict |\n|---|---|---|---|"
        for group, at in inside.items():
            yield from _verdicts(group, {name: rows[:, at] for name, rows in found.items()}, baseline, users[at])


def _verdicts(group: str, found: Mapping[str, np.ndarray], baseline: str, users: np.ndarray) -> Iterator[str]:
    for row in verdicts(found, baseline, users).iter_rows(named=True):
        shown = f"{row['difference']:+.4f}" + (f" ({row['low']:+.4f} to {row['high']:+.4f})" if row["low"] is not None else "")
        yield f"| {group} | {row['model']} | {shown} | {row['verdict']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("choose", "test"), nargs="?", default="test")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", help="names of candidates; all others are left out")
    parser.add_argument("--epochs", type=int, help="at most so many, for a quick try")
    options = parser.parse_args()
    limits, split = machine(), split_of(LOG)
    names = options.only or list(models(0, None))
    if options.what == "choose":
        for line in choose(split, names, options.epochs):
            print(line, flush=True)
        return
    found = {name: values(models(0, options.epochs)[name], "validation").mean() for name in names}
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
