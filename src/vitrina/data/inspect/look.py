"""Look at a log."""

from __future__ import annotations

from dataclasses import replace

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.inspect import advice, measure
from vitrina.data.inspect.people import Asked
from vitrina.data.inspect.record import Inspection
from vitrina.data.split.moments import steps_are_per_user


def inspect(data: Dataset, *, seed: int = 0) -> Inspection:
    """What is in a log: sizes, time, long tail, repeats, ties, odd users, what each split would hold, and what will go wrong.

    Args:
        data: the log.
        seed: for the splits that draw people.
    Returns:
        A record that prints as tables, with a recommended split and warnings that name their consequence.
    Raises:
        DataError: the log is empty.
        ParameterError: it is no Dataset.
    Cost: every sensible split is made once; a minute for 20 million events.

    >>> import vitrina as vt
    >>> seen = vt.inspect(vt.testing.synthetic())
    >>> seen.sizes.users, round(seen.histories.repeat_share, 2)
    (300, 0.23)
    >>> seen.recommended
    GlobalTime(repeat=True, days=7)
    >>> print(seen.choices[0])
    36% of the test targets were in the person's history already: set repeat=true, ...
    """
    if not isinstance(data, Dataset):
        raise ParameterError(
            f"What is inspected is a Dataset: vt.read_interactions(...) makes one of a file or a table. Got a {type(data).__name__}."
        )
    if not data.n_events:
        raise DataError(f"There is nothing to inspect: {data!r} is empty.")
    pairs = data.csr().nnz
    advised = advice.recommended(data)
    splits = advice.preview(data, advised, seed)
    repeat = splits["repeat"][0]
    seen = Inspection(
        name=data.name,
        sizes=measure.sizes(data, pairs),
        histories=measure.histories(data, pairs),
        tail=measure.tail(data),
        timing=measure.timing(data),
        groups=measure.groups(data),
        duplicates=measure.duplicates(data),
        steps_are_per_user=steps_are_per_user(data),
        bots=measure.bots(data),
        kinds=measure.kinds(data),
        features=measure.features(data),
        values=measure.values(data.events.values),
        splits=splits,
        asked=None if advised.split is None else Asked.of(advised.split.queries.users),
        recommended=advised.rule if repeat is None else advised.rule.model_copy(update={"repeat": repeat}),
        reason=advised.reason,
        steps=data.steps,
    )
    return replace(seen, choices=advice.choices(seen), warnings=advice.warnings(seen))
