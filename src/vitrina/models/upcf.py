"""Next baskets from what the person and the people with the most alike sets of items took of late."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.like_minded import LikeMinded
from vitrina.forms.profile import RecentProfile
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.models.people import BYTES, kept_vectors
from vitrina.protocols import Recommender


@final
class UpCF(ModelConfig):
    """Recent popularity of each item with the person himself, and with the people whose sets of items are most alike. [Faggioli et al. 2020](https://doi.org/10.1145/3340631.3394850).

        popularity[p, i] = in how many of the newest `recent` of the n baskets of p item i is / min(recent, n)
        likeness[q, p]   = shared items / (items of q ^ asymmetry * items of p ^ (1 - asymmetry) + shrinkage)
        score[q, i]      = popularity[q, i] + sum over the `neighbours` most alike p of likeness[q, p] ^ locality * popularity[p, i]

    UP-CF@r with the likeness of [Aiolli 2013](https://doi.org/10.1145/2507157.2507189). Sets are of all items of a history, old ones too; baskets are told as by `TifuKNN`, and
    where events have weights, the largest of an item's in a basket counts. The own popularity comes from the query's history, so new people are served; the neighbours are people of the fit,
    whose ids and vectors (not their logs) the recommender keeps. Who is among them and asks with the same history finds himself as the nearest, so that his own part counts
    twice where `shrinkage` is 0. A locality of 10 leaves the own items in front and lets neighbours tell those apart that were taken equally often; what float32 can't hold keeps its order.
    It is made for repeat consumption: ask with `repeat=True`. An item without a part has no score.

    Args:
        neighbours: how many people to add up; all of them where there are fewer.
        recent: baskets that popularity looks at; 10 to 25 in published results.
        locality: exponent of the likeness: the larger, the fewer neighbours matter (10 to 100 in published results; on validation 2 for the short
            histories of Ta-Feng, 10 for the long ones of Complete Journey).
        asymmetry: 0 to 1; what is above 0.5 prefers people with small sets.
        shrinkage: shared items that are needed to be believed; 0 in the paper.

    Raises:
        MemoryBudgetError: the vectors of the people won't fit.

    Cost: fit is linear in the events, and keeps 12 bytes per pair of person and item, and 5 more once it answers, of a log in shards too. A query costs the people that share an item with it and
    the vectors of its neighbours; memory is O(threads x (people + items)) and a block of scores.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> recommender = vt.UpCF(neighbours=2).fit(data)
    >>> recommender.recommend(data.queries(), k=3, eligible=vt.Eligibility(repeat=True)).items.shape
    (6, 3)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    neighbours: int = Field(default=300, ge=1)
    recent: int = Field(default=25, ge=1)
    locality: float = Field(default=5, gt=0)
    asymmetry: float = Field(default=0.75, ge=0, le=1)
    shrinkage: float = Field(default=0, ge=0)

    def cost(self, size: Size) -> Cost:
        return Cost(memory=BYTES * size.entries, kept=12 * size.entries, steps=4 * size.events)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> LikeMinded:
        profile = RecentProfile(self.recent)
        vectors, people = kept_vectors(self, profile, data)
        settings = {name: getattr(self, name) for name in ("neighbours", "asymmetry", "shrinkage", "locality")}
        return LikeMinded(data.items, data.catalogue, profile, vectors, people, **settings)
