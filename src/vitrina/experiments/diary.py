"""A diary of experiments: what was promised offline beside what came of it online, so that the worth of an offline metric becomes known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Self, final

import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.files import atomic_file
from vitrina.base.printing import as_text, fixed
from vitrina.base.showing import html_of
from vitrina.experiments.calibrate import FEWEST, Calibration, calibrated
from vitrina.experiments.sentences import percent

SCHEMA = {
    "when": pl.Date, "experiment": pl.String, "treatment": pl.String, "offline_metric": pl.String, "offline": pl.Float64, "offline_low": pl.Float64, "offline_high": pl.Float64,
    "online_metric": pl.String, "online": pl.Float64, "online_low": pl.Float64, "online_high": pl.Float64, "note": pl.String,
}  # fmt: skip
KEY = ("experiment", "treatment", "offline_metric", "online_metric")


class Gain(NamedTuple):
    """By how much a metric is better than the baseline's, as a share of it, with its 95% interval: 0.02 is 2% better.

    Where less is better, the sign is turned before it is written down: above zero is always good.
    """

    change: float
    low: float
    high: float

    @classmethod
    def of_difference(cls, difference: float, low: float, high: float, baseline: float) -> Self:
        """Of a difference in the metric and the value of the baseline, which must be above 0 for a share to mean something.

        >>> Gain.of_difference(1.0, 0.5, 1.5, baseline=20)
        Gain(change=0.05, low=0.025, high=0.075)
        """
        if not baseline > 0:
            raise ParameterError(
                f"A change is a share of a baseline above 0. Got the baseline {baseline!r}.", parameter="baseline", value=baseline
            )
        return cls(difference / baseline, low / baseline, high / baseline)

    @classmethod
    def of_board(cls, board: Any, model: str, metric: str | None = None) -> Self:
        """What a `Board` says of a model beside its baseline, by a metric (the primary one by default)."""
        metric = str(board.primary) if metric is None else metric
        row = _only(board.comparisons, "the board", model=model, metric=metric)
        base = _only(board.numbers, "the board", model=row.get("baseline", board.baseline), metric=metric)["value"]
        turned = next((m.lower_is_better for m in board.metrics if m.name == metric), False)
        gain = cls.of_difference(row["difference"], row["low"], row["high"], base)
        return cls(-gain.change, -gain.high, -gain.low) if turned else gain

    @classmethod
    def of_values(cls, values: Any, policy: str, **which: str) -> Self:
        """What `PolicyValues` say of a policy beside its baseline; `estimator=` and `reward=` where there are several."""
        row = _only(values.table, "the values", policy=policy, **which)
        return cls.of_difference(row["difference"], row["difference_low"], row["difference_high"], row["value"] - row["difference"])

    @classmethod
    def of_analysis(cls, analysis: Any, metric: str, arm: str) -> Self:
        """What an `Analysis` says of an arm beside control."""
        row = _only(analysis.table, "the analysis", metric=metric, arm=arm)
        if row["relative"] is None:
            raise ParameterError(f"The analysis says nothing of {metric!r} as a share of control: refused, or not above 0.")
        return cls(row["relative"], row["relative_low"], row["relative_high"])


def _only(table: pl.DataFrame, label: str, **wanted: str) -> dict[str, Any]:
    """The one row of these values."""
    found = table.filter(*(pl.col(name) == value for name, value in wanted.items()))
    said = ", ".join(f"{name} {value!r}" for name, value in wanted.items())
    if found.height != 1:
        known = "; ".join(f"{name}: {', '.join(map(str, table[name].unique().sort().to_list()))}" for name in wanted)
        more = "more than one row" if found.height else "no row"
        raise DataError(f"In {label} there is {more} of {said}. It has {known}.")
    return found.row(0, named=True)


@final
class Diary:
    """A small table on disk to which experiments are added, and never changed.

    Every entry writes the whole file beside the old one and puts it in its place, so that it is whole or not there; one writes at a time.

    Args:
        path: a `.csv` or `.parquet`, made when the first entry is.

    Raises:
        ParameterError: another kind of file.
        DataError: the file is no diary.

    >>> import tempfile
    >>> diary = Diary(Path(tempfile.mkdtemp()) / "diary.csv")
    >>> diary.add("ranker in May", "new", "nDCG@10", Gain(0.05, 0.03, 0.07), "revenue", Gain(0.012, -0.004, 0.028))
    >>> diary
    Diary(1 entry)
    >>> diary.sentences
    ('nDCG@10 beside revenue: 1 experiment is too few to say what an offline gain is worth online; it takes 5 or more. It pointed the same way.',)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.suffix not in (".csv", ".parquet"):
            raise ParameterError(f"A diary is a .csv or a .parquet. Got {str(path)!r}.", parameter="path", value=path)
        if self.path.exists():
            _ = self.table

    @property
    def table(self) -> pl.DataFrame:
        """when, experiment, treatment; offline_metric, offline, offline_low, offline_high; the same online; note. Changes are shares of the baseline."""
        if not self.path.exists():
            return pl.DataFrame(schema=SCHEMA)
        try:
            read = pl.read_parquet(self.path) if self.path.suffix == ".parquet" else pl.read_csv(self.path, schema_overrides=SCHEMA)
            return read.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        except (pl.exceptions.PolarsError, ValueError) as error:
            raise DataError(f"{self.path} is no diary of experiments: {str(error).splitlines()[0]}. Name another file.") from None

    def add(
        self,
        experiment: str,
        treatment: str,
        offline_metric: str,
        offline: Gain,
        online_metric: str,
        online: Gain,
        *,
        when: date | None = None,
        note: str = "",
    ) -> None:
        """Write down one treatment of one experiment by a pair of metrics.

        Args:
            experiment, treatment: their names.
            offline_metric, offline: what was promised, from a `Board` or `PolicyValues`.
            online_metric, online: what came of it, from an `Analysis`.
            when: the day; today by default.

        Raises:
            ParameterError: it is there already; ends of an interval that don't enclose the change.
        """
        for side, gain in (("offline", offline), ("online", online)):
            if not gain.low <= gain.change <= gain.high or not gain.low < gain.high:
                raise ParameterError(
                    f"The {side!r} change must lie between the ends of its interval. Got {tuple(gain)}.", parameter=side, value=gain
                )
        table = self.table
        values = (when or date.today(), experiment, treatment, offline_metric, *offline, online_metric, *online, note)
        entry = pl.DataFrame([values], schema=SCHEMA, orient="row")
        if table.join(entry, on=KEY, how="semi").height:
            raise ParameterError(
                f"{self.path} has {experiment!r}, {treatment!r} by {offline_metric} and {online_metric} already. Entries aren't changed; give a second run another name."
            )
        with atomic_file(self.path) as staging:
            whole = pl.concat([table, entry])
            _ = whole.write_parquet(staging) if self.path.suffix == ".parquet" else whole.write_csv(staging)

    @property
    def worth(self) -> pl.DataFrame:
        """A row per pair of metrics: experiments, agree (how many pointed the same way), correlation with low and high, slope (what an offline gain has been worth online, as a
        multiple), slope_low and slope_high; null where too few experiments say nothing of it."""
        rows = [{"offline_metric": pair[0], "online_metric": pair[1], **found._asdict()} for pair, found in self._calibrations()]
        kinds = {"offline_metric": pl.String, "online_metric": pl.String, "experiments": pl.Int64, "agree": pl.Int64}
        return pl.DataFrame(rows, schema=kinds | dict.fromkeys(Calibration._fields[2:], pl.Float64))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What each offline metric has been worth, as far as that can be said."""
        return tuple(_sentence(*pair, found) for pair, found in self._calibrations())

    def _calibrations(self) -> Iterator[tuple[tuple[str, str], Calibration]]:
        for pair, part in self.table.group_by("offline_metric", "online_metric", maintain_order=True):
            sides = [part.select(f"{side}", f"{side}_low", f"{side}_high").to_numpy() for side in ("offline", "online")]
            yield (str(pair[0]), str(pair[1])), calibrated(*sides)

    def __repr__(self) -> str:
        entries = self.table.height
        return f"Diary({entries} entr{'y' if entries == 1 else 'ies'})"

    def __str__(self) -> str:
        return "\n".join([*self.sentences, as_text(str(self.table))])

    def _repr_html_(self) -> str:
        return html_of(str(self))


def _sentence(offline: str, online: str, found: Calibration) -> str:
    n, about = found.experiments, f"{offline} beside {online}"
    same = (
        f"{found.agree} of {n} pointed the same way" if n > 1 else "It pointed the same way" if found.agree else "It pointed the other way"
    )
    if found.slope is None:
        few = f"{n} experiment{' is' if n == 1 else 's are'} too few to say what an offline gain is worth online; it takes {FEWEST} or more"
        why = (
            few if n < FEWEST else f"the {n} experiments differ too little offline, beside their doubt, to say what a gain is worth online"
        )
        return f"{about}: {why}. {same}."
    ends = [percent(end / 100) if end is not None else None for end in (found.slope_low, found.slope_high)]
    doubt = (
        f"{ends[0]} to {ends[1]}"
        if None not in ends
        else f"at least {ends[0]}"
        if ends[0] is not None
        else f"at most {ends[1]}"
        if ends[1] is not None
        else "anything"
    )
    surely = "" if found.slope_low is not None and found.slope_low > 0 else " That isn't sure to be above nothing."
    linked = f"correlation {fixed(found.correlation, 2)}" if found.correlation is not None else ""
    return (
        f"{about}: an offline +1% has been worth {percent(found.slope / 100)} online ({doubt}; {n} experiments). {same}, {linked}.{surely}"
    )
