"""A small graph of steps. A step is a function of a record; the type of what it returns says where to go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, final, get_args, get_origin, get_type_hints

from vitrina.answers.trace import Done, Metered, Trace, plain_of
from vitrina.base.errors import ParameterError, UnknownNameError

Run = Callable[[Any, Any], Any]  # (record, kit) -> record


@final
@dataclass(frozen=True)
class Step:
    """A function of (record, kit), and the step after it for each type that it may return; None ends.

    Both are read from the annotations of the function, which are therefore its contract.
    """

    run: Run
    to: Mapping[type, str | None]

    @property
    def takes(self) -> tuple[type, ...]:
        hints = get_type_hints(self.run)
        return _types(next(hint for name, hint in hints.items() if name != "return"))

    @property
    def gives(self) -> tuple[type, ...]:
        return _types(get_type_hints(self.run)["return"])


@final
@dataclass(frozen=True)
class Graph:
    """Steps by their names, where to begin, and how many may be taken at most.

    Raises:
        ParameterError: a step gives a type that leads nowhere, or leads to a step that doesn't take it.
        UnknownNameError: an edge leads to no step.

    >>> def half(number: int, kit: None) -> float: return number / 2
    >>> def name(value: float, kit: None) -> str: return f"{value} of it"
    >>> graph = Graph({"half": Step(half, {float: "name"}), "name": Step(name, {str: None})}, "half")
    >>> graph.run(3, None)[0], [done.step for done in graph.run(3, None)[1].steps]
    ('1.5 of it', ['half', 'name'])
    """

    steps: Mapping[str, Step]
    start: str
    most: int = 24

    def __post_init__(self) -> None:
        for name, step in self.steps.items():
            for given in step.gives:
                if given not in step.to:
                    known = ", ".join(own.__name__ for own in step.to)
                    raise ParameterError(
                        f"The step {name!r} may give a {given.__name__}, which leads nowhere. Add it to its edges ({known}).", owner="Graph"
                    )
                after = step.to[given]
                if after is not None and after not in self.steps:
                    raise UnknownNameError.of("step", after, self.steps)
                if after is not None and given not in self.steps[after].takes:
                    wanted = " or ".join(own.__name__ for own in self.steps[after].takes)
                    raise ParameterError(f"The step {name!r} gives a {given.__name__} to {after!r}, which takes a {wanted}.", owner="Graph")
        if self.start not in self.steps:
            raise UnknownNameError.of("step", self.start, self.steps)

    def __str__(self) -> str:
        """A line per edge."""
        edges = [(name, own.__name__, after) for name, step in self.steps.items() for own, after in step.to.items() if own in step.gives]
        return "\n".join(f"{name} --{kind}--> {after or 'end'}" for name, kind, after in edges)

    def replaced(self, **steps: Run) -> Graph:
        """The same graph with other functions for some steps; the edges stay.

        Raises:
            UnknownNameError: there is no such step.
        """
        for name in steps:
            if name not in self.steps:
                raise UnknownNameError.of("step", name, self.steps)
        return Graph(dict(self.steps) | {name: Step(run, self.steps[name].to) for name, run in steps.items()}, self.start, self.most)

    def run(self, record: Any, kit: Any, meter: Metered | None = None, on_limit: Callable[[Any], Any] | None = None) -> tuple[Any, Trace]:
        """The record at the end, and the trace.

        Args:
            record: for the first step.
            kit: what steps work with.
            meter: of the calls of the model.
            on_limit: makes the end of the last record when the most steps have been taken; without it that is an error.
        """
        name, done = self.start, []
        came = plain_of(record)
        for _ in range(self.most):
            began, calls = time.perf_counter(), len(meter.calls) if meter else 0
            given = self.steps[name].run(record, kit)
            seconds = time.perf_counter() - began
            kinds = (type(record).__name__, type(given).__name__)
            output = plain_of(given)
            output = output if isinstance(output, dict) else {"value": output}
            noted = tuple(plain_of(call) for call in meter.calls[calls:]) if meter else ()
            done.append(Done(name, *kinds, came if isinstance(came, dict) else {"value": came}, output, seconds * 1000, noted))
            after = self.steps[name].to.get(type(given), "")
            if after == "":
                raise ParameterError(f"The step {name!r} gave a {type(given).__name__}, which its annotations don't have.", owner="Graph")
            if after is None:
                return given, Trace(tuple(done))
            name, record, came = after, given, output
        if on_limit is None:
            raise ParameterError(f"The graph took {self.most} steps without coming to an end.", owner="Graph", parameter="most")
        return on_limit(record), Trace(tuple(done))


def _types(hint: Any) -> tuple[type, ...]:
    return tuple(get_args(hint)) if get_origin(hint) in (Union, UnionType) else (hint,)
