"""What metrics at a cut-off k have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.printing import first_paragraph
from vitrina.metrics.judged import Judged
from vitrina.types import Float64


class AtK(Config, ABC):
    """A metric of the first k places. Its name is `label@k`, with other parameters in brackets: `label(p=0.5)@k`.

    A metric says `label`, `needs` and, for readers of the report, itself `in_words`; its definition is the first paragraph of its docstring.
    """

    label: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    lower_is_better: ClassVar[bool] = False
    in_words: ClassVar[str] = ""

    k: int = Field(default=10, ge=1)

    @property
    def name(self) -> str:
        return f"{self.label}{parameters_of_name(self, but='k')}@{self.k}"

    @property
    def definition(self) -> str:
        return first_paragraph(type(self))


class PerQuery(AtK, ABC):
    """A metric with one float64 per query; NaN where the query says nothing about it. The mean of the rest is the number."""

    @abstractmethod
    def per_query(self, judged: Judged) -> Float64: ...  # (queries,)


def parameters_of_name(config: Config, *, but: str = "") -> str:
    """ "(seed=1)": the parameters that are not the defaults, so that two different metrics never share a name; "" where there are none."""
    fields = ((name, getattr(config, name), field.default) for name, field in type(config).model_fields.items() if name != but)
    changed = [f"{name}={value!r}" for name, value, default in fields if value != default]
    return f"({', '.join(changed)})" if changed else ""
