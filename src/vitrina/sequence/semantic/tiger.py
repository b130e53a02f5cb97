"""TIGER: the next item said code by code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self, final

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from vitrina.base.device import narrow_products, training_device
from vitrina.base.errors import DataError
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.windows import Sequences, token_batches
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender
from vitrina.sequence import windows
from vitrina.sequence.batches import Batch
from vitrina.sequence.blocks.base import Block
from vitrina.sequence.blocks.ligr import LiGR
from vitrina.sequence.fitting import WINDOWS, Batches
from vitrina.sequence.judges import Judges
from vitrina.sequence.objectives import ShiftedSequence
from vitrina.sequence.semantic.coder import Coder
from vitrina.sequence.semantic.generative import Generated, Speaking
from vitrina.sequence.semantic.network import CodedNetwork, Taught
from vitrina.sequence.semantic.residual import ResidualKMeans
from vitrina.sequence.semantic.trie import Trie
from vitrina.sequence.stopping import settled, validation_of
from vitrina.sequence.train import Progress, Run, Training
from vitrina.types import Int64, ranges

EFFORT = 3.0  # operations' worth of time that training takes per operation of its products
LIBRARY = 400 << 20  # bytes of PyTorch itself


@final
class TIGER(ModelConfig):
    """The next item said code by code, by a decoder that looks at the items of the history. [Rajput et al. 2023](https://arxiv.org/abs/2305.05065).

    log p(item | history) = sum over digits d of log softmax(state_d . vector), over the codes that may follow the ones before. A history is read as one
    token per item, the sum of the vectors along its path. The best items come from a beam search over codes that exist, and only over what may be shown.

    Other than in the paper: the softmax is over codes that may follow and not over all, so that the chances of all items add up to 1 and nothing
    is said that doesn't exist; a code that decides nothing any more costs nothing; the encoder looks back only, so that every event of a
    history is an example in one pass; an item is one token there, not one per code; there is no token of the user; a beginning of codes has a vector of
    its own beside those of its codes, with which it learns in half of the time (`beginnings`).

    Items with a code and without an event are recommended too. Items without a code are never said, and come last, by popularity. It gives lists and no scores of
    the whole catalogue; the fitted form has `log_chances` for a few items per query.

    Args:
        codes: where codes come from; one more digit is put behind those that several items share.
        beam: how many beginnings are kept at each digit.
        block: the kind of layer of the encoder.
        layers: how many of them.
        decoder_layers: layers of the decoder.
        heads: of every attention; divides `dim`.
        dim: size of a vector.
        multiplier: hidden size of the decoder's feed-forward parts in units of dim.
        beginnings: whether every beginning of codes has a vector of its own beside those of its codes, down to the item; False is the paper's.
        dropout: share of activations that are dropped in training.
        length: the most recent items that are looked at.
        training: optimiser, batches, early stopping.
        seed: the same seed gives the same result on the same machine with as many threads.

    Cost: an epoch costs events x (layers x 14 + decoder_layers x (6 + 2 multiplier) x digits that decide) x dim^2, tripled by gradients.
    Trains on a GPU where there is one; answers on the CPU.
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    codes: Coder = ResidualKMeans()
    beam: int = Field(default=50, gt=0)
    block: Block = LiGR()
    layers: int = Field(default=2, gt=0)
    decoder_layers: int = Field(default=1, gt=0)
    heads: int = Field(default=2, gt=0)
    dim: int = Field(default=64, gt=0)
    multiplier: int = Field(default=4, gt=0)
    beginnings: bool = True
    dropout: float = Field(default=0.2, ge=0, lt=1)
    length: int = Field(default=50, gt=0)
    training: Training = Training(learning_rate=5e-3, tokens=1024)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"The 'dim' of TIGER must be a multiple of 'heads'. Got dim={self.dim}, heads={self.heads}.")
        return self

    def fit(
        self,
        data: Dataset,
        *,
        validation: Split | None = None,
        start: Recommender | None = None,
        report: Callable[[Progress], None] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Generated:
        """Train until the validation metric, of lists found by the beam, stops getting better, and keep the weights that were best.

        Args:
            data: the log. Histories of one event teach nothing and are left out.
            validation: a split of `data` to stop by; None makes it as that of `vt.SequenceModel` is made.
            start: refused: codes and vocabulary of tokens may be others.
            report: called after each epoch with how far it is; `report=print` shows it.
            checkpoint: folder in which the state after each epoch is kept, so that the same call goes on after a kill; emptied at the end.

        Raises:
            ArtifactError: the checkpoint is of another model, log or validation.
            DataError: fewer than two items have both events and a code, or nobody has two events of such items.
            ParameterError: the training diverged.
            SplitError: no validation part can be cut off; `Training(patience=None)` needs none.
        """
        split = validation_of(self.training, data, validation)

        def train(log: Dataset, part: Split | None, room: Path | None, state: Path | None, epochs: int | None) -> tuple[Learning, Progress]:
            learning = Learning.of(self, log, part, room)
            return learning, learning.run(report, state, epochs).run()

        learning, _, notes = settled(self, data, split, train, checkpoint)
        return replace(learning.recommender(data), model=self, item_table=data.item_table, notes=notes)

    def cost(self, size: Size) -> Cost:
        """Of two thirds of the epochs, and of codes of three digits, of which two or three decide."""
        decoded = 2.5 * self.decoder_layers * (6 + 2 * self.multiplier) * self.dim**2
        token = 6 * (self.layers * (14 * self.dim**2 + 2 * min(size.events / max(size.users, 1), self.length) * self.dim) + decoded)
        weights = self.beginnings * 3 * size.items * self.dim + (14 * self.layers + 20 * self.decoder_layers) * self.dim**2
        epoch = size.events * token + size.events / self.training.tokens * 40 * weights  # the optimiser goes over all weights in each step
        room = LIBRARY + 24 * weights + 20 * size.events + 400 * (self.layers + 3 * self.decoder_layers) * self.dim * self.training.tokens
        return Cost(room, 4 * weights, flops=EFFORT * max(self.training.epochs * 2 / 3, 1) * epoch)


@dataclass(eq=False)
class Learning:
    """What one fit works on."""

    model: TIGER
    data: Dataset
    judges: Judges | None
    windows: Sequences  # of leaves of what is taught
    taught: Taught
    network: CodedNetwork
    speaking: Speaking

    @classmethod
    def of(cls, model: TIGER, data: Dataset, split: Split | None, scratch: Path | None) -> Learning:
        codes = model.codes.fit(data).distinct
        paths = np.where(codes.codes < 0, -1, codes.codes + np.cumsum((0, *codes.sizes[:-1]))).astype(np.int32)
        warm = np.flatnonzero(codes.known & (data.catalogue.events > 0))
        if len(warm) < 2:
            raise DataError(f"TIGER needs items with both events and a code, two or more. Got {len(warm)} in {data!r} with {codes!r}.")
        items = np.flatnonzero(codes.known)
        trie = Trie.of(paths[items], items)
        recent = windows_of(data, items, model.length + 1, scratch, timed=model.block.needs_time)
        if not len(recent):
            held_back = "" if split is None else ", which is what the validation part leaves; Training(patience=None) holds nothing back"
            raise DataError(
                f"TIGER needs people with at least two events of items with a code to train on. Got none in {data!r}{held_back}."
            )
        answering = {name: getattr(model, name) for name in Speaking.model_fields if name != "sizes"}
        speaking, device = Speaking(sizes=codes.sizes, **answering), training_device()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(model.seed)
            network = speaking.network(trie, model.dropout)
        judges = None if split is None else Judges.of(split, model.training.judges)
        taught = Taught(trie, np.isin(items, warm), device)
        return cls(model, data, judges, recent, taught, network.to(device, torch.float32), speaking)

    def run(self, report: Callable[[Progress], None] | None, checkpoint: Path | None, epochs: int | None = None) -> Run:
        validate = None if self.judges is None else self._validate
        return Run(self.network, self.model.training, self._batches, self._step, validate, self.model.seed, report, epochs, checkpoint)

    def _batches(self, rng: np.random.Generator) -> Batches:
        groups = list(token_batches(self.windows.lengths, self.model.training.tokens, rng))
        return Batches(groups, lambda chosen: ShiftedSequence().batch(self.windows.take(chosen), rng))

    def _step(self, batch: Batch) -> Tensor:
        device = self.taught.decisive.device
        with narrow_products(device):
            return self.network.loss(batch.to(device), self.taught)

    def _validate(self) -> float:
        assert self.judges is not None
        return self.judges.value(self.recommender(self.data), self.model.training.metric)

    def recommender(self, data: Dataset) -> Generated:
        """What the present weights answer."""
        of_log, trie, network = data.catalogue, self.network.trie, self.speaking.network(self.network.trie)
        network.load_state_dict(self.network.state_dict())
        cold = trie.item[of_log.events[trie.item] == 0]
        catalogue = Catalogue(of_log.events, of_log.users, of_log.n_users, also=cold) if len(cold) else of_log
        return Generated(data.items, catalogue, trie, self.model.beam, self.speaking, network.eval())


def windows_of(data: Dataset, items: Int64, length: int, scratch: Path | None, *, timed: bool) -> Sequences:
    """The last `length` events of each person, those of `items` alone, as leaves: their places among `items`.

    Cost: of a log in shards 8 bytes per event of a window in memory, as others than codes are left out of what lies in files.
    """
    every = np.arange(data.n_items)
    if data.in_memory:
        recent = windows.in_memory(data, every, length)
    else:
        assert scratch is not None
        recent = windows.over_shards(data, every, length, scratch / WINDOWS, timed=timed)
    leaf_of_item = np.full(data.n_items, -1, np.int64)
    leaf_of_item[items] = np.arange(len(items))
    place = ranges(recent.start, recent.lengths)
    leaves = leaf_of_item[recent.rows[place]]
    known = leaves >= 0
    counts = np.bincount(np.repeat(np.arange(len(recent)), recent.lengths)[known], minlength=len(recent))
    stop = np.cumsum(counts)
    times, weights = (None if column is None else column[place][known] for column in (recent.times, recent.weights))
    coded = replace(recent, rows=leaves[known], times=times, weights=weights, start=stop - counts, stop=stop)
    return coded.take(np.flatnonzero(counts >= 2))
