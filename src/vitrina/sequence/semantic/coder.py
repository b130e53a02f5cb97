"""What a coder is: a config that gives the items of a log their codes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from vitrina.base.config import Config
from vitrina.data.dataset import Dataset
from vitrina.sequence.semantic.codes import SemanticCodes
from vitrina.types import Float32


class Coder(Config, ABC):
    """A way to give items semantic codes."""

    @abstractmethod
    def fit(self, data: Dataset, vectors: Float32 | None = None) -> SemanticCodes:
        """The codes of the items of `data`, a row per item of its vocabulary.

        Args:
            data: the log; read for its items and what describes them.
            vectors: (items, dim) to make codes of; zeros for an item that gets none. None takes those that the coder makes itself.
        """
