"""What a fitted coder is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from vitrina.base.state import State
from vitrina.types import Float32, Int32


class FittedCoder(ABC):
    """Codebooks: gives further vectors their codes, and codes the vectors that they stand for. `vt.save` keeps it, alone or with the codes."""

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """How many values each digit has."""

    @abstractmethod
    def encode(self, vectors: Float32) -> Int32:
        """(n, digits) codes of vectors (n, dim)."""

    @abstractmethod
    def decode(self, codes: Int32) -> Float32:
        """(n, dim) the vectors that codes (n, digits) stand for."""

    @abstractmethod
    def state(self) -> State: ...
