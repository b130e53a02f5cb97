"""Next baskets from the person's own frequencies and those of similar people."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic import Field

from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.neighbours import Neighbours
from vitrina.forms.profile import BasketProfile
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.models.people import BYTES, kept_vectors
from vitrina.protocols import Recommender


@final
class TifuKNN(ModelConfig):
    """Own item frequencies, recent baskets weighing more, blended with those of the nearest people. [Hu et al. 2020](https://arxiv.org/abs/2006.00556).

    The n baskets of a person are cut into G = min(n, groups) runs of equal length (longer runs last), and

        vector = 1/G sum over runs g = 0..G-1 of between^(G-1-g) * mean over baskets i of run g of within^(n-1-i) * basket_i
        score  = alpha * own vector + (1 - alpha) * mean of the vectors of the `neighbours` nearest people (Euclidean)

    with basket_i the 0/1 vector of its items (where events have weights, the largest of the item's in the basket), 0 the oldest. Baskets come
    from the basket column, by their ids; without one, events with one time are a basket, and
    without times each event is. The own vector is made of the query's history, so new people are served; the neighbours
    are looked for among the people of the fit, whose ids and vectors (not their logs) the recommender keeps; `similar_users` tells who is near to whom. Who is among them
    and asks with the same history finds himself as the nearest: his own weight is then alpha + (1 - alpha) / neighbours.
    No basket weighs less than 2^-1000, and what float32 can't hold keeps its order. It is made for repeat consumption: ask with `repeat=True`. An item that neither the person nor a neighbour took has
    no score.

    Args:
        neighbours: how many people to average; all of them where there are fewer.
        groups: runs that the baskets are cut into.
        within: weight of a basket relative to the next one, 0 to 1.
        between: weight of a run relative to the next one, 0 to 1.
        alpha: weight of the own vector, 0 to 1.
        short: where the baskets of a history with fewer than `groups` of them stand: "newest" lets the last one weigh 1,
            "oldest" lets it weigh between^(groups - n), as the authors' program does. It matters when people with short
            and long histories are compared.

    Raises:
        MemoryBudgetError: the vectors of the people won't fit.

    Cost: fit is linear in the events, and keeps 16 bytes per pair of person and item, of a log in shards too. A query costs the people that share an item with it plus one pass over all people;
    memory is O(threads x people) and one block of scores.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> recommender = vt.TifuKNN(neighbours=2).fit(data)
    >>> recommender.recommend(data.queries(), k=3, eligible=vt.Eligibility(repeat=True)).items.shape
    (6, 3)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    neighbours: int = Field(default=300, ge=1)
    groups: int = Field(default=7, ge=1)
    within: float = Field(default=0.9, gt=0, le=1)
    between: float = Field(default=0.7, gt=0, le=1)
    alpha: float = Field(default=0.7, ge=0, le=1)
    short: Literal["newest", "oldest"] = "newest"

    def cost(self, size: Size) -> Cost:
        return Cost(BYTES * size.entries + 24 * size.users, 8 * size.entries + 8 * size.users, steps=40 * size.events)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> Neighbours:
        profile = BasketProfile(self.within, self.between, self.groups, self.short)
        vectors, people = kept_vectors(self, profile, data)
        return Neighbours(data.items, data.catalogue, profile, vectors, self.neighbours, self.alpha, people)
