"""What one fit of a sequence model works on: windows, network, batches, validation, and the recommender that comes out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitrina.base.device import narrow_products, training_device
from vitrina.base.errors import DataError
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.windows import Sequences, token_batches
from vitrina.sequence import windows
from vitrina.sequence.batches import Batch
from vitrina.sequence.embed import KnownUsers, Rows
from vitrina.sequence.embed.users import of_shards
from vitrina.sequence.group import ALONE, Group
from vitrina.sequence.judges import Judges
from vitrina.sequence.losses import Task
from vitrina.sequence.negatives import Pool
from vitrina.sequence.network import Network
from vitrina.sequence.recommender import Answering, Encoded, as_array
from vitrina.sequence.start import continue_from, known_items, require_same_make
from vitrina.sequence.train import Progress, Run
from vitrina.vocabulary import Vocabulary, id_hashes

if TYPE_CHECKING:
    from vitrina.sequence.model import SequenceModel

WINDOWS = "windows"  # folder of the windows of a log in shards


@dataclass(frozen=True, eq=False)
class Known:
    """What a recommender keeps of the log that it was fitted on."""

    items: Vocabulary
    catalogue: Catalogue
    people: NDArray[np.uint64] | None = None  # (users,) `hashes` of their ids, where something else is known of them

    @classmethod
    def of(cls, data: Dataset, *, people: bool) -> Known:
        return cls(data.items, data.catalogue, np.concatenate(of_shards(data, _people)) if people else None)


def _people(shard: Dataset) -> NDArray[np.uint64]:
    return id_hashes(shard.users)


@dataclass(frozen=True, eq=False)
class Batches:
    """The batches of an epoch, of which each is made when its turn comes."""

    groups: Sequence[Any]  # windows or people of each
    make: Callable[[Any], Any]

    def __len__(self) -> int:
        return len(self.groups)

    def __iter__(self) -> Iterator[Any]:
        return map(self.make, self.groups)


@dataclass(eq=False)
class Fitting:
    """What one fit works on."""

    model: SequenceModel
    known: Known
    judges: Judges | None
    rows: Rows
    windows: Sequences
    network: Network
    pool: Pool
    answering: Answering
    group: Group = ALONE

    @classmethod
    def of(
        cls, model: SequenceModel, data: Dataset, split: Split | None, fitted: Encoded | None = None, scratch: Path | None = None
    ) -> Fitting:
        """Of a model whose size is settled, continuing from `fitted` where there is one; `scratch` is for what a log in shards doesn't hold in memory."""
        parts: dict[str, Any] = {name: getattr(model, name) for name in Answering.model_fields}
        parts["embed"] = model.embed.made_of
        answering = Answering(**parts)
        assert model.dropout is not None
        if fitted is not None:
            require_same_make(fitted, answering)
        rows = Rows.of(data, model.embed.covers(data), None if fitted is None else known_items(fitted, data))
        recent = _windows(model, data, rows, scratch)
        if not len(recent):
            held_back = "" if split is None else ", which is what the validation part leaves; Training(patience=None) holds nothing back"
            raise DataError(f"A sequence model needs people with at least two events to train on. Got none in {data!r}{held_back}.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(model.seed)
            users = None if model.users is None else model.users.build(data, model.dim)
            events = None if model.events is None else model.events.build(data, recent, model.dim)
            network = Network(model.embed.build(data, rows, model.dim), answering.body(model.dropout), users, events)
        if fitted is not None:
            continue_from(network, fitted, data, rows)
        counts = model.objective.frequency(recent, rows.trained).astype(np.float32)
        device = training_device()
        pool = Pool(torch.from_numpy(counts).to(device), torch.Generator())
        known, judges = Known.of(data, people=users is not None), None if split is None else Judges.of(split, model.training.judges)
        return cls(model, known, judges, rows, recent, network.to(device, torch.float32), pool, answering)

    def run(self, report: Callable[[Progress], None] | None = None, checkpoint: Path | None = None, epochs: int | None = None) -> Run:
        validate = None if self.judges is None else self._validate
        return Run(
            self.network, self.model.training, self._batches, self._step, validate, self.model.seed, report, epochs, checkpoint, self.group
        )  # fmt: skip

    def _batches(self, rng: np.random.Generator) -> Batches:
        self.pool.generator.manual_seed(int(rng.integers(1 << 62)))
        groups = list(token_batches(self.windows.lengths, self.model.training.tokens, rng))
        return Batches(groups, lambda chosen: self._batch(self.windows.take(chosen), rng))

    def _batch(self, chosen: Sequences, rng: np.random.Generator) -> Batch:
        batch = self.model.objective.batch(chosen, rng)
        return batch if self.network.events is None else self.network.events.coded(batch, chosen, rng)

    def _step(self, batch: Batch) -> Tensor:
        """The loss of a batch; of several processes the share of this one in it."""
        if self.group.world == 1:
            return self._loss(batch)
        share = batch.share(self.group.rank, self.group.world)
        return self._loss(share.batch, batch.targets, share.positions) * share.weight

    def _loss(self, batch: Batch, whole: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        model, table, device = self.model, self.network.table(), self.pool.counts.device
        self.group.apart()  # the table loses the same elements everywhere, states each their own
        batch = batch.to(device)
        with narrow_products(device):
            known = self.network.people(batch), self.network.of_events(batch)
            states = self.network.body(table, batch, model.objective.causal, *known)
        states = states.float()
        bonus = None if model.personal is None else model.personal.bonus(batch.rows, batch.layout, batch.at, len(table))
        asking, items = model.similarity.states(states), model.similarity.items(table)
        whole, positions = (None if places is None else places.to(device) for places in (whole, positions))
        return model.loss.of(Task(asking, items, batch.targets, self.pool, bonus, batch.weights, whole, positions))

    def _validate(self) -> float:
        assert self.judges is not None
        return self.judges.value(self.recommender(self.known), self.model.training.metric, self.group)

    def recommender(self, known: Known, notes: tuple[str, ...] = ()) -> Encoded:
        """What the present weights answer; items without an event in the log are recommended if the embedding covers them."""
        network, codes, of_log = self.network.eval(), self.rows.codes, known.catalogue
        with torch.no_grad():
            table = network.table.whole().cpu().numpy().copy()
            internals = {name: as_array(value) for name, value in network.table.internals().items()}
        cold = np.sort(codes[self.rows.covered & (of_log.events[codes] == 0)])
        catalogue = Catalogue(of_log.events, of_log.users, of_log.n_users, also=cold) if len(cold) else of_log
        users = None
        if network.users is not None:
            assert known.people is not None
            users = KnownUsers.of(network.users, known.people)
        body = copy.deepcopy(network.body).cpu()
        events = None if network.events is None else network.events.fitted()
        notes = notes if events is None else (*notes, f"reads {events.coding!r}")
        return Encoded(known.items, catalogue, codes, table, body, self.answering, users, internals, events=events, notes=notes)


def _windows(model: SequenceModel, data: Dataset, rows: Rows, scratch: Path | None) -> Sequences:
    row_of_item, length = rows.row_of_item(data.n_items), model.length + 1
    also = () if model.events is None else model.events.reads
    if data.in_memory:
        return windows.in_memory(data, row_of_item, length, also)
    assert scratch is not None
    timed = model.block.needs_time or model.objective.needs_time
    return windows.over_shards(data, row_of_item, length, scratch / WINDOWS, timed=timed, also=also)
