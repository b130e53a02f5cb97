"""What metrics at a cut-off k have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import Field

from vitrina.base.config import Config
from vitrina.metrics.judged import Judged
from vitrina.types import Float64


class AtK(Config, ABC):
    """A metric of the first k places. Its name is `label@k`."""

    label: ClassVar[str]
    lower_is_better: ClassVar[bool] = False
    needs_history: ClassVar[bool] = False

    k: int = Field(default=10, ge=1)

    @property
    def name(self) -> str:
        return f"{self.label}@{self.k}"


class PerQuery(AtK, ABC):
    """A metric with one float64 a query; NaN where the query says nothing about it. The mean of the rest is the number."""

    @abstractmethod
    def per_query(self, judged: Judged) -> Float64: ...  # (queries,)
