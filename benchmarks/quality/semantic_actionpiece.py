"""ActionPiece on amazon-beauty, beside the paper's number: prints a table in Markdown.

    python -m benchmarks.quality.semantic_actionpiece [--seeds 0 1 2] [--epochs N] [--vectors text|tfidf] [--resume] [--keep]

Strict: trained without everybody's last two items, stopped by the last but one of 3,000 people, asked for the last, all items ranked; once with the items of the history
left out and once with nothing left out, as the paper asks. Codes are four digits of 256 by optimised product quantisation of vectors of the items' titles and
categories, brought to 128 whitened directions: of the packaged encoder all-MiniLM-L6-v2 (`text`; the paper has sentence-T5, whose weights come in no
package), or of TF-IDF (`tfidf`). Codes and finished runs are kept in `benchmarks/.cache`, so an interrupted script goes on, and an interrupted fit after its last
epoch; `--resume` takes runs of older code too. `--keep` writes the block of RESULTS.md. Some fifteen minutes of a core per seed.

Published: [ActionPiece](https://arxiv.org/abs/2502.13581), table 3.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE
from benchmarks.kit.runs import Run, capped, leave_one_out, measured
from benchmarks.quality.semantic_tiger import BARE, LOG, METRICS, page
from vitrina.sequence.embed.content import directions

JUDGES = 3000
PUBLISHED = {"ActionPiece, codes of sentence-T5": {BARE: 0.0424}}


def strict() -> vt.split.Split:
    """Stopped by a part of the people, as 5 searches for each take their time."""
    split = leave_one_out(LOG, described=True, strict=True)
    assert split.validation is not None
    asked = np.sort(np.random.default_rng(0).permutation(len(split.validation.queries))[:JUDGES])
    return replace(split, validation=split.validation.take(asked))


def codes_of(vectors: str, data: vt.Dataset) -> Path:
    """A file of codes, made once."""
    path = CACHE / "semantic" / f"{LOG}-{vectors}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        dense = white(texts(data) if vectors == "text" else directions(data, 256), 128)
        codes = vt.sequence.ProductQuantisation().fit(data, dense)
        codes.table.rename({"item": "item_id"}).write_parquet(path)
    return path


def texts(data: vt.Dataset) -> np.ndarray:
    """Vectors of titles and categories by the packaged encoder: some two minutes of a core."""
    assert data.item_table is not None
    words = pl.concat_str([pl.col("title").fill_null(""), pl.lit(". "), pl.col("attributes").list.join(", ").fill_null("")])
    return vt.search.Packaged(tokens=96).encode(data.item_table.frame.select(words).to_series())


def white(vectors: np.ndarray, dim: int) -> np.ndarray:
    """(items, dim) principal directions, each with variance 1."""
    left = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)[0]
    return (left[:, :dim] * np.sqrt(len(vectors))).astype(np.float32)


def runs_of(options: argparse.Namespace) -> list[Run]:
    """One per seed."""
    split, found = strict(), []
    codes = vt.sequence.GivenCodes(path=str(codes_of(options.vectors, split.train)), column="code")
    for seed in options.seeds:
        model = capped(vt.ActionPiece(codes=codes, seed=seed), options.epochs)
        run = measured(model, split, METRICS, resume=options.resume, unfiltered=True)
        print(f"seed {seed}: {run.numbers}, {run.fit:.0f} s, {run.notes}", file=sys.stderr, flush=True)
        found.append(run)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="at most so many, for a quick try")
    parser.add_argument("--vectors", choices=("text", "tfidf"), default="text", help="what the codes are made of")
    parser.add_argument("--resume", action="store_true", help="take finished runs of older code too")
    parser.add_argument("--keep", action="store_true", help="write the block of RESULTS.md")
    options = parser.parse_args()
    runs = runs_of(options)
    made = {"text": "all-MiniLM-L6-v2", "tfidf": "TF-IDF"}[options.vectors]
    text = page(strict(), runs, f"`ActionPiece`, codes of {made}", PUBLISHED)
    print(text)
    if options.keep:
        keep(RESULTS, "quality.semantic_actionpiece", text)


if __name__ == "__main__":
    main()
