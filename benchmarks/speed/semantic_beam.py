"""How long a beam search takes for everybody of amazon-beauty: rows of Markdown.

    python -m benchmarks.speed.semantic_beam [--people 22363] [--keep]

TIGER on the given codes of RQ-VAE, after one epoch on a tenth of the people, since the time depends on sizes and codes, hardly on what the weights say; `TIGER()` as it comes, and of the depth of the paper (four
layers each, dim 128, feed-forward 1,024; 4 heads of 32 where the paper has 6 of 64). Asked for the best ten for each person, seen items left out. Seconds of the processor are those of all threads.
`--keep` writes the block of RESULTS.md. Minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace

import torch

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import leave_one_out

ONE = vt.sequence.Training(epochs=1, patience=None)
DEPTHS = {
    "as it comes": {},
    "of the paper's depth": {"dim": 128, "heads": 4, "layers": 4, "decoder_layers": 4, "multiplier": 8},
}


def rows(people: int) -> Iterator[str]:
    split = leave_one_out("amazon-beauty", strict=True)
    queries, eligible = split.queries[:people], split.eligible.rows(slice(0, people))
    tenth = next(iter(split.train.sharded(10).shards()))
    codes = vt.sequence.GivenCodes(path=str(data_folder() / "amazon-beauty" / "semantic_ids.parquet"), column="rqvae")
    for name, sizes in DEPTHS.items():
        fitted = vt.TIGER(codes=codes, training=ONE, **sizes).fit(tenth)
        fitted.recommend(queries[:100], 10, eligible=eligible.rows(slice(0, 100)))  # compiles
        for beam in (10, 50):
            began, spent = time.perf_counter(), time.process_time()
            replace(fitted, beam=beam).recommend(queries, 10, eligible=eligible)
            seconds, processor = time.perf_counter() - began, time.process_time() - spent
            yield f"| {name} | {beam} | {len(queries):,} | {seconds:.0f} | {processor:.0f} | {1000 * processor / len(queries):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=22_363)
    parser.add_argument("--keep", action="store_true", help="write the block of RESULTS.md")
    options = parser.parse_args()
    head = "| TIGER | beam | people | seconds | of the processor | ms of it per person |\n|---|---|---|---|---|---|"
    text = f"{machine()}, {torch.get_num_threads()} threads of PyTorch\n\n" + "\n".join([head, *rows(options.people)])
    print(text)
    if options.keep:
        keep(RESULTS, "speed.semantic_beam", text)


if __name__ == "__main__":
    main()
