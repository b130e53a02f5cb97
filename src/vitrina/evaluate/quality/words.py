"""What the numbers of a benchmark's quality mean, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from vitrina.base.printing import fixed, short
from vitrina.evaluate.quality.record import LIKELY, NEVER, STABLE, Quality, size
from vitrina.evaluate.quality.values import ModelValues

TIES = 0.05  # share of targets, from which on the order of rows decides too much
SAME = 0.8  # tau from which on two orders are called the same
RISES = 0.7  # Spearman's correlation from which on a metric follows the training
CLEAR = 3.0  # signal to noise from which on seeds turn few orders
SURE = 0.05  # a tau that doubt leaves as seldom is not doubt


def sentences(quality: Quality, primary: ModelValues, same: Sequence[tuple[str, str]]) -> Iterator[str]:
    """All of them, the most important first."""
    if not quality.table["pairs"].sum():
        yield f"{', '.join(primary.models)} answer alike on every query by every metric: there is no order to trust, and no number of people makes one."
        return
    yield f"{_trust(quality)} (Stable: tau with the true order is {quality.tau:g} or more in {_percent(quality.share)} of comparisons.)"
    yield _first_two(quality.row(quality.primary))
    yield from _blind(quality)
    yield _seeds(quality.row(quality.trusted))
    yield from _between_metrics(quality)
    yield _in_time(quality)
    yield from _between_rules(quality)
    yield from _learning(quality)
    yield from _ties(quality)
    yield from _parts(quality)
    if same:
        pairs = ", ".join(f"{a} and {b}" for a, b in same)
        yield f"{pairs} have the same {primary.metric} on every query: they have no order, and their pair is left out of it."


def _trust(quality: Quality) -> str:
    row, own = quality.row(quality.trusted), quality.row(quality.primary)
    by = f" by {quality.rule}" if quality.rule else ""
    of = f"the order of these {row['models']} models" if row["models"] > 2 else "which of the two models is better"
    asked = f"{fixed(row['people'], 0)} were asked"
    if row["verdict"] == NEVER:
        return f"Trust no order of these models{by}: no number of people makes it stable by any metric, as models are equal or what seeds change hides their differences."
    enough = f"{of} is stable from {_people(row['stable'])} on ({_between(row['stable_low'], row['stable_high'])})"
    if row["verdict"] == STABLE:
        said = f"Trust {quality.trusted}{by} here: {enough}, and {asked}."
    elif row["verdict"] == LIKELY:
        said = f"Trust {quality.trusted}{by} with care: {enough}; {asked}, and as many others would give the true order in {_percent(row['now'])} of cases."
    else:
        said = f"Trust no order of these models{by} yet: by {quality.trusted}, which needs the fewest people, {enough}; {asked}."
    if quality.trusted == quality.primary:
        return said
    if own["stable"] == float("inf"):
        return f"{said} By the primary metric {quality.primary} no number of people is enough."
    return (
        f"{said} The primary metric {quality.primary} needs {_people(own['stable'])} ({_between(own['stable_low'], own['stable_high'])})."
    )


def _first_two(row: Mapping[str, Any]) -> str:
    who = f"{row['first']} and {row['second']}, the first two by {row['metric']}, differ by {short(row['difference'])} ({short(row['low'])} to {short(row['high'])})"
    if row["needed"] == float("inf"):
        return f"{who}: no number of people tells them apart, as they are equal or seeds hide the difference."
    if row["needed_high"] <= row["people"]:
        return f"{who}: {_people(row['needed'])} tell them apart in four comparisons of five, and {fixed(row['people'], 0)} were asked."
    some = (
        f", and {size(row['needed_low'])} or more, as they may also be equal,"
        if row["needed_high"] == float("inf")
        else f" ({_between(row['needed_low'], row['needed_high'])})"
    )
    return f"{who}: it takes about {_people(row['needed'])}{some} to tell them apart in four comparisons of five; {fixed(row['people'], 0)} were asked."


def _blind(quality: Quality) -> Iterator[str]:
    for row in quality.table.iter_rows(named=True):
        if row["pairs"] and not row["apart"]:
            needs = (
                "no number of people is enough"
                if row["stable"] == float("inf")
                else f"about {_people(row['stable'])} would be needed for a stable order"
            )
            yield f"{row['metric']} can't tell any two of these models apart with {_people(row['people'])}; {needs}."


def _seeds(row: Mapping[str, Any]) -> str:
    if not row["freedom"]:
        return "Signal to noise is unknown with one seed: fit the models that have one several times (fits=3 or more). A model without a seed has no such noise."
    if row["ratio"] is None:
        return f"Seeds change nothing of {row['metric']}: signal to noise has no end."
    many = "" if row["freedom"] >= 4 else f"; {row['freedom'] + 1} fits say little of it"
    said = f"By {row['metric']} the models are up to {fixed(row['ratio'], 1)} standard deviations of a seed apart ({fixed(row['ratio_low'], 1)} to {fixed(row['ratio_high'], 1)}{many})"
    return f"{said}: {'seeds turn few orders' if row['ratio_low'] >= CLEAR else 'one seed may turn an order'}."


def _between_metrics(quality: Quality) -> Iterator[str]:
    rows = (
        quality.of("metrics")
        .filter((pl.col("one") == quality.primary) | (pl.col("other") == quality.primary))
        .filter(pl.col("tau").is_not_null())
    )
    other = [(r["other"] if r["one"] == quality.primary else r["one"], r["tau"]) for r in rows.iter_rows(named=True)]
    apart = [f"{name} (tau {fixed(tau, 2)})" for name, tau in other if tau < SAME]
    if apart:
        yield f"Another order than by {quality.primary} is that by {', '.join(apart)}: which is right is a question of the job and not of this page."
    elif other:
        yield f"All metrics order the models as {quality.primary} does (tau {SAME:g} or more)."


def _in_time(quality: Quality) -> str:
    rows = quality.of("folds").filter(pl.col("metric") == quality.trusted)
    known = rows.filter(pl.col("tau").is_not_null())
    if not len(known):
        return "Whether the order holds in time is unknown with one fold: compare on several (folds=3)."
    tau, expected = known["tau"].mean(), known["expected"].mean()
    said = f"Between {rows['other'].n_unique() + 1} folds in time the order by {quality.trusted} agrees by a tau of {fixed(_float(tau), 2)}"
    doubt = f"the doubt of people and seeds alone would leave {fixed(_float(expected), 2)}"
    changed = int((known["chance"] <= SURE).sum())
    if changed:
        return f"{said}, where {doubt}: time itself changes which model is better, and an order of one fold holds for that fold."
    return f"{said}; {doubt}, so time is not seen to change it."


def _between_rules(quality: Quality) -> Iterator[str]:
    rows = quality.of("rules")
    if not len(rows):
        return
    base = rows["one"][0]
    own = [row for row in rows.iter_rows(named=True) if row["one"] == base and row["tau"] is not None]
    unlike = [
        f"{row['other']} (tau {fixed(row['tau'], 2)}{', another best model' if not row['same_first'] else ''})"
        for row in own
        if row["tau"] < SAME
    ]
    alike = [f"{row['other']} (tau {fixed(row['tau'], 2)})" for row in own if row["tau"] >= SAME]
    if unlike:
        yield f"{', '.join(unlike)} can't stand for {base}: the order of models is another one there."
    if alike:
        yield f"About the order of {base} have {', '.join(alike)}."


def _learning(quality: Quality) -> Iterator[str]:
    known = quality.monotonicity.filter(pl.col("spearman").is_not_null())
    if not len(known):
        yield "No model here tells its checkpoints: counts have none, so monotonicity has nothing to say."
        return
    told = ", ".join(f"{row['model']} {fixed(row['spearman'], 2)}" for row in known.iter_rows(named=True))
    lowest = _float(known["spearman"].min())
    meaning = "it follows the training" if lowest >= RISES else "it moves little while a model learns, or falls"
    yield f"Over the epochs of training {known['metric'][0]} in validation rises by a rank correlation of {told}: {meaning}."
    steps = quality.of("checkpoints").filter(pl.col("tau").is_not_null())
    if len(steps):
        yield f"From one checkpoint to the next the order of the models that learn agrees by a tau of {fixed(_float(steps['tau'].mean()), 2)}."


def _ties(quality: Quality) -> Iterator[str]:
    if quality.ties is not None and quality.ties >= TIES:
        yield f"{_percent(quality.ties)} of the targets are the last of several events of one time by the order of rows alone: another file of the same log asks for others."


def _parts(quality: Quality) -> Iterator[str]:
    if not len(quality.sizes):
        return
    means = (
        quality.sizes.group_by("share", maintain_order=True)
        .agg(pl.col("tau").mean(), pl.col("people").mean(), pl.len(), pl.col("same_first").mean())
        .sort("share")
    )
    told = "; ".join(
        f"of {_percent(r['share'])} of the people (about {fixed(r['people'], 0)} asked) tau {fixed(r['tau'], 2)}"
        for r in means.iter_rows(named=True)
    )
    yield f"Fitted again on parts of the log, the models stand in the order of the whole log by: {told}."


def _people(number: float) -> str:
    return "no number of people" if number == float("inf") else f"{fixed(number, 0)} people"


def _between(low: float, high: float) -> str:
    return f"{size(low)} or more, and it may be none" if high == float("inf") else f"{size(low)} to {fixed(high, 0)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if 0.01 <= share <= 0.99 or share in (0, 1) else f"{100 * share:.1f}%"


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)
