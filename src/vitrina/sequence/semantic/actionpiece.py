"""ActionPiece: histories read, and the next item said, in tokens of features that are often together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self, final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from vitrina.base.config import Names
from vitrina.base.device import narrow_products, training_device
from vitrina.base.errors import DataError
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.windows import Sequences, token_batches
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender
from vitrina.sequence.blocks.base import Block
from vitrina.sequence.blocks.ligr import LiGR
from vitrina.sequence.fitting import Batches
from vitrina.sequence.judges import Judges
from vitrina.sequence.semantic.coder import Coder
from vitrina.sequence.semantic.features import FeatureSets
from vitrina.sequence.semantic.piece_network import PieceBatch, PieceNetwork, TaughtPieces
from vitrina.sequence.semantic.piece_speaking import Pieced, PieceSpeaking
from vitrina.sequence.semantic.pieces import Pieces
from vitrina.sequence.semantic.segmenting import lesson
from vitrina.sequence.semantic.tiger import windows_of
from vitrina.sequence.semantic.trie import Trie
from vitrina.sequence.stopping import settled, validation_of
from vitrina.sequence.train import Progress, Run, Training
from vitrina.types import Int32, ranges

LEAST = 1.0  # weight of a pair that is merged: two and a half actions of five features
LIBRARY = 400 << 20  # bytes of PyTorch itself


@final
class ActionPiece(ModelConfig):
    """The next item said in tokens of features, by a network that reads the history in tokens of the same vocabulary. [Hou et al. 2025](https://arxiv.org/abs/2502.13581).

    An item is a set of features: digits of its code, values of its columns, and a bucket that tells items of equal features apart. The vocabulary grows out of
    them by merging the pair of tokens that is together most often, in an action and over neighbouring ones (`Pieces`), so that the same feature is read in
    tokens that depend on what stands around it. Features have no order: each time that a window is trained on its features stand in another order, which
    gives other tokens, and a history is asked in several such segmentations, whose chances are averaged. An item is said in the tokens of its own
    features, the longest first; log p(item | history) = sum of log softmax(state . vector of the token) over those that may follow. The best items come
    from a beam search for each segmentation, over items that exist and may be shown.

    Other than in the paper: a token's vector is its own and those of its features, so that rare tokens are known by what they stand for; the softmax is over tokens
    that may follow; the encoder looks back only, so that one pass over a window teaches several of its items; chances are averaged, and not places in the lists.

    Items with features and without an event are recommended too. It gives lists and no scores of the whole catalogue.

    Args:
        codes: what makes codes of the items, each digit a feature of its own; None takes columns alone.
        columns: columns of categories of the table of items, each value a feature.
        buckets: values of the feature that tells equal items apart; as many as the largest group of them has, if that is more.
        size: tokens of the vocabulary, features included, at most: merging ends before the first pair that weighs less than 1.
        segmentations: of a history that is asked.
        beam: how many beginnings are kept at each token, of each segmentation.
        block: the kind of layer of the encoder.
        layers: how many of them.
        decoder_layers: layers of the decoder.
        heads: of every attention; divides `dim`.
        dim: size of a vector.
        multiplier: hidden size of the decoder's feed-forward parts in units of dim.
        dropout: share of activations that are dropped in training.
        length: the most recent items that are looked at.
        training: optimiser, batches (of so many features before anything is merged), early stopping.
        seed: the same seed gives the same result on the same machine with as many threads.

    Cost: an epoch costs half of the events x the tokens that begin an item x dim, and tokens x layers x 14 dim^2, tripled by gradients. Trains on a GPU where there
    is one; answers on the CPU.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic(users=60, items=30)
    >>> model = vt.ActionPiece(columns=("group",), dim=16, heads=1, training=vt.sequence.Training(epochs=1))
    >>> model.fit(data).recommend(data.queries(), k=3).items.shape
    (60, 3)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    codes: Coder | None = None
    columns: Names = ()
    buckets: int = Field(default=128, gt=0)
    size: int = Field(default=40_000, gt=0)
    segmentations: int = Field(default=5, gt=0)
    beam: int = Field(default=50, gt=0)
    block: Block = LiGR()
    layers: int = Field(default=1, gt=0)
    decoder_layers: int = Field(default=1, gt=0)
    heads: int = Field(default=1, gt=0)
    dim: int = Field(default=64, gt=0)
    multiplier: int = Field(default=4, gt=0)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    length: int = Field(default=20, gt=0)
    training: Training = Training(tokens=8192)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if self.codes is None and not self.columns:
            raise ValueError(
                "ActionPiece needs features of items: 'codes', a coder such as vt.sequence.ProductQuantisation(), or 'columns' of the table of items."
            )
        if self.dim % self.heads:
            raise ValueError(f"The 'dim' of ActionPiece must be a multiple of 'heads'. Got dim={self.dim}, heads={self.heads}.")
        return self

    def fit(
        self,
        data: Dataset,
        *,
        validation: Split | None = None,
        start: Recommender | None = None,
        report: Callable[[Progress], None] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Pieced:
        """Learn the vocabulary, then train until the validation metric, of lists found by the beams, stops getting better, and keep the weights that were best.

        Args:
            data: the log. Histories of one event teach nothing and are left out.
            validation: a split of `data` to stop by; None makes it as that of `vt.SequenceModel` is made.
            start: refused: another log has another vocabulary.
            report: called after each epoch with how far it is; `report=print` shows it.
            checkpoint: folder in which the state after each epoch is kept, so that the same call goes on after a kill; emptied at the end.

        Raises:
            ArtifactError: the checkpoint is of another model, log or validation.
            DataError: fewer than two items have both events and features, nobody has two events of such items, or a column can't be used.
            ParameterError: the training diverged.
            SplitError: no validation part can be cut off; `Training(patience=None)` needs none.
        """
        split = validation_of(self.training, data, validation)

        def train(log: Dataset, part: Split | None, room: Path | None, state: Path | None, epochs: int | None) -> tuple[Learning, Progress]:
            learning = Learning.of(self, log, part, room)
            return learning, learning.run(report, state, epochs).run()

        learning, _, notes = settled(self, data, split, train, checkpoint)
        return replace(learning.recommender(data), model=self, item_table=data.item_table, notes=(*notes, repr(learning.pieces)))

    def cost(self, size: Size) -> Cost:
        """Of two thirds of the epochs, with three tokens per item that is read, and as many tokens that begin an item as there are items."""
        weights = (self.size + size.items) * self.dim + (self.layers * 14 + self.decoder_layers * (8 + 2 * self.multiplier)) * self.dim**2
        read = 3 * size.events * self.layers * 14 * self.dim**2
        said = size.events / 2 * (size.items * self.dim + self.decoder_layers * (8 + 2 * self.multiplier) * self.dim**2)
        room = LIBRARY + 24 * weights + 100 * size.events + 8 * self.training.tokens * size.items
        return Cost(room, 4 * weights, flops=6 * max(self.training.epochs * 2 / 3, 1) * (read + said))


@dataclass(eq=False)
class Learning:
    """What one fit works on."""

    model: ActionPiece
    data: Dataset
    judges: Judges | None
    windows: Sequences  # of leaves of what is taught
    pieces: Pieces
    sets: Int32  # (leaves of what is taught, most)
    taught: TaughtPieces
    whole: Trie  # with the items that have features and no event
    whole_sets: Int32
    said: Int32
    network: PieceNetwork
    speaking: PieceSpeaking

    @classmethod
    def of(cls, model: ActionPiece, data: Dataset, split: Split | None, scratch: Path | None) -> Learning:
        codes = None if model.codes is None else model.codes.fit(data)
        features = FeatureSets.of(data, codes, model.columns, model.buckets)
        warm = np.flatnonzero(features.known & (data.catalogue.events > 0))
        if len(warm) < 2:
            raise DataError(f"ActionPiece needs items with both events and features, two or more. Got {len(warm)} in {data!r}.")
        recent = windows_of(data, warm, model.length + 1, scratch, timed=model.block.needs_time)
        if not len(recent):
            held_back = "" if split is None else ", which is what the validation part leaves; Training(patience=None) holds nothing back"
            raise DataError(
                f"ActionPiece needs people with at least two events of items with features to train on. Got none in {data!r}{held_back}."
            )
        sets, every = features.sets[warm], np.flatnonzero(features.known)
        acted = sets[recent.rows[ranges(recent.start, recent.lengths)]]
        pieces = Pieces.learn(acted, np.append(0, np.cumsum(recent.lengths)), features.base, model.size, LEAST)
        said, paths = _said(pieces, features, every)
        trie, whole = Trie.of(paths[np.isin(every, warm)], warm), Trie.of(paths, every)
        speaking = PieceSpeaking(**{name: getattr(model, name) for name in PieceSpeaking.model_fields})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(model.seed)
            network = speaking.network(pieces, sets.shape[1], whole.levels, said, model.dropout)
        device = training_device()
        judges, taught = None if split is None else Judges.of(split, model.training.judges), TaughtPieces(trie, len(said), device)
        network = network.to(device, torch.float32)
        return cls(model, data, judges, recent, pieces, sets, taught, whole, features.sets[every], said, network, speaking)

    def run(self, report: Callable[[Progress], None] | None, checkpoint: Path | None, epochs: int | None = None) -> Run:
        validate = None if self.judges is None else self._validate
        return Run(self.network, self.model.training, self._batches, self._step, validate, self.model.seed, report, epochs, checkpoint)

    def _batches(self, rng: np.random.Generator) -> Batches:
        features = (self.sets >= 0).sum(1).mean()
        groups = list(token_batches(self.windows.lengths, int(self.model.training.tokens / features), rng))
        return Batches(groups, lambda chosen: lesson(self.pieces, self.sets, self.windows.take(chosen), rng))

    def _step(self, batch: PieceBatch) -> Tensor:
        device = self.taught.device
        with narrow_products(device):
            return self.network.loss(batch.to(device), self.taught)

    def _validate(self) -> float:
        assert self.judges is not None
        return self.judges.value(self.recommender(self.data), self.model.training.metric)

    def recommender(self, data: Dataset) -> Pieced:
        """What the present weights answer."""
        of_log, network = data.catalogue, copy.deepcopy(self.network).cpu().eval()
        cold = self.whole.item[of_log.events[self.whole.item] == 0]
        catalogue = Catalogue(of_log.events, of_log.users, of_log.n_users, also=cold) if len(cold) else of_log
        return Pieced(data.items, catalogue, self.whole, self.model.beam, self.pieces, self.whole_sets, self.said, self.speaking, network)


def _said(pieces: Pieces, features: FeatureSets, items: NDArray[np.integer]) -> tuple[Int32, Int32]:
    """Tokens that items are said in, ascending, and (items, levels) the place of each item's tokens among them, -1 behind; an end behind each where items have more or fewer features."""
    paths = pieces.spelled(features.sets[items])
    if not features.even:
        ended = np.column_stack([paths, np.full(len(paths), -1, np.int32)])
        ended[np.arange(len(paths)), (paths >= 0).sum(1)] = features.base - 1
        paths = ended
    paths = paths[:, : int((paths >= 0).sum(1).max())]
    said = np.unique(paths[paths >= 0])
    return said, np.where(paths >= 0, np.searchsorted(said, paths), -1).astype(np.int32)
