"""What the person took before, again: the baseline to beat wherever people repeat."""

from __future__ import annotations

from typing import ClassVar, final

from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.decay import Decay
from vitrina.forms.personal import Personal
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender


@final
class TopPersonal(ModelConfig):
    """Rank the items of the history by how often the person took them; popularity fills the rest of the list.

    score[q, i] = sum over the events e of i in the history of q of the weight of e in the log, times what the decay leaves of
    it: without both their count. GP-TopFreq of [Li et al. 2021](https://arxiv.org/abs/2109.14233). Only a job with `repeat=True` can show what was
    taken before: without it every place is filled from popularity.

    Args:
        decay: how old events lose weight, one of `vt.decay`: `vt.decay.Exponential(days=60)`; None counts all alike.

    Raises:
        DataError: the decay needs real time and the log has none.

    Cost: nothing to fit; a query costs the length of its history.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> lists = vt.TopPersonal().fit(data).recommend(data.queries(), k=3, eligible=vt.Eligibility(repeat=True))
    >>> data.titles(lists.items[0])
    ['Green tea', 'Whole milk', 'Rye bread']
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    decay: Decay | None = None

    def cost(self, size: Size) -> Cost:
        return Cost(16 * size.items, 16 * size.items, steps=2 * size.events)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> Personal:
        if self.decay is not None:
            self.decay.require(data)
        return Personal(data.items, data.catalogue, self.decay)
