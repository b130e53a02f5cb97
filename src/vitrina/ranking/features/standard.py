"""The groups of features for a log, where nobody has chosen any."""

from __future__ import annotations

from vitrina.data.dataset import Dataset
from vitrina.ranking.features.affinity import Affinity
from vitrina.ranking.features.base import FeatureGroup
from vitrina.ranking.features.items import ItemCounters
from vitrina.ranking.features.own import UserItemCounters
from vitrina.ranking.features.people import UserCounters
from vitrina.ranking.features.relations import Relations
from vitrina.ranking.features.scores import SourceScores
from vitrina.ranking.features.trends import Trends


def standard(data: Dataset) -> tuple[FeatureGroup, ...]:
    """All groups that the log has what it takes for: Trends where there are real times, Affinity where there are categories or numbers of items, or values.

    >>> import vitrina as vt
    >>> [type(group).__name__ for group in standard(vt.testing.toy())]
    ['SourceScores', 'Relations', 'UserItemCounters', 'UserCounters', 'ItemCounters', 'Trends', 'Affinity']
    """
    groups: list[FeatureGroup] = [SourceScores(), Relations(), UserItemCounters(), UserCounters(), ItemCounters()]
    if data.time_unit == "us":
        groups.append(Trends())
    table = data.item_table
    described = table is not None and any(kind != "text" and name != table.title for name, kind in table.kinds.items())
    if described or data.events.values is not None:
        groups.append(Affinity())
    return tuple(groups)
