"""What the configs of all autoencoders share: sizes that fit the log, a sample of the catalogue where it is large, and the fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from vitrina.base.errors import MissingExtraError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.base import Form
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender

if TYPE_CHECKING:
    from vitrina.autoencoders.nets import VariationalNet

LARGE = 50_000  # items from which a batch is scored on a sample of them
SAMPLE = 20_000
CHUNKS = 512 << 20  # bytes of the logits of a chunk of people, and of what is made of them
FLOAT = 4


class AutoencoderConfig(ModelConfig, ABC):
    """The shared part: see the models."""

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    passes: ClassVar[int] = 1  # over the people in an epoch

    hidden: int | None = Field(default=None, gt=0)
    dim: int | None = Field(default=None, gt=0)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    negatives: int | None = Field(default=None, gt=0)
    epochs: int = Field(default=100, gt=0)
    patience: int | None = Field(default=10, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    batch: int = Field(default=500, gt=0)
    seed: int = Field(default=0, ge=0)

    def sizes(self, items: int) -> tuple[int, int]:
        """`hidden` and `dim` of a catalogue of so many items, where they are None: 600 and 200 as published, a third of it where it is large or small."""
        hidden, dim = (600, 200) if 1000 <= items <= LARGE else (200, 64)
        return self.hidden or hidden, self.dim or dim

    def sample(self, items: int) -> int | None:
        """How many items a batch is scored on beside its own; None is all of them."""
        return self.negatives or (SAMPLE if items > LARGE else None)

    def fit(
        self,
        data: Dataset,
        *,
        validation: Split | None = None,
        start: Recommender | None = None,
        report: Callable[[Any], None] | None = None,
    ) -> Form:
        """Train until nDCG@100 of held-out parts of held-out people stops getting better, and keep the epoch that was best.

        Args:
            data: the log. People with one event teach nothing and are left out. Of a log in shards the histories lie in files while it is fitted.
            validation: a split of `data` to stop by: the network is trained on its training part. None holds back a tenth of the people, at most 2,000.
            report: called after each epoch with how far it is; `report=print` shows it.

        Raises:
            DataError: nobody has two events in the part that is trained on.
            MissingExtraError: PyTorch is not installed.
            ParameterError: the training diverged.
        """
        if report is not None and not callable(report):
            raise ParameterError(
                f"The 'report' of fit must be a function of the progress, for example report=print. Got {report!r}.",
                parameter="report",
                value=report,
            )
        if validation is not None:
            validation.train.items.require_compatible(data.items, "events of the validation")
        try:
            from vitrina.autoencoders.trainer import trained  # noqa: PLC0415  PyTorch is an extra, and what is fitted doesn't need it
        except ImportError:
            raise MissingExtraError.of("PyTorch", "torch", type(self).__name__) from None
        return trained(self, data, validation, report)

    @abstractmethod
    def network(self, items: int) -> VariationalNet:
        """The network with weights that mean nothing yet, over tables of so many items."""

    @abstractmethod
    def widths(self, items: int) -> tuple[int, int]:
        """How many numbers of an item the tables before and after the dense layers have."""

    def cost(self, size: Size) -> Cost:
        """Tables with their gradients, two moments, the best epoch's and what answers; half of the epochs, as most fits stop early."""
        before, after = self.widths(size.items)
        hidden, dim = self.sizes(size.items)
        kept = FLOAT * size.items * (before + after)
        sample = self.sample(size.items)
        columns = size.items if sample is None else min(size.items, sample + self.batch * size.entries // max(size.users, 1))
        passes = self.passes * self.epochs / 2 * 0.9 * size.users
        dense = self.dense_layers * hidden * hidden + 4 * hidden * dim
        steps = passes * (size.entries / max(size.users, 1)) * before + passes / self.batch * 8 * size.items * (before + after)
        return Cost(memory=6 * kept + CHUNKS + 12 * size.events, kept=kept, flops=6 * passes * (columns * after + dense), steps=steps / 8)

    dense_layers: ClassVar[int] = 0
