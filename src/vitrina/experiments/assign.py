"""Who is in which arm of an experiment: by a salted hash of the id, so that nobody has to remember it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, combinations
from typing import Annotated, Any, Literal, NamedTuple, Self, final

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from vitrina.base.arrays import Float64, Int32
from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.base.places import place, places
from vitrina.experiments.buckets import texts_of

BUCKETS = 1000  # of a layer
SAME = 1e-9  # shares that add up to 1
Text = Annotated[str, Field(min_length=1, pattern=r"^[^:]*$")]  # a ":" stands between the parts of what is hashed
Share = Annotated[float, Field(gt=0, le=1)]
AS_SESSION = (
    "Sessions are assigned, not people: whoever comes twice may see both arms. Effects that last longer than a session are mixed between the "
    "arms, and errors that take sessions for independent people are too small. Take unit='user' unless nothing is carried from one session to the next."
)


class Assigned(NamedTuple):
    """Where one unit stands.

    Args:
        arm: None outside of the experiment.
        propensity: the arm's chance, None outside.
        outside: why: "holdout", "layer" or "ramp".
    """

    arm: str | None
    propensity: float | None
    outside: str | None


@final
class Experiment(Config):
    """The arms of an experiment and who gets into it, decided by a hash of the id alone.

    The place of a person between 0 and 1 is `vitrina.base.places` of "arm", the salt and the id. The arm is the first whose end is above it, where the end
    of an arm is the sum of the shares up to its own, added from the first on; the last arm takes the rest. So a person is in one arm of an experiment for
    good, in every process, version and language, and in arms of other salts independently of it. Whoever is left out:

    - `holdout`: the place of "holdout", `holdout_salt` and the id is below `holdout`. The same people for all experiments of one salt;
    - `layer`: the place of "layer", the name of the layer and the id, times 1,000 and rounded down, is not in `buckets`. Experiments of one layer with
      ranges that don't overlap share nobody; different layers are independent;
    - `ramp`: the second place of the person in this experiment is not below `ramp`. It may grow from day to day: nobody changes the arm.

    A change of the shares moves people from arm to arm; grow `ramp` instead, or begin again with another salt.

    Args:
        name: of the experiment.
        arms: the share of each, which add up to 1; the first one is the control.
        salt: what makes this assignment its own; by default the name. No two experiments may share one.
        layer: the name of a layer.
        buckets: (first, stop) of the 1,000 buckets of the layer that are this experiment's.
        holdout: share of people whom no experiment touches.
        holdout_salt: which people they are.
        ramp: share of the people left that are in the experiment already.
        unit: "user"; or "session", whose ids are then given, and which `notes` warns of.

    Raises:
        ParameterError: the shares don't add up to 1, buckets without a layer, a ":" in a salt.

    Cost: 0.8 s per million ids; 1.7 s with a holdout, a layer and a ramp.

    >>> offer = Experiment(name="offer", arms={"none": 0.5, "five": 0.25, "ten": 0.25})
    >>> offer.assign(["ann", "bob", 7]).rows()
    [('ann', 'five', 0.25, None), ('bob', 'none', 0.5, None), ('7', 'ten', 0.25, None)]
    >>> offer.arm("ann"), offer.control
    ('five', 'none')
    """

    name: Text
    arms: Mapping[str, Share] = Field(min_length=2)
    salt: Text | None = None
    layer: Text | None = None
    buckets: tuple[int, int] = Field(default=(0, BUCKETS), strict=False)
    holdout: float = Field(default=0.0, ge=0, lt=1)
    holdout_salt: Text = "holdout"
    ramp: Share = 1.0
    unit: Literal["user", "session"] = "user"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        total = sum(self.arms.values())
        if abs(total - 1) > SAME:
            raise ValueError(
                f"The shares of the arms of Experiment must add up to 1. They add up to {total:g}; "
                "who shall stay outside is said by ramp=, the share of people in the experiment"
            )
        first, stop = self.buckets
        if not 0 <= first < stop <= BUCKETS:
            raise ValueError(f"The buckets of Experiment must be (first, stop) with 0 <= first < stop <= {BUCKETS}. Got {self.buckets}")
        if self.layer is None and self.buckets != (0, BUCKETS):
            raise ValueError(f"The buckets {self.buckets} of Experiment are parts of a layer, and it has none. Name one with layer=")
        return self

    @property
    def control(self) -> str:
        """The first arm."""
        return next(iter(self.arms))

    @property
    def treatments(self) -> tuple[str, ...]:
        """The other arms."""
        return tuple(self.arms)[1:]

    @property
    def share(self) -> float:
        """Of all people the share that is in the experiment."""
        first, stop = self.buckets
        return (1 - self.holdout) * (stop - first) / BUCKETS * self.ramp

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before it starts, in sentences."""
        return (AS_SESSION,) if self.unit == "session" else ()

    def arm(self, id: Any) -> str | None:
        """The arm of one person; None for who is not in the experiment."""
        return self.assign([id])["arm"][0]

    def one(self, id: str) -> Assigned:
        """Where one unit stands, as `assign` says it, for who answers requests one by one.

        Args:
            id: as the text that `vitrina.base.ids` gives.

        Cost: 4 microseconds; 9 with a holdout, a layer and a ramp.

        >>> Experiment(name="offer", arms={"none": 0.5, "five": 0.25, "ten": 0.25}).one("ann")
        Assigned(arm='five', propensity=0.25, outside=None)
        """
        if self.holdout and place("holdout", self.holdout_salt, id)[0] < self.holdout:
            return Assigned(None, None, "holdout")
        first, stop = self.buckets
        if self.layer is not None and not first <= int(place("layer", self.layer, id)[0] * BUCKETS) < stop:
            return Assigned(None, None, "layer")
        where, second = place("arm", self.salt or self.name, id)
        if second >= self.ramp:
            return Assigned(None, None, "ramp")
        arm = list(self.arms)[bisect_right(list(accumulate(self.arms.values()))[:-1], where)]
        return Assigned(arm, self.arms[arm], None)

    def assign(self, ids: Iterable[Any] | pl.Series, *, strata: Sequence[Any] | pl.Series | None = None) -> pl.DataFrame:
        """The arm of each id, its chance, and why somebody is outside.

        A hash can't make arms of equal size: a share of n people is off by the root of share * (1 - share) * n, in each stratum too. Where all are known
        beforehand, `strata` makes the arms within each stratum as equal as they can be (`shared_out`): deterministic, with the same chances, but an arm then
        depends on who else is in the list. Where they come one by one, assign by the hash and correct for the strata in the analysis.

        Args:
            ids: a list, an array or a series; one id may come several times.
            strata: the stratum of each id: whatever can be told apart.

        Returns:
            `user` (or `session`, the ids as given), `arm` (null outside), `propensity` (the arm's share, null outside), `outside` ("holdout", "layer",
            "ramp", null for who is in). With columns of outcomes joined it is the table of a `DecisionLog`.

        Raises:
            ParameterError: a value is no id; strata of another length, with an id twice, or with a ramp.
        """
        given, texts = texts_of(ids)
        outside, first = self._outside(texts)
        inside = outside == INSIDE
        arms = np.full(len(texts), -1, np.int32)
        ends = np.cumsum(list(self.arms.values()))[:-1]
        arms[inside] = np.searchsorted(ends, first, side="right")
        if strata is not None:
            self._check_strata(texts, strata)
            groups = pl.Series("stratum", strata).filter(inside)
            arms[inside] = shared_out(first, groups, list(self.arms.values()), self.salt or self.name)
        named = pl.Series("arm", [*self.arms, None]).gather(arms % (len(self.arms) + 1))  # the last one is -1
        chances = pl.Series("propensity", [*self.arms.values(), None]).gather(arms % (len(self.arms) + 1))
        why = pl.Series("outside", [None, *REASONS]).gather(outside)
        return pl.DataFrame([given.alias(self.unit), named, chances, why])

    def _outside(self, texts: pl.Series) -> tuple[Int32, Float64]:
        """(ids,) 0 for who is in, else 1 + the place in REASONS; and the places in [0, 1) of those who are in."""
        outside = np.zeros(len(texts), np.int32)
        if self.holdout:
            held, _ = places("holdout", self.holdout_salt, texts)
            outside[held < self.holdout] = 1
        if self.layer is not None:
            left = outside == INSIDE
            bucket = np.floor(places("layer", self.layer, texts.filter(left))[0] * BUCKETS)
            first, stop = self.buckets
            outside[np.flatnonzero(left)[(bucket < first) | (bucket >= stop)]] = 2
        left = outside == INSIDE
        first, second = places("arm", self.salt or self.name, texts.filter(left))
        late = second >= self.ramp
        outside[np.flatnonzero(left)[late]] = 3
        return outside, first[~late]

    def _check_strata(self, texts: pl.Series, strata: Sequence[Any] | pl.Series) -> None:
        if len(strata) != len(texts):
            raise ParameterError(f"There must be a stratum per id ({len(texts):,}). Got {len(strata):,}.", parameter="strata")
        if texts.n_unique() != len(texts):
            twice = texts.filter(texts.is_duplicated())[0]
            raise ParameterError(f"With strata each id stands once in the list. {twice!r} is there several times.", parameter="strata")
        if self.ramp < 1:
            raise ParameterError(
                f"Strata and a ramp don't go together: who comes in later would change the arms of those within. Got ramp={self.ramp:g}; take 1.",
                parameter="strata",
            )


