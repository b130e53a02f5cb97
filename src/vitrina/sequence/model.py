"""The sequence model: parts put together, and the fit that trains them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from vitrina.config import Config, to_plain
from vitrina.data.dataset import Dataset
from vitrina.data.split import LeaveOneOut, Split
from vitrina.errors import DataError, ParameterError
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.sequence.batches import Batch, Sequences, token_batches
from vitrina.sequence.blocks import Block, LiGR
from vitrina.sequence.bonus import PersonalPopularity
from vitrina.sequence.embed import Embed, Ids
from vitrina.sequence.losses import FullSoftmax, Loss, Task
from vitrina.sequence.negatives import Pool
from vitrina.sequence.network import Body, Dot, Network, Similarity
from vitrina.sequence.objectives import Objective, ShiftedSequence
from vitrina.sequence.recommender import Answering, Encoded
from vitrina.sequence.train import Progress, Run, Training
from vitrina.types import Int32, Int64


@final
class SequenceModel(Config):
    """A transformer over the history, put together from parts: any block, any objective, any loss, any embedding.

    score[j] = similarity(state of the last token, item j), where the states come from `layers` blocks over the last `length` items.

    Args:
        embed: how an item becomes a vector; the table is both input and output.
        block: the kind of layer.
        layers, heads, dim, dropout: size of the network and share of its activations dropped in training.
        length: the most recent events that are looked at.
        objective: what a window is asked.
        loss: what a wrong answer costs, with its negatives.
        similarity: dot product or cosine.
        personal: the visitor's own counts on top, for jobs with repeats.
        training: optimiser, early stopping.
        seed: the same seed gives the same result on a CPU.
    """

    embed: Embed = Ids()
    block: Block = LiGR()
    layers: int = Field(default=1, gt=0)
    heads: int = Field(default=1, gt=0)
    dim: int = Field(default=64, gt=0)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    length: int = Field(default=50, gt=0)
    objective: Objective = ShiftedSequence()
    loss: Loss = FullSoftmax()
    similarity: Similarity = Dot()
    personal: PersonalPopularity | None = None
    training: Training = Training()
    seed: int = 0

    def model_post_init(self, context: Any) -> None:
        if self.dim % self.heads:
            raise ParameterError(f"The 'dim' of a sequence model must be a multiple of 'heads'. Got dim={self.dim}, heads={self.heads}.")

    def fit(
        self,
        data: Dataset,
        *,
        validation: Split | None = None,
        start: Encoded | None = None,
        checkpoint: str | Path | None = None,
        report: Callable[[Progress], None] | None = None,
    ) -> Encoded:
        split = self._validation(data, validation)
        fitting = _Fitting.of(self, data if split is None else split.train, split)
        progress = fitting.train(report)
        return fitting.recommender(data, progress)

    def _validation(self, data: Dataset, validation: Split | None) -> Split | None:
        if validation is not None or self.training.patience is None:
            return validation
        return data.holdout() if data.rule is not None else LeaveOneOut().apply(data)


@dataclass(eq=False)
class _Fitting:
    """What one fit works on."""

    model: SequenceModel
    data: Dataset
    split: Split | None
    codes: Int32
    row_of_item: Int64
    windows: Sequences
    network: Network
    pool: Pool
    device: torch.device

    @classmethod
    def of(cls, model: SequenceModel, data: Dataset, split: Split | None) -> _Fitting:
        torch.manual_seed(model.seed)
        codes = data.catalogue.items
        row_of_item = np.full(data.n_items, -1, np.int64)
        row_of_item[codes] = np.arange(len(codes))
        windows = Sequences.of_data(data, row_of_item).last(model.length + 1)
        windows = windows.take(np.flatnonzero(windows.lengths >= 2))
        if not len(windows):
            raise DataError(f"A sequence model needs people with at least two events, and {data!r} has none.")
        body = Body(model.block, model.layers, model.heads, model.dim, model.length, model.dropout)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = Network(model.embed.build(data, codes, model.dim), body).to(device)
        counts = torch.from_numpy(data.catalogue.events[codes].astype(np.float32))
        pool = Pool(counts, torch.Generator())
        return cls(model, data, split, codes, row_of_item, windows, network, pool, device)

    def train(self, report: Callable[[Progress], None] | None) -> Progress:
        validate = None if self.split is None else self._validate
        return Run(self.network, self.model.training, self._batches, self._step, validate, self.model.seed, report).run()

    def _batches(self, rng: np.random.Generator) -> list[Batch]:
        self.pool.generator.manual_seed(int(rng.integers(1 << 62)))
        groups = token_batches(self.windows.lengths, self.model.training.tokens, rng)
        return [self.model.objective.batch(self.windows.take(chosen), rng) for chosen in groups]

    def _step(self, batch: Batch) -> Tensor:
        model, batch = self.model, batch.to(self.device)
        table = self.network.table()
        states = self.network.body(table, batch, model.objective.causal)
        bonus = None if model.personal is None else model.personal.bonus(batch.rows, batch.layout, batch.at, len(table))
        return model.loss(Task(model.similarity.states(states), model.similarity.items(table), batch.targets, self.pool, bonus))

    def _validate(self) -> float:
        assert self.split is not None
        chosen = metric(self.model.training.metric)
        k = int(self.model.training.metric.split("@")[1])
        answers = self.recommender(self.data, None).recommend(self.split.queries, k, eligible=self.split.eligible)
        return float(chosen.per_query(Judged(answers, self.split.truth, self.data.catalogue, self.split.queries)).mean())

    def recommender(self, data: Dataset, progress: Progress | None) -> Encoded:
        with torch.no_grad():
            self.network.eval()
            table = self.network.table()
            vectors = self.model.similarity.items(table)
        answering = Answering(self.model.objective, self.model.similarity, self.model.personal, self.model.length)
        notes = (
            ()
            if progress is None
            else (f"best epoch {progress.best_epoch} of {progress.epoch}, validation {self.model.training.metric} {progress.best:.4f}",)
        )
        return Encoded(
            data.items,
            data.catalogue,
            self.codes,
            table.detach().cpu().numpy(),
            vectors.detach().cpu().numpy(),
            self.network.body,
            answering,
            notes=notes,
        )
