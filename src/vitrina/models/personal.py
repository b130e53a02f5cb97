"""What the person took before, again: the baseline to beat wherever people repeat."""

from __future__ import annotations

from typing import Any, final

from vitrina.config import Config
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.models.forms import Personal
from vitrina.models.history import Fade


@final
class TopPersonal(Config):
    """Rank the items of the history by how often the person took them; popularity fills the rest of the list.

    score[q, i] = sum over the events e of i in the history of q of 0.5 ^ (age of e / half_life), or their count without a
    fade. GP-TopFreq of [Li et al. 2021](https://arxiv.org/abs/2109.14233). Only a job with `repeat=True` can show what was
    taken before: without it every place is filled from popularity.

    Args:
        fade: how old events lose weight: `FadeByDays`, `FadeByBaskets` or `FadeByEvents`; None counts all alike.

    Raises:
        DataError: the fade needs real time and the log has none.

    Cost: nothing to fit; a query costs the length of its history.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> lists = vt.TopPersonal().fit(data).recommend(data.queries(), k=3, eligible=vt.Eligibility(repeat=True))
    >>> data.titles(lists.items[0])
    ['Green tea', 'Whole milk', 'Rye bread']
    """

    fade: Fade | None = None

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Any = None) -> Personal:
        if self.fade is not None:
            self.fade.require(data)
        return Personal(data.items, data.catalogue, self.fade)