REASONS = ("holdout", "layer", "ramp")
INSIDE = 0


def shared_out(first: Float64, strata: pl.Series, shares: Sequence[float], salt: str) -> Int32:
    """(people,) arms that have the shares exactly, as far as whole people can, within every stratum.

    The r-th of the m people of a stratum, in the order of their hashes, gets the arm at the place (r + u) / m, where u is the place of "stratum", the salt and the
    stratum: every person has the chances of the shares, and each arm m * share people, rounded up or down.

    Args:
        first: (people,) their places in [0, 1).
        strata: (people,) what each belongs to.
        shares: of the arms.
        salt: of the experiment.

    >>> counts = np.bincount(shared_out(np.random.default_rng(0).random(10), pl.Series(["a"] * 6 + ["b"] * 4), [0.5, 0.5], "x"))
    >>> counts.tolist()
    [5, 5]
    """
    names = strata.cast(pl.String).fill_null("")
    kinds = names.unique()
    offsets = dict(zip(kinds, places("stratum", salt, kinds)[0], strict=True))
    table = pl.DataFrame({"stratum": names, "place": first}).with_columns(
        rank=pl.col("place").rank("ordinal").over("stratum") - 1,
        size=pl.len().over("stratum"),
        offset=names.replace_strict(offsets, return_dtype=pl.Float64),
    )
    at = ((table["rank"] + table["offset"]) / table["size"]).to_numpy()
    return np.searchsorted(np.cumsum(shares)[:-1], at, side="right").astype(np.int32)


