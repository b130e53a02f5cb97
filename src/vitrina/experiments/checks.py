"""What must hold before a number of an experiment is believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import chdtrc

from vitrina.experiments.assign import Experiment
from vitrina.experiments.effects import effect_of, influence_of
from vitrina.experiments.metrics import Mean, Share
from vitrina.experiments.moments import Moments
from vitrina.experiments.trial import Sample, Trial
from vitrina.policy.checks import ALARM, DOUBT, Check, by_chance, p_text
from vitrina.types import Int64

FEW_CROSS = 0.01  # share of units in several arms, above which nothing is said
LOPSIDED = 355**-0.5  # skewness of a difference of means from which on 355 skewness^2 units are too few, Kohavi et al. 2014
DECIDES = 0.1  # share of the spread that one unit, or cluster, may have
MISSING = "missing: "  # of the names of checks
FEW_EVENTS = 10  # of the rarer answer of a share, in each arm


def trial_checks(trial: Trial, shares: Mapping[str, float] | None, samples: Mapping[str, Sample]) -> list[Check]:
    """Of the assignment first, then of each metric; what is in order is said, too.

    Args:
        samples: of each metric.
    """
    what = "units" if trial.clusters is None else "clusters"
    found = [counted(trial.assigned, trial.arms, shares, what), cross_check(trial.crossing, int(trial.assigned.sum()), what)]
    if trial.no_arm:
        found.append(
            Check(
                "rows without an arm", "warn", f"{trial.no_arm:,} of {trial.rows:,} rows have no arm and are left out.", float(trial.no_arm)
            )
        )
    for name, sample in samples.items():
        found += [*_missing(name, trial, sample), *_covariate(name, trial, sample), *_tail(name, trial, sample)]
    return found


def design_notes(design: Any) -> list[Check]:
    """What an `Experiment` itself warns of: that sessions were assigned, not people."""
    return [Check("unit", "warn", note) for note in (design.notes if isinstance(design, Experiment) else ())]


def counted(counts: Int64, arms: Sequence[str], shares: Mapping[str, float] | None, what: str = "units") -> Check:
    """Whether arms came out as large as they were planned: Pearson's chi-square; below p = 0.0005 the assignment is broken (sample-ratio mismatch)."""
    listed = ", ".join(f"{arm!r} {count:,}" for arm, count in zip(arms, counts.tolist(), strict=True))
    if shares is None:
        return Check(
            "sample ratio",
            "warn",
            f"Nobody said how large each arm should be, so a broken assignment can't be noticed: shares=. There are {listed} {what}.",
        )
    expected = np.array([shares[arm] for arm in arms]) * counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    p = float(chdtrc(len(arms) - 1, statistic))
    planned = ", ".join(f"{arm!r} {round(e):,}" for arm, e in zip(arms, expected.tolist(), strict=True))
    verdict, detail = by_chance(p), f"chi-square {statistic:.1f} with {len(arms) - 1} degrees of freedom, {p_text(p)}; planned {planned}"
    if verdict == "pass":
        return Check("sample ratio", verdict, f"Arms are as large as planned: {listed} {what}.", statistic, p, detail)
    odd = f"There are {listed} {what} where {planned} were planned"
    todo = (
        "chance alone doesn't do that. Some units are lost or counted in one arm more than in another, so what is left isn't comparable; "
        "find out where before any effect is read."
    )
    more = todo if verdict == "refuse" else f"chance alone does so in {p:.1%} of experiments."
    return Check("sample ratio", verdict, f"{odd}: {more}", statistic, p, detail)


def cross_check(crossing: int, total: int, what: str = "units") -> Check:
    """Whether somebody was in more than one arm."""
    share = crossing / total if total else 0.0
    if not crossing:
        return Check("one arm per unit", "pass", f"None of the {what} was in more than one arm.", 0.0)
    seen = f"{crossing:,} of {total:,} {what} ({share:.1%}) were in more than one arm"
    if share <= FEW_CROSS:
        return Check("one arm per unit", "warn", f"{seen}; they are left out of all means.", share)
    return Check(
        "one arm per unit", "refuse",
        f"{seen}: they had both treatments, so what stays with the user is mixed between the arms. Assign by what comes back "
        "(the user, not the session or device); vt.experiments.splits says how much is lost.", share,
    )  # fmt: skip


def _missing(name: str, trial: Trial, sample: Sample) -> Iterator[Check]:
    """Of units without the number: how many, and whether it depends on the arm."""
    gone = int(sample.missing.sum())
    if not gone:
        return
    arms = len(trial.arms)
    lost = np.bincount(trial.codes[sample.missing], minlength=arms)
    had = np.bincount(trial.codes, minlength=arms)
    statistic, p = independent(np.stack([lost, had - lost]), had)
    shares = ", ".join(f"{arm!r} {n / max(m, 1):.1%}" for arm, n, m in zip(trial.arms, lost.tolist(), had.tolist(), strict=True))
    text = f"{gone:,} of {len(trial):,} units have no {name!r} and are left out of it ({shares})."
    more = (
        " Who has none depends on the arm, so those who are left can't be compared: write 0 where nothing came of a unit."
        if p < DOUBT
        else ""
    )
    yield Check(f"{MISSING}{name}", "warn", text + more, statistic, p)


