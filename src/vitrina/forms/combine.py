"""How the weights from a history's items to one item become its score. Public as `vt.combine`."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, final

from vitrina.base.config import Config

__all__ = ["Max", "Product", "Sum"]


class Combine(Config, ABC):
    """Several weights to one score; a[h] is the decay weight of the history's item h."""

    code: ClassVar[int]  # its branch in the kernels of the item map


@final
class Sum(Combine):
    """score[j] = sum over h of a[h] * weight[h, j]."""

    code: ClassVar[int] = 0


@final
class Max(Combine):
    """score[j] = max over h of a[h] * weight[h, j]: one strong reason is enough."""

    code: ClassVar[int] = 1


@final
class Product(Combine):
    """score[j] = sum over h of log(1 + a[h] * weight[h, j]), the logarithm of a product: several reasons beat one strong one.

    An item that h doesn't point to has the factor 1. Weights must be above -1.
    """

    code: ClassVar[int] = 2
