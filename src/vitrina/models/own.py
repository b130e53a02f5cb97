"""Recommenders that were written outside of Vitrina and have `recommend` alone: what stands in for the rest of the contract."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any, cast

from vitrina.base.errors import ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.protocols import Recommender

CONTRACT = ("vocabulary", "catalogue", "notes", "recommend", "score", "score_pairs", "encode", "item_vectors", "adds", "tables", "explain")


def fit_on(model: Any, split: Split) -> Any:
    """What the model makes of the training part. A split with a validation part of its own gives that to models that take one.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.LeaveOneOut(strict=True, repeat=True))
    >>> int(fit_on(vt.Popularity(), split).catalogue.events.sum())
    8
    """
    takes = split.validation is not None and "validation" in inspect.signature(model.fit).parameters
    return model.fit(split.train, validation=split.validation) if takes else model.fit(split.train)


def completed(recommender: Any, data: Dataset) -> Recommender:
    """`recommender`, with what it lacks of the contract: the items and the catalogue of `data`, which it was fitted on, and no notes.

    Raises:
        ParameterError: it can't recommend; says what to write.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> class Mine:
    ...     def recommend(self, queries, k, *, eligible=vt.Eligibility()): ...
    >>> completed(Mine(), data).catalogue is data.catalogue
    True
    """
    if not callable(getattr(recommender, "recommend", None)):
        raise ParameterError(
            "The fit of a model must return a recommender, an object with recommend(queries, k, *, eligible=vt.Eligibility()); see "
            f"vitrina.protocols.Recommender. Got a {type(recommender).__name__}."
        )
    if isinstance(recommender, Recommender):
        return recommender
    own = {name: getattr(recommender, name) for name in CONTRACT if hasattr(recommender, name)}
    return cast(Recommender, SimpleNamespace(**({"vocabulary": data.items, "catalogue": data.catalogue, "notes": ()} | own)))
