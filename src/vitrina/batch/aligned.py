"""A log in the item codes of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from vitrina.base.errors import ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import Sharded
from vitrina.vocabulary import Vocabulary

OTHER_LOG = (
    "Ask it of people of the log it was fitted on, or fit a model on this one. Of a file, the item column may be another: --item, item=."
)


def aligned(data: Dataset, vocabulary: Vocabulary) -> Dataset:
    """The log in the item codes of a fitted model; events of items that it doesn't know are left out, and so is the item table.

    What a model that was fitted on another log is asked with: `model.recommend(vt.aligned(data, model.vocabulary).queries(), k=10)`.

    Raises:
        ParameterError: these are no Dataset and no Vocabulary.

    >>> import vitrina as vt
    >>> vt.aligned(vt.testing.toy(), vt.Vocabulary.of(["tea", "jam"]))
    Dataset('toy': 11 events, 6 users, 2 items)
    """
    if not isinstance(data, Dataset) or not isinstance(vocabulary, Vocabulary):
        raise ParameterError(
            "A log is put into the codes of a model by its vocabulary: vt.aligned(data, model.vocabulary). "
            f"Got a {type(data).__name__} and a {type(vocabulary).__name__}."
        )
    if data.items is vocabulary or (len(data.items) == len(vocabulary) and data.items.fingerprint() == vocabulary.fingerprint()):
        return data
    if isinstance(data, Sharded):
        return data.mapped(_Aligned(vocabulary), items=vocabulary, item_table=None)
    codes = vocabulary.encode(data.items.ids)[data.events.items]
    known = data.select(codes >= 0, items=vocabulary, item_table=None)
    return replace(known, events=replace(known.events, items=codes[codes >= 0]))


@final
@dataclass(frozen=True)
class _Aligned:
    """Of one shard."""

    vocabulary: Vocabulary

    def __call__(self, shard: Dataset) -> Dataset:
        return aligned(shard, self.vocabulary)
