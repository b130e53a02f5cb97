"""The sequence model: parts put together, and the fit that trains them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from vitrina.config import Config
from vitrina.data.dataset import Dataset
from vitrina.data.split import LeaveOneOut, Split
from vitrina.errors import DataError, ParameterError
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.models.shuffle import id_hashes
from vitrina.sequence.batches import Batch, Sequences, token_batches
from vitrina.sequence.blocks import Block, LiGR
from vitrina.sequence.bonus import PersonalPopularity
from vitrina.sequence.embed import Embed, Ids
from vitrina.sequence.losses import FullSoftmax, Loss, Task
from vitrina.sequence.negatives import Pool
from vitrina.sequence.network import DotProduct, Network, Similarity
from vitrina.sequence.objectives import Objective, ShiftedSequence
from vitrina.sequence.recommender import Answering, Encoded
from vitrina.sequence.train import Progress, Run, Training
from vitrina.types import Int32


@final
class SequenceModel(Config):
    """A transformer over the history, put together from parts: any block, any objective, any loss, any embedding.

    score[q, j] = similarity(state of the last event of q, vector of item j), the states coming from `layers` blocks over the last `length`
    events. Ready mixtures: `vt.SASRec()`, `vt.BERT4Rec()`, `vt.gSASRec()`, `vt.eSASRec()`; the parts are in `vt.sequence`.

    Args:
        embed: how an item becomes a vector; the table is both input and output.
        block: the kind of layer.
        layers: how many blocks.
        heads: of the attention of each block; divides `dim`.
        dim: size of a vector.
        dropout: share of activations that are dropped in training.
        length: the most recent events that are looked at.
        objective: what a window is asked.
        loss: what a wrong answer costs, with its negatives.
        similarity: dot product or cosine.
        personal: the visitor's own counts on top, for jobs with repeats.
        training: optimiser, batches, early stopping.
        seed: the same seed gives the same result on one machine.

    Cost: an epoch costs events x items x dim for the full softmax, and windows x longest window^2 x dim for the attention. Runs on the CPU.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic(users=60, items=30)
    >>> model = vt.SequenceModel(dim=16, training=vt.sequence.Training(epochs=2))
    >>> model.fit(data).recommend(data.queries(), k=3).items.shape
    (60, 3)
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
    similarity: Similarity = DotProduct()
    personal: PersonalPopularity | None = None
    training: Training = Training()
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"The 'dim' of a sequence model must be a multiple of 'heads'. Got dim={self.dim}, heads={self.heads}.")
        return self

    def fit(
        self, data: Dataset, *, validation: Split | None = None, start: Any = None, report: Callable[[Progress], None] | None = None
    ) -> Encoded:
        """Train until the validation metric stops getting better, and keep the weights that were best.

        Args:
            data: the log. Histories of one event teach nothing and are left out.
            validation: a split of `data` to stop by. None makes it by the rule that made `data` (`data.holdout()`), or leaves the last event
                of each person out where there is no rule. The network is trained on its training part; only
                `Training(patience=None)` trains on all of `data`.
            start: must be None: a sequence model begins anew.
            report: called after each epoch with how far it is.

        Raises:
            DataError: nobody has two events in the part that is trained on, or the objective needs real time and the log has none.
            SplitError: no validation part can be cut off; `Training(patience=None)` needs none.
        """
        if start is not None:
            raise ParameterError("A sequence model can't go on from a fitted one yet: fit it anew on all data, without start=...")
        if self.objective.needs_time and data.time_unit != "us":
            raise DataError(
                f"{self.objective!r} needs events with real time, and {data!r} has none. Use ShiftedSequence() or RandomTarget()."
            )
        split = self._validation(data, validation)
        fitting = _Fitting.of(self, data if split is None else split.train, split)
        progress = fitting.run(report).run()
        return fitting.recommender(data, self._notes(progress))

    def _validation(self, data: Dataset, validation: Split | None) -> Split | None:
        if validation is not None or self.training.patience is None:
            return validation
        return data.holdout() if data.rule is not None else LeaveOneOut().apply(data)

    def _notes(self, progress: Progress) -> tuple[str, ...]:
        if not progress.best_epoch:
            return (f"trained for {progress.epoch} epochs without validation",)
        return (f"epoch {progress.best_epoch} of {progress.epoch} was best: {self.training.metric} {progress.best:.4f} in validation",)


@dataclass(eq=False)
class _Fitting:
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
    def of(cls, model: SequenceModel, data: Dataset, split: Split | None) -> _Fitting:
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
