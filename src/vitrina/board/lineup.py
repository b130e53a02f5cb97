"""Who takes part in a comparison: the given models by name, with the baselines beside them, all checked before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.board.baselines import baselines as strong_baselines
from vitrina.board.contenders import Contender
from vitrina.board.tune import Search
from vitrina.data.split import Split
from vitrina.jobs.specs import to_spec


def lineup(models: Sequence[Any] | Mapping[str, Any], split: Split, *, baselines: bool, baseline: str | None) -> list[Contender]:
    """All contenders, the given ones first.

    Args:
        models: in a list, or by name.
        split: that they are compared on.
        baselines: put the usual baselines beside them.
        baseline: the name of the one that all are to be compared with, or None.

    Raises:
        ParameterError: something is no model, is there twice, or can't be built in another process; nobody takes part.
        UnknownNameError: nobody has the name of the baseline.
    """
    named = _named(_checked(models))
    tuned = any(isinstance(m, Search) for m in named.values())
    added = strong_baselines(split, named.values(), tuned=tuned) if baselines else []
    contenders = [Contender(name, model) for name, model in named.items()]
    contenders += [replace(c, name=f"{c.name}, baseline" if c.name in named else c.name, candidate=baseline is None) for c in added]
    if not contenders:
        raise ParameterError("There is nothing to compare. Give at least one model, or baselines=True.")
    for contender in contenders:
        for model in contender.model.candidates(1) if contender.tuned else [contender.model]:
            to_spec(model)
    names = [c.name for c in contenders]
    if baseline is not None and baseline not in names:
        raise UnknownNameError.of("model on the board that could be the baseline", baseline, names)
    return contenders


def _checked(models: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
    """The models, if they are some."""
    if hasattr(models, "fit") or isinstance(models, Search):
        raise ParameterError(f"Models are given in a list, or by name: [{models!r}]. Got one model.")
    for model in models.values() if isinstance(models, Mapping) else models:
        if isinstance(model, type):
            raise ParameterError(f"The model {model.__name__} is a class. Give an object: {model.__name__}().")
        if not isinstance(model, Search) and not hasattr(model, "fit"):
            raise ParameterError(f"A model must have a method fit(data). Got {model!r}.")
    return models


def _named(models: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """By the given names; else by the class name where only one model has it, and the whole config otherwise."""
    if isinstance(models, Mapping):
        return dict(models)
    classes = [(m.model if isinstance(m, Search) else type(m)).__name__ for m in models]
    counts = Counter(classes)
    names = [cls if counts[cls] == 1 else repr(m) for cls, m in zip(classes, models, strict=True)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ParameterError(f"The model {twice[0]} is there twice. Give each model once, or names in a mapping.")
    return dict(zip(names, models, strict=True))
