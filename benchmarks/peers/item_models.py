"""One library, one item-to-item model: fit, and the best 10 of everybody. Runs in the environment of that library.

    python benchmarks/peers/item_models.py LIBRARY MODEL LOG.parquet LISTS.parquet REPEAT

The log has the columns user and item (numbers); a model is "ease" or the number of neighbours of a cosine co-occurrence. Prints seconds as JSON: `first` and the best of the later runs, each [fit, recommend].
What is timed begins at the library's own data set in memory, and ends at a table of user, rank, item and score.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

warnings.filterwarnings("ignore")
K, L2 = 10, 500.0
COLUMNS = ("user", "rank", "item", "score")
Job = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], pl.DataFrame]]  # fit, recommend, as user, rank, item, score


def vitrina(model: str, log: pl.DataFrame) -> Job:
    import vitrina as vt

    data = vt.read_interactions(log, user="user", item="item")
    config = vt.EASE(l2=L2) if model == "ease" else vt.Cooccurrence(neighbours=int(model))
    queries = data.queries()
    users = data.users.decode(queries.users).rename("user")

    return (
        lambda: config.fit(data),
        lambda fitted: fitted.recommend(queries, K).to_frame(users),
        lambda table: table.rename({"item_id": "item"}),
    )


def rectools(model: str, log: pl.DataFrame) -> Job:
    import pandas as pd
    from implicit.nearest_neighbours import CosineRecommender
    from rectools.dataset import Dataset
    from rectools.models import EASEModel, ImplicitItemKNNWrapperModel

    frame = pd.DataFrame({"user_id": log["user"].to_numpy(), "item_id": log["item"].to_numpy(), "weight": 1.0})
    data = Dataset.construct(frame.assign(datetime="2020-01-01"))
    users = np.unique(frame["user_id"])

    def fit() -> Any:  # implicit counts an item among its own neighbours
        made = EASEModel(L2) if model == "ease" else ImplicitItemKNNWrapperModel(CosineRecommender(K=int(model) + 1))
        return made.fit(data)

    def frame_of(table: Any) -> pl.DataFrame:
        return pl.DataFrame({name: table[f"{name}_id" if name in ("user", "item") else name].to_numpy() for name in COLUMNS})

    return fit, lambda fitted: fitted.recommend(users, data, K, filter_viewed=True), frame_of


def irspack(model: str, log: pl.DataFrame) -> Job:
    from irspack import DenseSLIMRecommender
    from irspack.utils import IDMapper
    from scipy import sparse

    users, rows = np.unique(log["user"].to_numpy(), return_inverse=True)
    items, columns = np.unique(log["item"].to_numpy(), return_inverse=True)
    matrix = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(users), len(items)))
    mapper = IDMapper(users.tolist(), items.tolist())

    def recommend(fitted: Any) -> list[Any]:
        blocks = [users[first : first + 1000].tolist() for first in range(0, len(users), 1000)]  # it makes dense scores of each block
        return [one for block in blocks for one in mapper.recommend_for_known_user_batch(fitted, block, cutoff=K)]

    return (
        lambda: DenseSLIMRecommender(matrix, reg=L2).learn(),
        recommend,
        lambda found: pl.DataFrame(
            [(u, r, i, x) for u, row in zip(users, found, strict=True) for r, (i, x) in enumerate(row, 1)],
            schema=list(COLUMNS),
            orient="row",
        ),
    )


def lapack(model: str, log: pl.DataFrame) -> Job:
    """The yardstick: spotrf and spotri alone, on the matrix that EASE inverts."""
    from scipy.linalg import get_lapack_funcs

    import vitrina as vt
    from vitrina.models.ease import gram

    data = vt.read_interactions(log, user="user", item="item")
    matrix = np.asfortranarray(gram(data, data.catalogue.items).T)
    matrix[np.diag_indices(len(matrix))] += L2
    potrf, potri = get_lapack_funcs(("potrf", "potri"), (matrix,))

    def invert() -> Any:
        factor, _ = potrf(matrix.copy(order="F"), lower=0, overwrite_a=1, clean=0)
        return potri(factor, lower=0, overwrite_c=1)

    return invert, lambda _: None, lambda _: pl.DataFrame(schema=list(COLUMNS))


def main() -> None:
    library, model, log, out, repeat = sys.argv[1:]
    fit, recommend, frame_of = globals()[library](model, pl.read_parquet(log))
    runs = []
    for _ in range(int(repeat) + 1):
        begin = time.perf_counter()
        fitted = fit()
        between = time.perf_counter()
        found = recommend(fitted)
        runs.append([between - begin, time.perf_counter() - between])
    table = frame_of(found).select(COLUMNS).cast(dict(zip(COLUMNS, (pl.Int64, pl.Int64, pl.Int64, pl.Float32), strict=True)))
    table.write_parquet(out)
    print(json.dumps({"first": runs[0], "later": min(runs[1:], key=sum, default=runs[0])}))


if __name__ == "__main__":
    main()
