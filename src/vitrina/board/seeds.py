"""A model with other seeds: found in its plain values, so that a model inside a wrapper is found as one by itself is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SEED = "seed"
OBJECT = ("class", "name")  # keys that the plain values of an object have, and a mapping hasn't


def with_seeds(spec: Any, fits: int) -> list[Any]:
    """The plain values of one model with its seed, its seed + 1, ...; of a model without a seed once.

    Whatever has a seed inside it moves along: the model of a `Reranked`, and its re-ranker.

    Args:
        spec: from `to_spec`.
        fits: how many.

    >>> from vitrina import Popularity, RandomItems
    >>> from vitrina.jobs.specs import to_spec
    >>> with_seeds(to_spec(RandomItems(seed=7)), 2)
    [{'name': 'RandomItems', 'seed': 7}, {'name': 'RandomItems', 'seed': 8}]
    >>> len(with_seeds(to_spec(Popularity()), 2))
    1
    """
    return [_moved(spec, by) for by in range(fits if any(True for _ in seeds(spec)) else 1)]


def seeds(spec: Any) -> Iterator[int]:
    """Every seed in the plain values of a model."""
    if isinstance(spec, Mapping):
        if _has_seed(spec):
            yield spec[SEED]
        for part in spec.values():
            yield from seeds(part)
    elif isinstance(spec, list):
        for part in spec:
            yield from seeds(part)


def _moved(spec: Any, by: int) -> Any:
    if isinstance(spec, list):
        return [_moved(part, by) for part in spec]
    if not isinstance(spec, Mapping):
        return spec
    moved = {name: _moved(part, by) for name, part in spec.items()}
    return moved | {SEED: spec[SEED] + by} if _has_seed(spec) else moved


def _has_seed(spec: Mapping[str, Any]) -> bool:
    seed = spec.get(SEED)
    return any(key in spec for key in OBJECT) and isinstance(seed, int) and not isinstance(seed, bool)