def incomparable(checks: Iterable[Check]) -> set[str]:
    """Metrics of which who has a number depends on the arm, as chance alone doesn't make it: those who are left are others in each arm."""
    return {c.name.removeprefix(MISSING) for c in checks if c.name.startswith(MISSING) and c.p is not None and c.p < ALARM}


def independent(table: Int64, totals: Int64) -> tuple[float, float]:
    """Pearson's chi-square, and its p, that the rows of counts (rows, arms) divide among the arms as the totals (arms,) do."""
    table, shares = table[table.sum(axis=1) > 0][:, totals > 0], totals[totals > 0] / totals.sum()
    expected = table.sum(axis=1, keepdims=True) * shares
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(chdtrc(max((len(table) - 1) * (len(shares) - 1), 1), statistic))


def _covariate(name: str, trial: Trial, sample: Sample) -> Iterator[Check]:
    """A covariate that differs between arms wasn't known before the assignment."""
    if "covariate" not in sample.columns:
        return
    if sample.filled == len(sample.arms) or not np.ptp(sample.columns["covariate"]):
        yield Check(
            f"covariate: {name}",
            "warn",
            f"The covariate of {name!r} is the same for all units, or not known of any, so it takes no noise away.",
        )
        return
    if sample.filled:
        text = f"{sample.filled:,} of {len(sample.arms):,} units have no covariate of {name!r}; they have the mean of the others, which shifts no arm."
        yield Check(f"covariate missing: {name}", "pass", text, float(sample.filled))
    only = {"numerator": sample.columns["covariate"]}
    if "covariate_denominator" in sample.columns:
        only["denominator"] = sample.columns["covariate_denominator"]
    names, moments = Sample(only, sample.arms, sample.clusters, sample.keep, sample.missing, 0).moments(len(trial.arms))
    ps = [effect_of(names, moments[trial.control], moments[k], 0.95).p for k in range(len(trial.arms)) if k != trial.control]
    p = min([p for p in ps if not np.isnan(p)], default=1.0)
    if p < ALARM:
        text = f"The covariate of {name!r} differs between arms, which chance alone doesn't do: was it measured after the start? Then it takes away part of the effect; leave it out."
        yield Check(f"covariate: {name}", "warn", text, None, p)


def _tail(name: str, trial: Trial, sample: Sample) -> Iterator[Check]:
    """Whether there are enough of what is independent for how rare, how skewed or how unequal it is."""
    if isinstance(trial.metrics[name], Share):
        yield from _few(name, trial, sample)
        if sample.clusters is None:  # the skewness of yes and no is that of the rarer answer
            return
    columns, arms = sample.independent(sample.arms)
    counts = np.bincount(arms, minlength=len(trial.arms))
    if not len(arms) or counts[counts > 0].min() < 2:
        return
    off = influence_of(list(columns), columns.values(), Moments.of(list(columns.values()), np.zeros(len(arms), np.int64), 1)[0])
    if not (spread := float(np.sqrt(np.square(off).mean()))) > 0:
        return
    off = off / spread
    square = off * off
    largest, skew, one = float(square.max() / len(off)), float((square * off).mean()), "unit" if sample.clusters is None else "cluster"
    if largest > DECIDES:
        able = isinstance(trial.metrics[name], Mean) and sample.clusters is None
        todo = "Look at it winsorised too" if able else "Its interval is too narrow"
        text = f"One {one} makes {largest:.0%} of the spread of {name!r}: whichever arm it is in by chance decides. {todo}."
        yield Check(f"tail: {name}", "warn", text, largest)
        return
    parts = 1 / counts[counts > 0]
    lopsided = max(abs(skew * (a**2 - b**2)) / (a + b) ** 1.5 for a in parts for b in parts)
    if lopsided > LOPSIDED:
        needed = int(counts.sum() * (lopsided / LOPSIDED) ** 2)
        text = f"{name!r} is skewed and the arms are not alike in size, so its interval is off by more at one end; with {needed:,} {one}s it wouldn't be."
        yield Check(f"tail: {name}", "warn", text, lopsided)


def _few(name: str, trial: Trial, sample: Sample) -> Iterator[Check]:
    """Whether there are enough of the rarer answer."""
    values, counts = sample.columns["numerator"], np.bincount(sample.arms, minlength=len(trial.arms))
    yes = np.bincount(sample.arms, values, len(trial.arms))
    rare = int(np.minimum(yes, counts - yes)[counts > 0].min()) if len(values) else 0
    if rare < FEW_EVENTS:
        text = f"{name!r} has {rare} of the rarer answer in an arm; below {FEW_EVENTS} its interval is a rough guide."
        yield Check(f"few: {name}", "warn", text, float(rare))
