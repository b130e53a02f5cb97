"""Holding something to its laws, and the laws that every recommender keeps; one line in a test holds a model to them, your own too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.data.dataset import Dataset
from vitrina.protocols import Model
from vitrina.testing.cases import BrokenLawError, Case, NotAskedError, contract_data
from vitrina.testing.laws import LAWS


class ContractError(AssertionError):
    """A model, a metric, a block or a re-ranker broke laws; the message names each with its first counterexample."""


@dataclass(frozen=True)
class ContractReport:
    """Which laws a model, a metric, a block or a re-ranker keeps, and which could not be asked of it, with the reason."""

    model: str  # or metric, block, re-ranker
    kept: tuple[str, ...]  # names of laws
    skipped: dict[str, str]

    def __str__(self) -> str:
        lines = [f"{self.model} keeps {len(self.kept)} laws: {', '.join(self.kept)}."]
        return "\n".join(lines + [f"Not asked: {name} ({reason})" for name, reason in self.skipped.items()])


def check_model(model: Model, data: Dataset | None = None, *, laws: Iterable[str] | None = None) -> ContractReport:
    """Hold a model to the laws of a recommender; raise if it breaks one.

    | law | what it says |
    |---|---|
    | `config` | the config is frozen, equals its copy, and goes through `to_plain` and JSON |
    | `lists` | arrays are (queries, k) of int32 and float32, no item twice, pads of -1 at the end |
    | `scores` | model places have finite scores, best first; places of the fallback have NaN and come after |
    | `ties` | equal scores stand in the order of the item codes |
    | `prefix` | a shorter list is the beginning of a longer one |
    | `batch` | a query alone gets what it gets among others |
    | `seen` | without `repeat` no item of the history comes back |
    | `full` | a list is short only where too few items are eligible |
    | `eligible` | only `include`, never `exclude`, whether for all queries or a row per query |
    | `nobody` | an empty history and one of unknown items get full lists |
    | `score` | `score` and `score_pairs`, where it has them, agree with `recommend` |
    | `encode` | where it encodes, finite scores are the product of the query's vector and the item's |
    | `relabel` | other item codes give the same lists of ids |
    | `grown` | a query encoded with more item ids than the model knows gets the same list |
    | `again` | fitting twice gives the same lists |
    | `shards` | a log in three shards gives the lists of one |
    | `shards_only` | a log of which only the shards can be read gives the lists of one, or is refused |
    | `saved` | saved and loaded it answers the same |
    | `data` | fitting and recommending change neither the log nor the queries |
    | `lean` | the recommender doesn't keep the training data |
    | `timeless` | a log without times, values and kinds is served, or refused with a DataError |
    | `untimed` | fitted with times, it answers a visitor whose history has none |
    | `baskets` | a log with baskets is served |
    | `weights` | weights of 1 change nothing, events of weight 0 count for nothing, other weights are read, or the notes say they aren't |
    | `dislikes` | what a person disliked is not recommended, nor read as interest |

    Args:
        model: a config with `fit`.
        data: a small log; made up if not given: 60 people, 36 items with text, times and values.
        laws: only these.

    Returns:
        The laws kept, and those that could not be asked.

    Raises:
        ContractError: a law is broken; the message has the first counterexample of each.
        ParameterError: this is no model.
        UnknownNameError: there is no such law.

    Cost: about twenty fits on the small log.

    >>> import vitrina as vt
    >>> print(vt.testing.check_model(vt.Popularity(), laws=["seen", "batch"]))
    Popularity() keeps 2 laws: batch, seen.
    """
    require_fit(model, "model", "vt.EASE()")
    return held_to(LAWS, laws, Case(model, contract_data() if data is None else data), repr(model), "recommender")


def require_fit(thing: Any, what: str, example: str) -> None:
    """Refuse what can't be fitted."""
    if isinstance(thing, type) or not callable(getattr(thing, "fit", None)):
        raise ParameterError(f"A {what} is an object with a method fit(data), such as {example}. Got {thing!r}.")


def held_to(known: Mapping[str, Callable[[Any], None]], only: Iterable[str] | None, case: Any, named: str, what: str) -> ContractReport:
    """Ask every law, or only some, of a case.

    Args:
        known: law by name; one raises `BrokenLawError` with a counterexample, or `NotAskedError` with the reason.
        only: names of laws; None takes all.
        case: what the laws are tried on.
        named: who is held to them.
        what: it should be: "recommender".

    Raises:
        ContractError: a law is broken; the message has the first counterexample of each.
        UnknownNameError: there is no such law.
    """
    wanted = set(known) if only is None else set(only)
    for name in sorted(wanted - set(known)):
        raise UnknownNameError.of("law", name, known)
    kept, skipped, broken = [], {}, []
    for name in (n for n in known if n in wanted):
        try:
            known[name](case)
            kept.append(name)
        except NotAskedError as reason:
            skipped[name] = str(reason)
        except BrokenLawError as counterexample:
            broken.append(f"{name}: {counterexample}")
        except Exception as error:
            broken.append(f"{name}: raised {type(error).__name__}: {error}")
    if broken:
        count = "a law" if len(broken) == 1 else f"{len(broken)} laws"
        raise ContractError(f"{named} breaks {count} of a {what}.\n" + "\n".join(broken))
    return ContractReport(named, tuple(kept), skipped)
