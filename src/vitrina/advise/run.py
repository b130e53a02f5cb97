"""The table of models with what a fit of each would take here."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from vitrina.advise.machine import Machine, measured
from vitrina.advise.quantity import bytes_of, in_words, time_in_words
from vitrina.advise.size import size_of
from vitrina.base.errors import MissingExtraError, ParameterError
from vitrina.base.exports import class_at, exports
from vitrina.base.printing import as_text
from vitrina.base.showing import html_of
from vitrina.data.dataset import Dataset
from vitrina.models.base import ModelConfig
from vitrina.models.cost import MEMORY_SHARE, Cost, Size
from vitrina.models.ease import SURELY_FAST

STYLES = {"yes": "green", "in part": "yellow", "no": "red", "unknown": "dim"}
STEP = 1000  # in which a number of items is told
NEEDS = {"torch": "PyTorch", "times": "times of events", "items": "a table of items"}


@final
@dataclass(frozen=True)
class Estimate:
    """What is said of one model.

    Args:
        name: public one.
        model: the config that would be fitted; None where an extra is missing.
        fits: "yes", "in part" (with fewer items, as the model says), "no" or "unknown".
        why: in words, where it isn't "yes".
        memory, kept: bytes beside the log, of a fit at its most and of what is fitted.
        seconds: of a fit.
        needs: what it can't do without.
    """

    name: str
    model: Any
    fits: str
    why: str
    memory: float | None
    kept: float | None
    seconds: float | None
    needs: tuple[str, ...]


@final
@dataclass(frozen=True)
class Advice:
    """Which models a log of this size allows here. Prints as a table; estimates are good to a factor of two or three.

    Args:
        log: in words.
        size: of the log.
        machine: where it would be fitted.
        memory: bytes that a fit may take.
        minutes: that it may take; None: as long as it takes.
        estimates: a row per model, those that fit first, the quickest first.
    """

    log: str
    size: Size
    machine: Machine
    memory: float
    minutes: float | None
    estimates: tuple[Estimate, ...]

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        s, m = self.size, self.machine
        yield Text(f"{self.log}: {s.events:,} events of {s.users:,} people, {s.items:,} items", style="bold")
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("model", overflow="fold")
        table.add_column("fits", no_wrap=True)
        for heading in ("memory", "fit", "kept"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("needs", overflow="fold")
        table.add_column("why", overflow="fold")
        for e in self.estimates:
            needs = ", ".join(NEEDS[need] for need in e.needs)
            numbers = in_words(e.memory), time_in_words(e.seconds), in_words(e.kept)
            table.add_row(Text(_shown(e)), Text(e.fits, style=STYLES[e.fits]), *numbers, needs, Text(e.why))
        yield table
        wish = "" if self.minutes is None else f" and {self.minutes:g} minutes"
        gpu = f", {m.gpu} {m.gpu_products / 1e12:.1f} TFLOP/s" if m.gpu else ""
        yield Text(
            f"Within {in_words(self.memory)} of memory beside the log{wish}. This machine, as busy as it is now: {m.cores} cores, {m.products / 1e9:,.0f} GFLOP/s, "
            f"{m.jumps / 1e6:,.0f} million jumps/s on each of {m.threads} threads, {in_words(m.free)} free{gpu}. Estimates are good to a factor of two or three.",
            style="dim",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        estimates = [asdict(replace(e, model=None)) | {"model": _shown(e)} for e in self.estimates]
        rest = {"memory": self.memory, "minutes": self.minutes, "estimates": estimates}
        return {"log": self.log, "size": asdict(self.size), "machine": asdict(self.machine)} | rest


def _shown(e: Estimate) -> str:
    return e.name if e.model is None or e.name != type(e.model).__name__ else repr(e.model)


def advise(
    data: Dataset, *, models: Sequence[ModelConfig] | None = None, memory: str | float | None = None, minutes: float | None = None
) -> Advice:
    """Which models this log's size allows in this machine's memory and a wished time, with an estimate for each, before anything is fitted.

    Args:
        data: the log; one in shards is gone through once.
        models: to estimate; None takes every public one with its defaults.
        memory: that a fit may take beside the log, "8GB" or bytes; None takes 85% of what is free now.
        minutes: that a fit may take; None asks for no time.

    Raises:
        ParameterError: `data` is no log, or a wish isn't a number above 0.
        DataError: the log has no events that count.

    Cost: one pass over the log, and a second for the rates of the machine.

    >>> import vitrina as vt
    >>> advice = vt.advise(vt.testing.toy(), models=[vt.EASE(), vt.Cooccurrence()], minutes=1)
    >>> [(e.name, e.fits) for e in advice.estimates]
    [('EASE', 'yes'), ('Cooccurrence', 'yes')]
    """
    if not isinstance(data, Dataset):
        raise ParameterError(
            f"advise looks at a Dataset: vt.advise(vt.read_interactions(...)). Got a {type(data).__name__}.", parameter="data"
        )
    if minutes is not None and not 0 < minutes < float("inf"):
        raise ParameterError(f"The 'minutes' of advise must be a number above 0. Got {minutes!r}.", parameter="minutes", value=minutes)
    limit = None if memory is None else bytes_of(memory)
    size, machine = size_of(data), measured()
    wish = _Wish(size, machine, MEMORY_SHARE * machine.free if limit is None else limit, minutes, _missing(data, machine))
    named = public_models() if models is None else [(type(model).__name__, model) for model in models]
    order = list(STYLES)
    found = sorted((wish.estimate(*one) for one in named), key=lambda e: (order.index(e.fits), e.seconds is None, e.seconds, e.name))
    return Advice(data.name, size, machine, wish.memory, minutes, tuple(found))


def _missing(data: Dataset, machine: Machine) -> dict[str, str]:
    """What models may need and isn't here, with what to do."""
    about = {
        "torch": (machine.torch, "install it with: pip install 'vitrina[torch]'"),
        "times": (data.time_unit == "us", "the log has none"),
        "items": (data.item_table is not None, "read the log with items=..."),
    }
    return {need: f"needs {NEEDS[need]}: {remedy}" for need, (here, remedy) in about.items() if not here}


