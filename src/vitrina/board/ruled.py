"""Rules that hold for every model of a board, baselines too: each is fitted, and answers, under them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vitrina.base.errors import ParameterError
from vitrina.board.tune import Search
from vitrina.data.dataset import Dataset
from vitrina.rerank.reranked import Reranked
from vitrina.rerank.rules.ruled import Rules

FIRST = 20  # configurations of a search that are looked at


def under(rules: Rules | None, model: Any) -> Any:
    """The model with its lists under rules. A re-ranker that it has already orders inside of them.

    Raises:
        ParameterError: the model has rules of its own.

    >>> import vitrina as vt
    >>> rules = vt.Rules(rules={"no drinks": vt.rules.Hide(where={"aisle": "drinks"})})
    >>> under(rules, vt.Reranked(model=vt.EASE(), reranker=vt.MMR(diversity=0.5))).reranker.then
    MMR(diversity=0.5)
    """
    if rules is None:
        return model
    if not isinstance(model, Reranked):
        return Reranked(model=model, reranker=rules)
    if isinstance(model.reranker, Rules):
        raise ParameterError(
            f"A model has rules of its own ({', '.join(model.reranker.rules)}), and there are rules for all ({', '.join(rules.rules)}). "
            "Put them together into one set."
        )
    return model.model_copy(update={"reranker": Rules(rules=rules.rules, then=model.reranker)})


def own_rules(model: Any) -> list[Rules]:
    """The rules that a model has of its own, or the first configurations of a search.

    >>> import vitrina as vt
    >>> rules = vt.Rules(rules={"no drinks": vt.rules.Hide(where={"aisle": "drinks"})})
    >>> own_rules(vt.Reranked(model=vt.Reranked(model=vt.EASE(), reranker=rules), reranker=vt.MMR()))
    [Rules(rules={'no drinks': Hide(where={'aisle': 'drinks'})})]
    """
    found: list[Rules] = []
    waiting = model.candidates(FIRST) if isinstance(model, Search) else [model]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, Reranked):
            found += [one.reranker] if isinstance(one.reranker, Rules) and one.reranker not in found else []
            waiting.append(one.model)
    return found


def check_rules(rules: Any, models: Iterable[Any], train: Dataset) -> None:
    """Refuse what are no rules, what doesn't fit the log, and models that have rules of their own, before anything runs.

    Raises:
        ParameterError, UnknownNameError, DataError: says which rule.
    """
    if rules is None:
        return
    if not isinstance(rules, Rules):
        raise ParameterError(f"The 'rules' of compare must be a vt.Rules. Got {rules!r}.", parameter="rules", value=rules)
    rules.check(train)
    for given in models:
        for model in given.candidates(1) if isinstance(given, Search) else [given]:
            under(rules, model)


def in_words(rules: Rules | None) -> dict[str, str]:
    """Each rule as it was given, by its name."""
    return (
        {}
        if rules is None
        else {name: repr(rule) for name, rule in rules.rules.items()} | ({} if rules.then is None else {"then": repr(rules.then)})
    )
