"""The sequence model: parts put together, and the fit that trains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self, final

from pydantic import Field, model_validator

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender
from vitrina.sequence.blocks.base import Block
from vitrina.sequence.blocks.ligr import LiGR
from vitrina.sequence.bonus import PersonalPopularity
from vitrina.sequence.embed import Embed, EventInputs, Ids, UserFeatures
from vitrina.sequence.fitting import Fitting, Known
from vitrina.sequence.losses import FullSoftmax, Loss
from vitrina.sequence.network import DotProduct, Similarity
from vitrina.sequence.objectives import Objective, ShiftedSequence
from vitrina.sequence.recommender import Encoded
from vitrina.sequence.start import fitted_of
from vitrina.sequence.stopping import settled, validation_of
from vitrina.sequence.together import trained
from vitrina.sequence.train import Progress, Training

EFFORT = 2.0  # operations' worth of time that training takes per operation of its products
SAMPLED = 80  # answers of a product in the time of one that is looked up by itself
LIBRARY = 400 << 20  # bytes of PyTorch itself
LARGE = 500_000  # events of a log that carries a second block
OLD_EVENTS = "the start may have learned the events that the best epoch was chosen by, so that the best epoch comes early: give a validation of newer events"


@final
class SequenceModel(ModelConfig):
    """A transformer over the history, put together from parts: any block, any objective, any loss, any embedding.

    score[q, j] = similarity(state of the last event of q, vector of item j), the states coming from `layers` blocks over the last `length`
    events. Where events have weights, the loss is the mean over targets weighted by theirs; a history is read without them. Ready mixtures: `vt.SASRec()`, `vt.BERT4Rec()`, `vt.gSASRec()`, `vt.eSASRec()`; the parts are in `vt.sequence`.

    Args:
        embed: how an item becomes a vector; the table is both input and output.
        users: what is known of the person, added to every token; None looks at the history alone.
        events: what is read of an event beside its item, its kind and its value; None reads items alone.
        block: the kind of layer.
        layers: how many blocks; None is 1 for a log of fewer than 500,000 events and 2 from there, or as many as the `start` of a fit has.
        heads: of the attention of each block; divides `dim`.
        dim: size of a vector.
        dropout: share of activations that are dropped in training; None is 0.3 for a log of fewer than 500,000 events and 0.1 from there.
        length: the most recent events that are looked at.
        objective: what a window is asked.
        loss: what a wrong answer costs, with its negatives.
        similarity: dot product or cosine.
        reads_now: whether a block that looks at times is told the moment of asking: in training the time of the next event, and `now` when it
            answers. Without it the time of the last event is the latest that it knows. Where a split asks at the moment of the target (leave-one-out, and
            most targets of a cut in time), such a model sees the target's time, and boards mark it.
        personal: the visitor's own counts on top, for jobs with repeats.
        training: optimiser, batches, early stopping.
        seed: the same seed gives the same result on the same machine with as many threads; other processors, numbers of threads and GPUs round sums
            differently, and training makes that grow.

    Cost: an epoch costs events x items x dim for the full softmax, and windows x longest window^2 x dim for the attention. Trains on a GPU
    where there is one; answers on the CPU.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic(users=60, items=30)
    >>> model = vt.SequenceModel(dim=16, training=vt.sequence.Training(epochs=2))
    >>> model.fit(data).recommend(data.queries(), k=3).items.shape
    (60, 3)
    """

    takes_start: ClassVar[bool] = True
    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    takes_workers: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    embed: Embed = Ids(rare=0.2)
    users: UserFeatures | None = None
    events: EventInputs | None = None
    block: Block = LiGR()
    layers: int | None = Field(default=None, gt=0)
    heads: int = Field(default=1, gt=0)
    dim: int = Field(default=64, gt=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    length: int = Field(default=200, gt=0)
    objective: Objective = ShiftedSequence()
    loss: Loss = FullSoftmax()
    similarity: Similarity = DotProduct()
    personal: PersonalPopularity | None = None
    reads_now: bool = False
    training: Training = Training()
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"The 'dim' of a sequence model must be a multiple of 'heads'. Got dim={self.dim}, heads={self.heads}.")
        return self

    @model_validator(mode="after")
    def _has_a_clock(self) -> Self:
        if self.reads_now and not self.block.needs_time:
            raise ValueError(
                f"A sequence model with reads_now=True needs a block that looks at times, for example vt.sequence.HSTU(). Got block={self.block!r}"
            )
        return self

    def fit(
        self,
        data: Dataset,
        *,
        validation: Split | None = None,
        start: Recommender | None = None,
        report: Callable[[Progress], None] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Encoded:
        """Train until the validation metric stops getting better, and keep the weights that were best.

        Args:
            data: the log. Histories of one event teach nothing and are left out. Of a log in shards the windows lie in files while it is fitted.
                The workers of its executor, `data.on(local(2))`, train together: each takes its part of every batch, so that their number
                changes the time and, but for the elements that dropout draws and how sums are rounded, no result.
            validation: a split of `data` to stop by, `split.validation` where a split has one of its own. None makes it by the rule that made `data` (`data.holdout()`); where there is none, or
                it leaves one out, the last events of `Training.judges` people are held back. The network is trained on its training
                part, and when that lacks more than `Training.refit` of the events, again on all of `data` for as many epochs as were
                best. `Training(patience=None)` without a `validation` trains on all of `data` at once.
            start: a fitted sequence model, or an artifact of one, to go on from when people, events and items were added: `data` is the
                whole log of now. The body's weights and the vectors of known items, matched by their ids, are what they were; a new
                item starts from its content or features where the embedding has them, from the mean of the known items otherwise;
                features keep the vectors of their values. The optimiser is fresh. The start must have the same block, layers, heads,
                dim and length; loss, objective and training may differ. Events that the start has learned are no test of it: stop by
                a `validation` of newer ones, or take a fixed number of epochs.
            report: called after each epoch with how far it is; `report=print` shows it.
            checkpoint: folder in which the state after each epoch is kept, so that the same call goes on after a kill; emptied at the end.

        Raises:
            ArtifactError: the checkpoint is of another model, log, validation or start.
            ParameterError: the start doesn't fit this model, or knows none of the items; the validation is no split, or its metric has no
                value there; the report can't be called; or the training diverged.
            VocabularyError: the validation is of a log with other item codes.
            DataError: nobody has two events in the part that is trained on, the objective or the block needs real time and the log has none, or it lacks
                the kinds or values that `events` reads.
            SplitError: no validation part can be cut off; `Training(patience=None)` needs none.
        """
        for part, others in ((self.objective, "ShiftedSequence() or RandomTarget()"), (self.block, "LiGR()")):
            if part.needs_time and data.time_unit != "us":
                raise DataError(f"{part!r} needs events with real time, and {data!r} has none. Use {others}.")
        if self.events is not None:
            self.events.check(data)
        if report is not None and not callable(report):
            raise ParameterError(
                f"The 'report' of fit must be a function of the progress, for example report=print. Got {report!r}.",
                parameter="report",
                value=report,
            )
        fitted = None if start is None else fitted_of(start)
        sized, split = self.sized(data, fitted), validation_of(self.training, data, validation)

        def train(log: Dataset, part: Split | None, room: Path | None, state: Path | None, epochs: int | None) -> tuple[Fitting, Progress]:
            fitting = Fitting.of(sized, log, part, fitted, room)
            return fitting, trained(fitting, data.executor, room, report, state, epochs)

        fitting, progress, notes = settled(self, data, split, train, checkpoint, fitted)
        judged_by_old = start is not None and validation is None and split is not None
        known = Known.of(data, people=self.users is not None)
        notes = (*notes, *self._sizes_taken(sized, data, fitted), *(OLD_EVENTS,) * judged_by_old)
        return replace(fitting.recommender(known, notes), tables={"epochs": progress.table} if progress.metrics else {})

    def cost(self, size: Size) -> Cost:
        """Of two thirds of the epochs, which is where early stopping tends to end, on a log of ids."""
        layers = self.layers or (2 if size.events >= LARGE else 1)
        window = min(size.events / max(size.users, 1), self.length)
        weights = size.items * self.dim + layers * 14 * self.dim**2
        sampled = getattr(getattr(self.loss, "negatives", None), "n", None)
        answers = size.items if sampled is None else SAMPLED * min(sampled, size.items)
        token = 6 * layers * (14 * self.dim**2 + 2 * window * self.dim) + 6 * answers * self.dim
        epoch = size.events * token + size.events / self.training.tokens * 40 * weights  # the optimiser goes over all weights in each step
        room = LIBRARY + 24 * weights + 20 * size.events + 200 * layers * self.dim * self.training.tokens
        return Cost(room, 4 * weights, flops=EFFORT * max(self.training.epochs * 2 / 3, 1) * epoch)

    def sized(self, data: Dataset, start: Encoded | None = None) -> Self:
        """The same with the `layers` and `dropout` that a fit on `data` takes where they are None.

        >>> import vitrina as vt
        >>> sized = vt.SequenceModel().sized(vt.testing.synthetic(users=60, items=30))
        >>> sized.layers, sized.dropout
        (1, 0.3)
        """
        layers, dropout = (2, 0.1) if data.n_events >= LARGE else (1, 0.3)
        layers = layers if start is None else start.answering.layers
        return self.model_copy(update={"layers": self.layers or layers, "dropout": dropout if self.dropout is None else self.dropout})

    def _sizes_taken(self, sized: Self, data: Dataset, start: Encoded | None) -> tuple[str, ...]:
        """What was taken where this config leaves it open."""
        open_sizes = [name for name in ("layers", "dropout") if getattr(self, name) is None]
        by_start = [name for name in open_sizes if name == "layers" and start is not None]
        by_log = ", ".join(f"{name}={getattr(sized, name)}" for name in open_sizes if name not in by_start)
        notes = [f"{name}={getattr(sized, name)} as the start has" for name in by_start]
        return (*notes, *([f"{by_log} for a log of {data.n_events:,} events"] if by_log else []))