@dataclass(frozen=True)
class _Wish:
    """What a model is held against."""

    size: Size
    machine: Machine
    memory: float
    minutes: float | None
    missing: dict[str, str]

    def estimate(self, name: str, model: Any) -> Estimate:
        if model is None:  # it can't even be made
            return Estimate(name, None, "no", self.missing["torch"], None, None, None, ("torch",))
        model = _with_all_items(model, self.size)
        cost = model.cost(self.size)
        lacking = "; ".join(self.missing[need] for need in model.needs if need in self.missing)
        if cost is None:
            return Estimate(name, model, "no" if lacking else "unknown", lacking or "there is no estimate", None, None, None, model.needs)
        over = self._over(model, cost)
        fewer = None if lacking or not over else self._with_fewer_items(model)
        if fewer is not None:
            why = f"the {fewer.max_items:,} most frequent items; all {self.size.items:,} would take {over}"
            return self._told(name, fewer, "in part", why, fewer.cost(self.size))
        return self._told(name, model, "no" if lacking or over else "yes", lacking or (over and f"would take {over}"), cost)

    def _told(self, name: str, model: Any, fits: str, why: str, cost: Cost) -> Estimate:
        return Estimate(name, model, fits, why, cost.memory, cost.kept, self._seconds(model, cost), model.needs)

    def _seconds(self, model: Any, cost: Cost) -> float:
        return self.machine.seconds(cost, network="torch" in model.needs)

    def _over(self, model: Any, cost: Cost) -> str:
        """What of a cost is more than is wished for, in words."""
        seconds = self._seconds(model, cost)
        memory = [f"{in_words(cost.memory)} of memory"] if cost.memory > self.memory else []
        time = [time_in_words(seconds)] if self.minutes is not None and seconds > 60 * self.minutes else []
        return " and ".join(memory + time)

    def _with_fewer_items(self, model: Any) -> Any:
        """The model with the largest round number of items that fits; None where it takes all, or not even `STEP` fit."""
        if not hasattr(model, "max_items"):
            return None
        low, high = 0, (model.max_items or self.size.items) // STEP
        while low < high:
            middle = (low + high + 1) // 2
            tried = model.model_copy(update={"max_items": middle * STEP})
            low, high = (low, middle - 1) if self._over(tried, tried.cost(self.size)) else (middle, high)
        return model.model_copy(update={"max_items": low * STEP}) if low else None


def _with_all_items(model: Any, size: Size) -> Any:
    """A model that limits its items by itself where there are many, with all of them: what that takes is what the estimate is of."""
    limits = getattr(model, "max_items", 0) is None and size.items > SURELY_FAST
    return model.model_copy(update={"max_items": size.items}) if limits else model


def public_models() -> list[tuple[str, Any]]:
    """Every public model that has defaults, and the recipes; None for one that needs an extra. A config that has two names has the last."""
    names: dict[Any, str] = {}
    without: list[tuple[str, Any]] = []
    for name, path in exports().items():
        if "." not in name:
            try:
                names |= dict.fromkeys(_defaults(class_at(path)), name)
            except MissingExtraError:
                without.append((name, None))
    return [*((name, model) for model, name in names.items()), *without]


def _defaults(made: Any) -> list[Any]:
    """The model that a class or a recipe makes without being told anything; empty where it makes none, or none that can be fitted by itself."""
    model_class = inspect.isclass(made) and issubclass(made, ModelConfig)
    recipe = inspect.isfunction(made) and inspect.signature(made).return_annotation == "SequenceModel"
    try:
        found = [made()] if model_class or recipe else []
        return [one for one in found if getattr(one, "sources", True) is not None]
    except ParameterError:  # it is made of other models
        return []
