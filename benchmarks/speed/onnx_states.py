"""States of histories by ONNX beside PyTorch, on the same weights, one thread each, call for call in turn. Rows of Markdown.

    python -m benchmarks.speed.onnx_states [--calls 200]

Models of dim 64, two blocks, the last 50 events of histories of 5 to 50 events; the table has 10,000 items. What is measured is `encode`: reading the histories, the body, the
similarity; scores and lists are the same for both. Medians, and the median of the ratios of calls that follow one another.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import torch

import vitrina as vt
from benchmarks.kit.machine import machine
from vitrina import sequence as seq

SHAPE: dict[str, Any] = {"dim": 64, "layers": 2, "length": 50, "training": seq.Training(epochs=1)}
LOSS = seq.SampledSoftmax(negatives=seq.Uniform(n=64))
MODELS = {
    "SASRec": vt.SASRec(loss=LOSS, **SHAPE),
    "BERT4Rec": vt.BERT4Rec(loss=LOSS, **SHAPE),
    "eSASRec": vt.eSASRec(loss=LOSS, **SHAPE),
    "HSTU": vt.SequenceModel(block=seq.HSTU(), loss=LOSS, **SHAPE),
}


def measured(forms: list[Any], asked: list[vt.Queries]) -> tuple[float, float, float]:
    """Milliseconds of PyTorch and ONNX, and the ratio."""
    times = np.empty((len(asked), len(forms)))
    for call, queries in enumerate(asked):
        for place, form in enumerate(forms):
            begin = time.perf_counter()
            form.encode(queries)
            times[call, place] = time.perf_counter() - begin
    by_torch, by_onnx = 1000 * np.median(times, axis=0)
    return by_torch, by_onnx, float(np.median(times[:, 0] / times[:, 1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    calls = parser.parse_args().calls
    torch.set_num_threads(1)
    data, rng = vt.testing.synthetic(2000, 10_000, 20, groups=50), np.random.default_rng(0)
    print(
        f"{machine()}\n\n| model | histories | PyTorch, ms | ONNX, ms | ONNX is faster by | largest difference |\n|---|---|---|---|---|---|"
    )
    for name, model in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            vt.save(model.fit(data), f"{folder}/model", onnx=True)
            forms = [vt.load(f"{folder}/model", onnx=onnx).recommender for onnx in (False, True)]
            for batch in (1, 32):
                asked = [histories(forms[0].vocabulary, batch, rng) for _ in range(calls + 5)]
                measured(forms, asked[:5])
                by_torch, by_onnx, ratio = measured(forms, asked[5:])
                states = [form.encode(asked[0]) for form in forms]
                apart = float(np.abs(states[0] - states[1]).max() / np.abs(states[0]).max())
                print(f"| {name} | {batch} | {by_torch:.2f} | {by_onnx:.2f} | {ratio:.1f} x | {apart:.0e} |", flush=True)


def histories(vocabulary: vt.Vocabulary, count: int, rng: np.random.Generator) -> vt.Queries:
    """Random ones with times."""
    lengths = rng.integers(5, 51, count)
    items = [vocabulary.ids.gather(rng.integers(0, len(vocabulary), n)).to_list() for n in lengths]
    return vt.Queries.of_histories(vocabulary, items, [np.sort(rng.integers(0, 10**15, n)).tolist() for n in lengths])


if __name__ == "__main__":
    main()
