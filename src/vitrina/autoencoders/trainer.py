"""The trainer of all autoencoders: batches of people, Adam, and the epoch whose lists were best for people who were held back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vitrina.autoencoders.bags import BagRows, Bags, held_back
from vitrina.autoencoders.nets import VariationalNet
from vitrina.base.device import training_device
from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.base import Form
from vitrina.forms.windows import Sequences
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.sequence import windows
from vitrina.sequence.embed.base import Rows
from vitrina.sequence.fitting import Batches, Known
from vitrina.sequence.judges import Judges
from vitrina.sequence.train import Progress, Run, Training

if TYPE_CHECKING:
    from vitrina.autoencoders.base import AutoencoderConfig

METRIC = "nDCG@100"
ALL = 1 << 40  # events: a history is read whole
JUDGES = 2000  # at most so many people are held back, or asked of a validation


@dataclass(eq=False)
class Fitting:
    """What one fit works on."""

    model: AutoencoderConfig
    known: Known
    rows: Rows
    people: Sequences
    judges: Judges | None
    network: VariationalNet
    device: torch.device
    run: Run | None = None

    @classmethod
    def of(cls, model: AutoencoderConfig, data: Dataset, validation: Split | None, folder: Path) -> Fitting:
        log = data if validation is None else validation.train.counted()
        rows = Rows.of(log, np.zeros(log.n_items, bool))
        people = _people(log, rows, folder)
        judges = None if validation is None else Judges.of(validation, JUDGES)
        if judges is None and model.patience is not None:
            rng = np.random.default_rng([model.seed, 1])
            people, judges = held_back(people, JUDGES, rows.codes, data.items, rng)
        if not len(people):
            raise DataError(f"{type(model).__name__} needs people with at least two events to train on. Got none in {log!r}.")
        device = training_device()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(model.seed)
            network = model.network(len(rows))
        return cls(model, Known.of(data, people=False), rows, people, judges, network.to(device), device)

    def trained(self, report: Callable[[Progress], None] | None) -> Form:
        """The form of the best epoch."""
        model = self.model
        plan = Training(
            epochs=model.epochs, patience=model.patience, learning_rate=model.learning_rate, beta2=0.999, average=0.0, metric=METRIC
        )
        self.run = Run(self.network, plan, self._batches, self.network.loss, self._validate if self.judges else None, model.seed, report)
        progress = self.run.run()
        form = self.form()
        object.__setattr__(form, "notes", (self._note(progress),))
        return form

    def form(self) -> Form:
        with torch.no_grad():
            return self.network.eval().form(self.known, self.rows.codes)

    def _batches(self, rng: np.random.Generator) -> Batches:
        """The passes of an epoch, each over all people in an order of its own."""
        size, groups = self.model.batch, []
        for phase in self.network.phases:
            order = rng.permutation(len(self.people))
            groups += [(phase, order[first : first + size]) for first in range(0, len(order), size)]
        assert self.run is not None
        epoch, done = self.run.progress.epoch, iter(range(len(groups)))
        return Batches(groups, lambda group: self._bags(group, epoch + next(done) / len(groups)))

    def _bags(self, group: Any, epoch: float) -> Bags:
        phase, people = group
        return Bags.of(BagRows.of(self.people.take(people)), self.device, epoch, phase)

    def _validate(self) -> float:
        assert self.judges is not None
        judge, judges = metric(METRIC), self.judges
        lists = self.form().recommend(judges.queries, judge.k, eligible=judges.eligible).padded(judge.k)
        values = judge.per_query(Judged(lists, judges.truth, self.known.catalogue, judges.queries))  # type: ignore[union-attr]
        return float(np.nanmean(values))

    def _note(self, progress: Progress) -> str:
        if self.judges is None or not progress.best_epoch:
            return f"trained for {progress.epoch} epochs without validation"
        people = f"{len(self.judges):,} people who were held back"
        return f"epoch {progress.best_epoch} of {progress.epoch} was best: {METRIC} {progress.best:.4f} for {people}"


def _people(log: Dataset, rows: Rows, folder: Path) -> Sequences:
    """The histories of all people who have two events, by a hash of their ids; of a log in shards they lie in files."""
    row_of_item = rows.row_of_item(log.n_items)
    if log.in_memory:
        return windows.in_memory(log, row_of_item, ALL)
    return windows.over_shards(log, row_of_item, ALL, folder, timed=False)


def trained(model: AutoencoderConfig, data: Dataset, validation: Split | None, report: Callable[[Progress], None] | None) -> Form:
    """The fitted form of a model."""
    with tempfile.TemporaryDirectory(prefix="vitrina-training-") as folder:
        return Fitting.of(model, data, validation, Path(folder)).trained(report)
