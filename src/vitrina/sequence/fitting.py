"""What one fit of a sequence model works on: windows, network, batches, validation, and the recommender that comes out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vitrina.base.errors import DataError, ParameterError
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.windows import Sequences, token_batches
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.sequence.batches import Batch
from vitrina.sequence.device import narrow_products, training_device
from vitrina.sequence.embed import KnownUsers, Rows
from vitrina.sequence.losses import Task
from vitrina.sequence.negatives import Pool
from vitrina.sequence.network import Network
from vitrina.sequence.recommender import Answering, Encoded, as_array
from vitrina.sequence.start import continue_from, known_items, require_same_make
from vitrina.sequence.train import Progress, Run
from vitrina.vocabulary import id_hashes

if TYPE_CHECKING:
    from vitrina.sequence.model import SequenceModel


@dataclass(eq=False)
class Fitting:
    """What one fit works on."""

    model: SequenceModel
    data: Dataset
    split: Split | None
    rows: Rows
    windows: Sequences
    network: Network
    pool: Pool
    answering: Answering

    @classmethod
    def of(cls, model: SequenceModel, data: Dataset, split: Split | None, fitted: Encoded | None = None) -> Fitting:
        """Of a model whose size is settled, continuing from `fitted` where there is one."""
        parts: dict[str, Any] = {name: getattr(model, name) for name in Answering.model_fields}
        parts["embed"] = model.embed.made_of
        answering = Answering(**parts)
        assert model.dropout is not None
        if fitted is not None:
            require_same_make(fitted, answering)
        rows = Rows.of(data, model.embed.covers(data), None if fitted is None else known_items(fitted, data))
        windows = Sequences.of(data.queries(), rows.row_of_item(data.n_items)).last(model.length + 1)
        by_id = np.argsort(id_hashes(data.users)[windows.users], kind="stable")  # whatever the order of people in the log
        windows = windows.take(by_id[windows.lengths[by_id] >= 2])
        if not len(windows):
            held_back = "" if split is None else ", which is what the validation part leaves; Training(patience=None) holds nothing back"
            raise DataError(f"A sequence model needs people with at least two events to train on. Got none in {data!r}{held_back}.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(model.seed)
            users = None if model.users is None else model.users.build(data, model.dim)
            network = Network(model.embed.build(data, rows, model.dim), answering.body(model.dropout), users)
        if fitted is not None:
            continue_from(network, fitted, data, rows)
        counts = model.objective.frequency(windows, rows.trained).astype(np.float32)
        device = training_device()
        pool = Pool(torch.from_numpy(counts).to(device), torch.Generator())
        return cls(model, data, split, rows, windows, network.to(device, torch.float32), pool, answering)

    def run(self, report: Callable[[Progress], None] | None = None, checkpoint: Path | None = None, epochs: int | None = None) -> Run:
        validate = None if self.split is None else self._validate
        return Run(
            self.network, self.model.training, self._batches, self._step, validate, self.model.seed, report, epochs, checkpoint
        )  # fmt: skip

    def _batches(self, rng: np.random.Generator) -> list[Batch]:
        self.pool.generator.manual_seed(int(rng.integers(1 << 62)))
        groups = token_batches(self.windows.lengths, self.model.training.tokens, rng)
        return [self.model.objective.batch(self.windows.take(chosen), rng) for chosen in groups]

    def _step(self, batch: Batch) -> Tensor:
        model, table, device = self.model, self.network.table(), self.pool.counts.device
        batch = batch.to(device)
        with narrow_products(device):
            states = self.network.body(table, batch, model.objective.causal, self.network.people(batch))
        states = states.float()
        bonus = None if model.personal is None else model.personal.bonus(batch.rows, batch.layout, batch.at, len(table))
        asking, items = model.similarity.states(states), model.similarity.items(table)
        return model.loss.of(Task(asking, items, batch.targets, self.pool, bonus, batch.weights))

    def _validate(self) -> float:
        assert self.split is not None
        name = self.model.training.metric
        judge = metric(name)
        answers = self.recommender(self.data).recommend(self.split.queries, judge.k, eligible=self.split.eligible).padded(judge.k)
        values = judge.per_query(Judged(answers, self.split.truth, self.data.catalogue, self.split.queries))
        values = values[~np.isnan(values)]
        if not len(values):
            raise ParameterError(
                f"The 'metric' of Training must say something of the validation part. {name} has no value for any of its "
                f"{len(self.split.queries):,} queries: take another, for example nDCG@10.",
                owner="Training",
                parameter="metric",
            )
        return float(values.mean())

    def recommender(self, data: Dataset, notes: tuple[str, ...] = ()) -> Encoded:
        """What the present weights answer; items without an event in `data` are recommended if the embedding covers them."""
        network, codes = self.network.eval(), self.rows.codes
        with torch.no_grad():
            table = network.table.whole().cpu().numpy().copy()
            internals = {name: as_array(value) for name, value in network.table.internals().items()}
        known = data.catalogue
        cold = np.sort(codes[self.rows.covered & (known.events[codes] == 0)])
        catalogue = Catalogue(known.events, known.users, known.n_users, also=cold) if len(cold) else known
        users = None if network.users is None else KnownUsers.of(network.users, data.users)
        return Encoded(
            data.items, catalogue, codes, table, copy.deepcopy(network.body).cpu(), self.answering, users, internals, notes=notes
        )