def check_together(experiments: Iterable[Experiment]) -> None:
    """Refuse experiments that can't run at one time.

    Raises:
        ParameterError: two have one salt, ranges of one layer that overlap, or another idea of who is held out.

    >>> check_together([Experiment(name="a", arms={"x": 0.5, "y": 0.5}, layer="page", buckets=(0, 600)),
    ...                 Experiment(name="b", arms={"x": 0.5, "y": 0.5}, layer="page", buckets=(500, 1000))])
    Traceback (most recent call last):
    ...
    vitrina.base.errors.ParameterError: 'a' and 'b' share the buckets 500 to 599 of the layer 'page': the same people would be in both. Give them ranges apart.
    """
    running = list(experiments)
    salts = Counter(one.salt or one.name for one in running)
    for salt, count in salts.items():
        if count > 1:
            raise ParameterError(f"{count} experiments have the salt {salt!r}, so that they would have the same arms. Give each its own.")
    for one, other in combinations(running, 2):
        if one.layer is not None and one.layer == other.layer:
            first, stop = max(one.buckets[0], other.buckets[0]), min(one.buckets[1], other.buckets[1])
            if first < stop:
                raise ParameterError(
                    f"{one.name!r} and {other.name!r} share the buckets {first} to {stop - 1} of the layer {one.layer!r}: the same people would be in "
                    "both. Give them ranges apart."
                )
        if (one.holdout, one.holdout_salt) != (other.holdout, other.holdout_salt):
            raise ParameterError(
                f"{one.name!r} holds out {one.holdout:g} of the people (salt {one.holdout_salt!r}) and {other.name!r} {other.holdout:g} "
                f"({other.holdout_salt!r}): who is held out must be so in all experiments. Give them the same."
            )
