"""One library, one sequence model: epochs and the best 10 of everybody, on the clock. Runs in the environment of that library.

    python benchmarks/peers/sequence_models.py LIBRARY MODEL LOG.parquet LISTS.parquet EPOCHS SEED

The log has the columns user and item (numbers), oldest first within a user. Nothing is validated and nothing stops early: every model learns
from the whole log for EPOCHS epochs. Prints JSON: seconds of each epoch, of the whole `fit`, and of the best of two `recommend`.
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
K = 10
COLUMNS = {"user": pl.Int64, "rank": pl.Int64, "item": pl.Int64, "score": pl.Float32}
Fitted = tuple[Callable[[], Any], Callable[[Any], pl.DataFrame]]  # recommend, as user, rank, item, score
Job = Callable[[list[float]], Fitted]  # fits, and appends the moment at which each epoch ended


def vitrina(model: str, log: pl.DataFrame, epochs: int, seed: int) -> Job:
    import vitrina as vt

    data = vt.read_interactions(log, user="user", item="item")
    queries = data.queries()
    users = data.users.decode(queries.users).rename("user")
    config = {
        "default": vt.eSASRec,
        "shared": lambda: vt.eSASRec(
            length=50,
            loss=vt.sequence.SampledSoftmax(negatives=vt.sequence.Mixed(n=4096, ratio=0.5, shared=True), corrected=True),
        ),
        # what the peer trains: SASRec's block, 256 uniform negatives per position, about 128 histories per batch
        "same": lambda: vt.SASRec(
            layers=1,
            length=50,
            dropout=0.3,
            embed=vt.sequence.Ids(rare=0.2),
            loss=vt.sequence.SampledSoftmax(negatives=vt.sequence.Uniform(n=256)),
            training=vt.sequence.Training(tokens=1024),
        ),
    }[model]()
    training = type(config.training)(**dict(config.training) | {"epochs": epochs, "patience": None})
    config = type(config)(**dict(config) | {"seed": seed, "training": training})

    def fit(ends: list[float]) -> Fitted:
        fitted = config.fit(data, report=lambda _: ends.append(time.perf_counter()))
        return lambda: fitted.recommend(queries, K), lambda lists: lists.to_frame(users).rename({"item_id": "item"})

    return fit


def rectools(model: str, log: pl.DataFrame, epochs: int, seed: int) -> Job:
    import pandas as pd
    from pytorch_lightning import Callback, Trainer, seed_everything
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel
    from rectools.models.nn.transformers.ligr import LiGRLayers

    seed_everything(seed)
    order = log.select(pl.int_range(pl.len()).over("user")).to_series().to_numpy()
    frame = pd.DataFrame({"user_id": log["user"].to_numpy(), "item_id": log["item"].to_numpy(), "weight": 1.0})
    data = Dataset.construct(frame.assign(datetime=pd.Timestamp("2000-01-01") + pd.to_timedelta(order, unit="D")))
    users = np.unique(frame["user_id"])

    class Clock(Callback):
        ends: list[float]  # of the class: the trainer copies its callbacks

        def on_train_epoch_end(self, *_: Any) -> None:
            Clock.ends.append(time.perf_counter())

    def trainer() -> Trainer:
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False, "logger": False}
        return Trainer(max_epochs=epochs, min_epochs=epochs, accelerator="cpu", devices=1, callbacks=[Clock()], **quiet)

    layers = {"transformer_layers_type": LiGRLayers, "use_key_padding_mask": True} if model == "ligr" else {}
    made = SASRecModel(
        n_blocks=1, n_heads=1, n_factors=64, session_max_len=50, loss="sampled_softmax", n_negatives=256, epochs=epochs,
        get_trainer_func=trainer, recommend_torch_device="cpu", **layers,
    )  # fmt: skip

    def fit(ends: list[float]) -> Fitted:
        Clock.ends = ends
        made.fit(data)
        return lambda: made.recommend(users, data, K, filter_viewed=True), frame_of

    def frame_of(table: Any) -> pl.DataFrame:
        return pl.DataFrame({name: table[f"{name}_id" if name in ("user", "item") else name].to_numpy() for name in COLUMNS})

    return fit


def clocked(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    done = work()
    return time.perf_counter() - begin, done


def main() -> None:
    library, model, log, out, epochs, seed = sys.argv[1:]
    fit = {"vitrina": vitrina, "rectools": rectools}[library](model, pl.read_parquet(log), int(epochs), int(seed))
    ends = [time.perf_counter()]
    whole, (recommend, frame_of) = clocked(lambda: fit(ends))
    answers = [clocked(recommend) for _ in range(2)]  # the first one also compiles or warms up
    frame_of(answers[-1][1]).select(list(COLUMNS)).cast(COLUMNS).write_parquet(out)
    print(json.dumps({"epochs": np.diff(ends).tolist(), "fit": whole, "recommend": min(seconds for seconds, _ in answers)}))


if __name__ == "__main__":
    main()
