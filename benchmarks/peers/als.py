"""irspack's IALSRecommender on a matrix, for each of some parameters: fit, and the best items of everybody asked. Runs in its own environment.

    python benchmarks/peers/als.py GIVEN.npz TRIALS.json OUT K

GIVEN has the training matrix as `train_indptr`, `train_indices`, the histories of the questions as `asked_indptr`, `asked_indices`, their people's rows in
`users` (-1 for people who are not in the training matrix), and `items`, how many there are. A trial has dim, unobserved, l2, nu, epochs, seed and solver.
Writes OUT/NUMBER.npy, (questions, K) items, and OUT/seconds.json: of the fit, of the lists, and of the processor in the fit, for each trial.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from irspack import IALSRecommender
from scipy import sparse

BLOCK = 2000


def best(rec: IALSRecommender, histories: sparse.csr_matrix, users: np.ndarray, k: int) -> np.ndarray:
    known, out = bool((users >= 0).all()), []
    for first in range(0, len(users), BLOCK):
        part = slice(first, first + BLOCK)
        scores = rec.get_score_remove_seen(users[part]) if known else rec.get_score_cold_user_remove_seen(histories[part])
        top = np.argpartition(-scores, k, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
        out.append(np.take_along_axis(top, order, axis=1))
    return np.concatenate(out).astype(np.int32)


def main() -> None:
    given, trials, out, k = np.load(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3]), int(sys.argv[4])

    def matrix(name: str) -> sparse.csr_matrix:
        indptr, indices = given[f"{name}_indptr"], given[f"{name}_indices"]
        return sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(indptr) - 1, int(given["items"])))

    train, histories, seconds = matrix("train"), matrix("asked"), []
    for number, t in enumerate(trials):
        begin, before = time.perf_counter(), time.process_time()
        rec = IALSRecommender(
            train, n_components=t["dim"], alpha0=t["unobserved"], reg=t["l2"], nu=t["nu"], train_epochs=t["epochs"], random_seed=t["seed"],
            solver_type=t["solver"],
        ).learn()  # fmt: skip
        between, processor = time.perf_counter(), time.process_time() - before
        np.save(out / f"{number}.npy", best(rec, histories, given["users"], k))
        seconds.append([between - begin, time.perf_counter() - between, processor])
    (out / "seconds.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
