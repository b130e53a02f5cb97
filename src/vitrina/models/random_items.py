"""Random lists: what a metric is worth when nothing is known."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.shuffled import Shuffled
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender


@final
class RandomItems(ModelConfig):
    """The catalogue in an order of each query's own: every item is equally likely at every place.

    The order depends on the seed, the user and the items of the history, so the same query gets the same list again.

    Args:
        seed: another seed gives other lists.

    Cost: a query costs k and the length of its history, whatever the size of the catalogue.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> recommender = vt.RandomItems(seed=1).fit(data)
    >>> once, again = (recommender.recommend(data.queries(), k=5).items for _ in range(2))
    >>> (once == again).all(), len(set(map(tuple, once.tolist()))) > 290
    (np.True_, True)
    """

    reads_shards: ClassVar[bool] = True
    seed: int = Field(default=0, ge=0, lt=2**31)

    def cost(self, size: Size) -> Cost:
        return Cost(16 * size.items, 16 * size.items, steps=2 * size.events)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> Shuffled:
        return Shuffled(data.items, data.catalogue, self.seed)
