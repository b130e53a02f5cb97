"""Hyper-parameters as lists or ranges, and the seeded random search over them."""

from __future__ import annotations

import itertools
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Self, final

import numpy as np
from pydantic import Field, model_validator

from vitrina.base.config import Config, fingerprint
from vitrina.base.errors import ParameterError
from vitrina.jobs.specs import to_spec

PRODUCT_LIMIT = 10_000  # of a finite space that is written out and shuffled; a larger one is drawn from


@final
class Range(Config):
    """Every value between two ends, both included; in a config file `{low = 1, high = 1000, log = true}`.

    Args:
        low: the smallest value.
        high: the largest value.
        log: draw the logarithm evenly, for parameters that matter by their order of magnitude.

    >>> Range(low=1, high=1000, log=True)
    Range(low=1, high=1000, log=True)
    """

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, and {self.low} is not below {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range must begin above 0, and low is {self.low}")
        return self

    def draw(self, rng: np.random.Generator, *, whole: bool) -> int | float:
        """One value: a whole number, or a number rounded to four significant digits."""
        ends = np.log([self.low, self.high]) if self.log else np.array([self.low, self.high], float)
        value = float(np.exp(rng.uniform(*ends)) if self.log else rng.uniform(*ends))
        if whole:
            return int(np.clip(round(value), np.ceil(self.low), np.floor(self.high)))
        return float(np.clip(float(f"{value:.4g}"), self.low, self.high))


@final
class Search(Config):
    """A model class and what to try for its parameters; made by `tune`."""

    model: Any
    space: dict[str, Any]  # name -> tuple of choices, Range, or what is searched inside: a Search, or a Together of several
    fixed: dict[str, Any] = Field(default_factory=dict)

    def __repr__(self) -> str:
        searched = {n: list(v) if isinstance(v, tuple) else v for n, v in self.space.items()}
        return f"tune({', '.join([self.model.__name__, *(f'{n}={v!r}' for n, v in (searched | self.fixed).items())])})"

    __str__ = __repr__

    @property
    def size(self) -> int | None:
        """How many different configurations there are; None if a range makes them countless, or a part is searched too."""
        choices = [len(v) for v in self.space.values() if isinstance(v, tuple)]
        return int(np.prod(choices)) if len(choices) == len(self.space) else None

    def candidates(self, trials: int, seed: int = 0) -> list[Any]:
        """`trials` different configurations in a seeded random order; all of them where there are no more. More trials only append.

        >>> import vitrina as vt
        >>> vt.tune(vt.Popularity, half_life=[1, 7, 30]).candidates(2, seed=1)
        [Popularity(half_life=30.0), Popularity(half_life=1.0)]
        """
        rng = np.random.default_rng([seed, *map(ord, self.model.__name__)])
        different: dict[str, Any] = {}
        drawn = self._shuffled(rng) if (self.size or PRODUCT_LIMIT + 1) <= PRODUCT_LIMIT else self._endless(rng)
        for parameters in itertools.islice(drawn, 100 * trials):
            model = self.model(**parameters, **self.fixed)
            different.setdefault(fingerprint(to_spec(model)), model)
            if len(different) >= trials:
                break
        return list(different.values())

    def _shuffled(self, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
        every = list(itertools.product(*self.space.values()))
        for place in rng.permutation(len(every)):
            yield dict(zip(self.space, every[place], strict=True))

    def _endless(self, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
        while True:
            yield {name: _drawn(of, rng, whole=_is_whole(self.model, name, of)) for name, of in self.space.items()}

    def draw(self, rng: np.random.Generator) -> Any:
        """One configuration."""
        return self.model(**next(self._endless(rng)), **self.fixed)


@final
class Together(Config):
    """A tuple of which some elements are searched."""

    of: tuple[Any, ...]

    def __repr__(self) -> str:
        return repr(self.of)

    __str__ = __repr__

    def draw(self, rng: np.random.Generator) -> tuple[Any, ...]:
        """One of each."""
        return tuple(part.draw(rng) if isinstance(part, Search) else part for part in self.of)


def _drawn(of: Any, rng: np.random.Generator, *, whole: bool) -> Any:
    """A value of a part of the space."""
    if isinstance(of, tuple):
        return of[rng.integers(len(of))]
    return of.draw(rng, whole=whole) if isinstance(of, Range) else of.draw(rng)


def tune(model: Any, /, **parameters: Any) -> Search:
    """A search space: lists and ranges are tried, everything else is fixed.

    A list holds the values to try (plain values or parts of a model); a parameter that is itself a list goes in as a list of one
    list. A range is a `Range`, or a mapping with `low`, `high` and `log`, as config files write it. A part may be searched as well: a `tune` inside of
    a `tune`, alone or in a tuple.

    Args:
        model: a class of models, or a function that returns one with its own defaults, such as `vt.SASRec`.
        parameters: of the model.

    Raises:
        ParameterError: nothing is searched, a list is empty, or a value is outside a parameter's domain.

    >>> import vitrina as vt
    >>> vt.tune(vt.Popularity, days=vt.Range(low=7, high=90, log=True), by="events")
    tune(Popularity, days=Range(low=7, high=90, log=True), by='events')
    >>> vt.tune(vt.Cooccurrence, weighting=vt.tune(vt.weighting.BM25, b=[0.5, 1.0]), last=5).candidates(1)
    [Cooccurrence(weighting=BM25(b=0.5), last=5)]
    """
    space: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, Range) or is_range(value):
            space[name] = value if isinstance(value, Range) else Range(**value)
        elif isinstance(value, list):
            space[name] = tuple(value)
        elif isinstance(value, Search):
            space[name] = value
        elif isinstance(value, tuple) and any(isinstance(part, Search) for part in value):
            space[name] = Together(of=value)
    empty = [name for name, of in space.items() if of == ()]
    if empty or not space:
        what = f"has no values for {empty[0]!r}" if empty else "has nothing to search"
        raise ParameterError(
            f"The search over {model.__name__} {what}. Give a parameter as a list, or as a Range(low=..., high=...).",
            owner=model.__name__, parameter=empty[0] if empty else None,
        )  # fmt: skip
    fixed = {name: value for name, value in parameters.items() if name not in space}
    if not isinstance(model, type):  # a recipe: a function that fills a model in
        filled = model()
        model, fixed = type(filled), {name: getattr(filled, name) for name in filled.model_fields_set - set(space)} | fixed
    search = Search(model=model, space=space, fixed=fixed)
    _check_domains(search)
    return search


def is_range(value: Any) -> bool:
    """Whether a mapping from a config file means a Range."""
    return isinstance(value, Mapping) and {"low", "high"} <= set(value) <= {"low", "high", "log"}


def _check_domains(search: Search) -> None:
    """Build the model once for each choice and each end, so that a wrong one is told before anything runs."""
    ends = {n: _ends(of) for n, of in search.space.items()}
    first = {n: of[0] for n, of in ends.items()}
    for name, values in ends.items():
        for value in values:
            search.model(**first | {name: value}, **search.fixed)


def _ends(of: Any) -> tuple[Any, ...]:
    """Every choice, the ends of a range, or one of what is searched inside."""
    if isinstance(of, tuple):
        return of
    return (of.low, of.high) if isinstance(of, Range) else (of.draw(np.random.default_rng(0)),)


def _is_whole(model: Any, name: str, of: Any) -> bool:
    """Whether a range is of a parameter that takes whole numbers only, by its annotation; by the ends of the range where there is none."""
    if not isinstance(of, Range):
        return False
    field = getattr(model, "model_fields", {}).get(name)
    if field is None:
        return isinstance(of.low, int) and isinstance(of.high, int)
    union = typing.get_origin(field.annotation) in (types.UnionType, typing.Union)
    kinds = typing.get_args(field.annotation) if union else (field.annotation,)
    return int in kinds and float not in kinds
