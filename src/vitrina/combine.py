"""How several weights become a score, under the name that people type: `vt.combine.Max()`."""

from vitrina.models.combine import Max, Product, Sum

__all__ = ["Max", "Product", "Sum"]
