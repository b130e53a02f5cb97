"""Look at a log."""

from __future__ import annotations

from dataclasses import replace

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.inspect import advice, measure
from vitrina.data.inspect.counted import Measured
from vitrina.data.inspect.people import Asked
from vitrina.data.inspect.record import Inspection
from vitrina.data.passes import Passes, itself
from vitrina.data.split.moments import begins_alike


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
    Cost: every sensible split is made once; a minute for 20 million events. A log in shards is read once for what is counted, twice for a round
    number of days and for odd users, and two to four times for each of the splits; the numbers are those of the log in memory.

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
    of = Passes(data, itself).sum(Measured.of)
    advised = advice.recommended(data, of)
    splits = advice.preview(data, advised, seed)
    repeat = splits["repeat"][0]
    seen = Inspection(
        name=data.name,
        sizes=measure.sizes(data, of),
        histories=measure.histories(of),
        tail=measure.tail(of),
        timing=measure.timing(of),
        groups=measure.groups(of),
        duplicates=of.duplicates,
        steps_are_per_user=begins_alike(of.beginnings, data.time_unit),
        bots=measure.bots(data, of),
        kinds=measure.kinds(data, of),
        features=measure.features(data, of),
        values=measure.values(of),
        splits=splits,
        asked=None if advised.split is None else Asked.of_split(advised.split),
        recommended=advised.rule if repeat is None else advised.rule.model_copy(update={"repeat": repeat}),
        reason=advised.reason,
        steps=data.steps,
    )
    return replace(seen, choices=advice.choices(seen), warnings=advice.warnings(seen))
