"""What one fit of a sequence model works on: windows, network, batches, validation, and the recommender that comes out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.errors import DataError
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.models.shuffle import id_hashes
from vitrina.sequence.batches import Batch, Sequences, token_batches
from vitrina.sequence.losses import Task
from vitrina.sequence.negatives import Pool
from vitrina.sequence.network import Network
from vitrina.sequence.recommender import Answering, Encoded
from vitrina.sequence.train import Progress, Run
from vitrina.types import Int32

if TYPE_CHECKING:
    from vitrina.sequence.model import SequenceModel


@dataclass(eq=False)
class Fitting:
    """What one fit works on. Rows of the item table stand in an order of the ids, so that other codes give the same network."""

    model: SequenceModel
    data: Dataset
    split: Split | None
    codes: Int32
    windows: Sequences
    network: Network
    pool: Pool
    answering: Answering

    @classmethod
    def of(cls, model: SequenceModel, data: Dataset, split: Split | None) -> Fitting:
        codes = data.catalogue.items[np.argsort(id_hashes(data.items)[data.catalogue.items], kind="stable")]
        row_of_item = np.full(data.n_items, -1, np.int64)
        row_of_item[codes] = np.arange(len(codes))
        windows = Sequences.of(data.queries(), row_of_item).last(model.length + 1)
        windows = windows.take(np.flatnonzero(windows.lengths >= 2))
        if not len(windows):
            raise DataError(f"A sequence model needs people with at least two events to train on, and {data!r} has none.")
        names = Answering.model_fields
        answering = Answering(**{name: getattr(model, name) for name in names})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(model.seed)
            network = Network(model.embed.build(data, codes, model.dim), answering.body(model.dropout))
        pool = Pool(torch.from_numpy(data.catalogue.events[codes].astype(np.float32)), torch.Generator())
        return cls(model, data, split, codes, windows, network, pool, answering)

    def run(self, report: Callable[[Progress], None] | None = None) -> Run:
        validate = None if self.split is None else self._validate
        return Run(self.network, self.model.training, self._batches, self._step, validate, self.model.seed, report)

    def _batches(self, rng: np.random.Generator) -> list[Batch]:
        self.pool.generator.manual_seed(int(rng.integers(1 << 62)))
        groups = token_batches(self.windows.lengths, self.model.training.tokens, rng)
        return [self.model.objective.batch(self.windows.take(chosen), rng) for chosen in groups]

    def _step(self, batch: Batch) -> Tensor:
        model, table = self.model, self.network.table()
        states = self.network.body(table, batch, model.objective.causal)
        bonus = None if model.personal is None else model.personal.bonus(batch.rows, batch.layout, batch.at, len(table))
        return model.loss.of(Task(model.similarity.states(states), model.similarity.items(table), batch.targets, self.pool, bonus))

    def _validate(self) -> float:
        assert self.split is not None
        name = self.model.training.metric
        answers = self.recommender(self.data).recommend(self.split.queries, int(name.split("@")[1]), eligible=self.split.eligible)
        return float(metric(name).per_query(Judged(answers, self.split.truth, self.data.catalogue, self.split.queries)).mean())

    def recommender(self, data: Dataset, notes: tuple[str, ...] = ()) -> Encoded:
        self.network.eval()
        with torch.no_grad():
            table = self.network.table().numpy().copy()
        return Encoded(data.items, data.catalogue, self.codes, table, copy.deepcopy(self.network.body), self.answering, notes)
