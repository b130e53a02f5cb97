"""Item to item: what is like one item, of what may be shown."""

from __future__ import annotations

from typing import Any

from vitrina.base.errors import ParameterError
from vitrina.forms.base import Form
from vitrina.protocols import Recommender
from vitrina.ranking.ranked import RankedLists


def related(recommender: Recommender) -> Any:
    """What says which items are alike: the model, or the first of its sources that does.

    Raises:
        ParameterError: nothing does.
    """
    inside = recommender.sources.recommenders if isinstance(recommender, RankedLists) else ()
    for one in (recommender, *inside):
        if hasattr(one, "similar_items") and not (isinstance(one, Form) and type(one).item_relations is Form.item_relations):
            return one
    raise ParameterError(
        f"{recommender!r} says nothing of what is alike. Similar items come from co-occurrence, EASE, content and sequence models: let one of them serve."
    )
