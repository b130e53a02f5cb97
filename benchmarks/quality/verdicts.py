"""Do 95% intervals hold the truth 95 times of 100, and are equal models told apart in 5 of 100? Simulated worlds, as rows of Markdown.

    python -m benchmarks.quality.verdicts

The worlds: person u asks n_u = ceil(exp(N(.7, s))) queries, or one. Their chance of a hit is p_u ~ Beta(3p, 3(1 - p)); a hit is at a place
that is uniform from 1 to 10, and its value 1 / log2(1 + place), or 1 where the metric is a hit rate. With "a heavy person" one
more asks as many queries as all others together. For many models each has with the probability 1/2 a chance p_um of its own instead of p_u,
and with .4 a hit and a place of its own at a query instead of those that the models share: models that are equal on the whole and
differ for people. Where one is better its chances are larger by a share. The truth is the mean over queries of all people.

10,000 worlds a cell and seed 1 (199 draws for the bootstraps beside), so that the standard deviation of 5% is .22 points; the kernels write the formulas of `vitrina.evaluate` down a
second time, and a world of either is held against it first: the interval, and differences, errors, critical values and verdicts. Groups are told by
`vitrina.evaluate.leads_within` itself. Half an hour on one core.
"""

# ruff: noqa: NPY002  compiled code has a state of its own, which only the old names know
from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations

import numba
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtr, stdtrit

from benchmarks.kit.machine import machine
from vitrina.evaluate.bootstrap import Bootstrap, Buckets
from vitrina.evaluate.interval import mean_interval
from vitrina.evaluate.leads import leads_within
from vitrina.evaluate.significance import compare_pairs

WORLDS, MODELS, DRAWS, CRITICAL = 10_000, 10, 199, 999
TABLE = 1 << 20  # weights that the bootstraps of the comparison take theirs from, from a place drawn anew for each draw
GAIN = float(np.mean(1 / np.log2(np.arange(2, 12))))
PAIRS = np.array(list(combinations(range(MODELS), 2)))


@dataclass(frozen=True)
class World:
    """What a cell of a table is drawn from: people, the true mean, the spread of their queries (0 for one each), and what is odd."""

    name: str
    people: int
    mean: float
    spread: float = 1.0
    graded: bool = True
    heavy: bool = False
    money: bool = False  # values from 0 up, a hit's lognormal
    better: float = 0.0  # share by which the last model is

    @property
    def chance(self) -> float:
        return self.mean / (GAIN if self.graded and not self.money else 1.0)


@numba.njit(cache=True)
def _beta(chance):
    a, b = np.random.gamma(3 * chance, 1.0), np.random.gamma(3 * (1 - chance), 1.0)
    return a / (a + b)


@numba.njit(cache=True)
def _lengths(people, spread, heavy):
    out = np.ones(people)
    for u in range(people if spread else 0):
        out[u] = np.ceil(np.exp(np.random.normal(0.7, spread)))
    if heavy:
        out[0] = out[1:].sum()
    return out


@numba.njit(cache=True)
def _one_model(people, chance, spread, graded, heavy, money):
    """(people,) sums and numbers of queries."""
    counts, sums = _lengths(people, spread, heavy), np.zeros(people)
    for u in range(people):
        mine = _beta(chance) if spread else chance
        for _ in range(int(counts[u])):
            if np.random.random() < mine:
                sums[u] += np.exp(np.random.normal(-0.5, 1.0)) if money else 1 / np.log2(2.0 + np.random.randint(0, 10)) if graded else 1.0
    return sums, counts


@numba.njit(cache=True)
def _many_models(people, chance, spread, heavy, better):
    """(people, models) sums, and (people,) numbers of queries."""
    counts, sums, own = _lengths(people, spread, heavy), np.zeros((people, MODELS)), np.empty(MODELS)
    for u in range(people):
        mine = _beta(chance)
        for m in range(MODELS):
            own[m] = mine if np.random.random() < 0.5 else _beta(chance)
        own[MODELS - 1] *= 1 + better
        for _ in range(int(counts[u])):
            shared, place = np.random.random(), np.random.randint(0, 10)
            for m in range(MODELS):
                alone = np.random.random() < 0.4
                if (np.random.random() if alone else shared) < own[m]:
                    sums[u, m] += 1 / np.log2(2.0 + (np.random.randint(0, 10) if alone else place))
    return sums, counts


@numba.njit(cache=True)
def _seeded(people, chance, spread, heavy, better, seed=1):
    """A world of many models; with seed 1 the first of `_differences`."""
    np.random.seed(seed)
    return _many_models(people, chance, spread, heavy, better)


@numba.njit(cache=True)
def _resampled(sums, counts, table):
    """(draws,) values of a Poisson bootstrap of people, and their linearised errors."""
    value, size = sums.sum() / counts.sum(), len(sums)
    values, errors = np.full(DRAWS, np.nan), np.zeros(DRAWS)
    for b in range(DRAWS):
        at = np.random.randint(0, TABLE - size)
        off = squares = cross = total = long = 0.0
        for u in range(size):
            w = table[at + u]
            if w:
                left = sums[u] - value * counts[u]
                off, squares, cross = off + w * left, squares + w * left * left, cross + w * left * counts[u]
                total, long = total + w * counts[u], long + w * counts[u] * counts[u]
        if total:
            by = off / total
            values[b], errors[b] = value + by, np.sqrt(max(squares - 2 * by * cross + by * by * long, 0.0)) / total
    return values, errors


@numba.njit(cache=True)
def _means(worlds, people, chance, spread, graded, heavy, money, table):
    """For each world: value, people with hits, plain squares, squares and fourths of the jackknife, percentiles, a quantile of bootstrap-t."""
    np.random.seed(1)
    out = np.zeros((worlds, 8))
    for w in range(worlds):
        sums, counts = _one_model(people, chance, spread, graded, heavy, money)
        total = counts.sum()
        value = sums.sum() / total
        left = sums - value * counts
        moves = left / (total - counts)
        hits = float((sums > 0).sum())
        out[w, :5] = np.array([value, hits, (left**2).sum() / total**2, (moves**2).sum(), (moves**4).sum()])
        values, errors = _resampled(sums, counts, table)
        studentised = np.full(DRAWS, np.inf)
        for b in range(DRAWS):
            if money:
                studentised[b] = abs(values[b] - value) / errors[b] if errors[b] > 0 else np.inf
            elif 0 < values[b] < 1 and errors[b] > 0 and 0 < value < 1:
                scale = errors[b] / (values[b] * (1 - values[b]))
                studentised[b] = abs(np.log(values[b] / (1 - values[b])) - np.log(value / (1 - value))) / scale
        values, studentised = np.sort(values), np.sort(studentised)
        out[w, 5:] = np.array([values[int(0.025 * DRAWS)], values[int(0.975 * DRAWS)], studentised[int(0.95 * DRAWS)]])
    return out


@numba.njit(cache=True)
def _differences(worlds, people, chance, spread, heavy, better, pairs):
    """For each world: (models,) means; (pairs,) differences, errors, freedoms, people who differ; the critical values of nine and of all."""
    np.random.seed(1)
    means, found, critical = np.zeros((worlds, MODELS)), np.zeros((worlds, len(pairs), 4)), np.zeros((worlds, 2))
    for w in range(worlds):
        sums, counts = _many_models(people, chance, spread, heavy, better)
        total = counts.sum()
        means[w, :] = sums.sum(axis=0) / total
        moves = np.empty_like(sums)
        for m in range(MODELS):
            moves[:, m] = (means[w, m] * counts - sums[:, m]) / (total - counts)
        sizes = np.zeros(len(pairs))
        for j in range(len(pairs)):
            a, b = pairs[j]
            between = moves[:, a] - moves[:, b]
            squares, fourths = (between**2).sum(), (between**4).sum()
            spread_of = fourths - squares**2 / people
            freedom = min(max(2 * squares**2 / spread_of, 1.0), people - 1.0) if spread_of > 0 else people - 1.0
            sizes[j] = np.sqrt(squares)
            differ = float((sums[:, a] != sums[:, b]).sum())
            found[w, j] = np.array([means[w, a] - means[w, b], np.sqrt((people - 1) / people) * sizes[j], freedom, differ])
        covariance = moves.T @ moves
        factor = np.linalg.cholesky(covariance + 1e-9 * np.trace(covariance) * np.eye(MODELS))
        nine, every = np.zeros(CRITICAL), np.zeros(CRITICAL)
        few, many = np.median(found[w, : MODELS - 1, 2]), np.median(found[w, :, 2])
        for b in range(len(nine)):
            off = factor @ np.random.standard_normal(MODELS)
            for j in range(len(pairs)):
                z = abs(off[pairs[j, 0]] - off[pairs[j, 1]]) / sizes[j] if sizes[j] else 0.0
                every[b] = max(every[b], z)
                if j < MODELS - 1:
                    nine[b] = max(nine[b], z)
            nine[b] /= np.sqrt(np.random.chisquare(few) / few)
            every[b] /= np.sqrt(np.random.chisquare(many) / many)
        critical[w, 0], critical[w, 1] = np.sort(nine)[-50], np.sort(every)[-50]
    return means, found, critical


def coverage(world: World, worlds: int) -> str:
    """A row: how often the truth is in the interval, by method; and on which side of the chosen one it is."""
    table = np.random.default_rng(0).poisson(1, TABLE).astype(np.int8)
    out = _means(worlds, world.people, world.chance, world.spread, world.graded, world.heavy, world.money, table)
    value, hits, plain, squares, fourths, low, high, quantile = out.T
    people, inside = world.people, np.clip(value, 1e-9, 1 - 1e-9)
    spread = fourths - squares**2 / people
    freedom = np.clip(np.divide(2 * squares**2, spread, out=np.full(worlds, np.inf), where=spread > 0), 1, people - 1)
    scale = 1.0 if world.money else inside * (1 - inside)
    turn, back = (lambda x: x, lambda x: x) if world.money else (logit, expit)
    middle = turn(value if world.money else inside)
    simple, jackknife = np.sqrt(plain * people / (people - 1)), np.sqrt(squares * (people - 1) / people)
    few, own = stdtrit(people - 1, 0.975), stdtrit(freedom, 0.975)
    with np.errstate(invalid="ignore"):
        ends = [
            (low, high), (value - few * simple, value + few * simple), (value - own * jackknife, value + own * jackknife),
            (back(middle - few * simple / scale), back(middle + few * simple / scale)),
            (back(middle - quantile * np.sqrt(plain) / scale), back(middle + quantile * np.sqrt(plain) / scale)),
            (back(middle - own * jackknife / scale), back(middle + own * jackknife / scale)),
        ]  # fmt: skip
    shares = [100 * np.mean((a <= world.mean) & (world.mean <= b)) for a, b in ends]
    last = ends[-1]
    sides = f"{100 * np.mean(world.mean < last[0]):.1f} / {100 * np.mean(world.mean > last[1]):.1f}"
    width = f"{np.median(last[1] - last[0]) / np.median(high - low):.2f}"
    return f"| {world.name} | {people:,} | {hits.mean():.0f} | {' | '.join(f'{s:.1f}' for s in shares[:-1])} | **{shares[-1]:.1f}** | {sides} | {width} |"


def verdicts(world: World, worlds: int) -> str:
    """A row: how often anything is called a difference, by how the baseline was found."""
    means, found, critical = _differences(worlds, world.people, world.chance, world.spread, world.heavy, world.better, PAIRS)
    value, error, freedom, differ = np.moveaxis(found, 2, 0)
    enough = (differ >= 10) & (world.people >= 20)
    t = np.where(enough, np.abs(value) / np.maximum(error, 1e-300), 0)
    p = np.where(enough, 2 * stdtr(freedom, -t), 1)
    alone = stdtrit(freedom, 0.975)
    sure = {"nine": (t > critical[:, :1]) & (t > alone), "all": (t > critical[:, 1:]) & (t > alone)}
    inside = np.abs(value[:, 0]) <= alone[:, 0] * error[:, 0]

    def with_(model: NDArray[np.int64]) -> NDArray[np.bool_]:
        return (PAIRS[None, :, 0] == model[:, None]) | (PAIRS[None, :, 1] == model[:, None])

    named = with_(np.zeros(worlds, np.int64))
    of_five, least, best = with_(means[:, :5].argmax(1)), with_(means.argmin(1)), with_(means.argmax(1))
    if world.better:
        is_it = (PAIRS == [0, MODELS - 1]).all(axis=1)
        rates = [
            sure["nine"][:, is_it],
            holm(p, named)[:, is_it],
            9 * p[:, is_it] < 0.05,
            sure["all"][:, is_it],
            45 * p[:, is_it] < 0.05,
            p[:, is_it] < 0.05,
        ]
        return f"| {world.name} | {world.people:,} | " + " | ".join(f"{100 * r.mean():.1f}" for r in rates) + " |"
    rates = [
        (sure["nine"] & named).any(1), holm(p, named).any(1), (sure["all"] & of_five).any(1), holm(p, of_five).any(1),
        (sure["all"] & least).any(1), holm(p, least).any(1), (sure["all"] & best).any(1), holm(p, best).any(1),
    ]  # fmt: skip
    shown = " | ".join(f"**{100 * r.mean():.1f}**" if i % 2 == 0 else f"{100 * r.mean():.1f}" for i, r in enumerate(rates))
    return f"| {world.name} | {world.people:,} | {100 * inside.mean():.1f} | {shown} | {np.median(critical[:, 0]):.2f} / {np.median(critical[:, 1]):.2f} |"


def groups(world: World, worlds: int) -> str:
    """A row: how often any lead in any of nine groups is called measurable, where ten models are equal in all of them.

    Four towns and two ages of people, and three days of queries, all by chance.
    """
    sure = 0
    for number in range(worlds):
        rng = np.random.default_rng(number)
        sums, counts = _seeded(world.people, world.chance, world.spread, world.heavy, 0.0, number)
        users = np.repeat(np.arange(world.people), counts.astype(np.int64))
        labels = {
            "town": rng.integers(0, 4, world.people)[users],
            "age": rng.integers(0, 2, world.people)[users],
            "day": rng.integers(0, 3, len(users)),
        }
        models = {str(m): (sums[:, m] / counts)[users] for m in range(MODELS)}  # only a person's sum counts
        slices = {name: pl.Series(group).cast(pl.String) for name, group in labels.items()}
        table = leads_within(models, slices, users, bootstrap=Bootstrap(draws=CRITICAL, seed=number))
        sure += bool((table["p_adjusted"] < 0.05).any())
    return f"| {world.name} | {world.people:,} | {100 * sure / worlds:.1f} |"


def holm(p: NDArray[np.float64], of: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(worlds, pairs) what Holm's correction over the nine pairs of `of` calls a difference."""
    mine = np.sort(np.where(of, p, 2), axis=1)[:, : MODELS - 1]
    passed = np.cumprod(mine * np.arange(MODELS - 1, 0, -1) < 0.05, axis=1).sum(axis=1)
    last = np.where(passed > 0, np.take_along_axis(mine, np.maximum(passed - 1, 0)[:, None], 1)[:, 0], -1)
    return of & (p <= last[:, None])


MEANS = [
    *(World("nDCG, mean .20", people, 0.20) for people in (50, 75, 200, 1000)),
    *(World("nDCG, mean .034", people, 0.034) for people in (50, 200, 300, 1000)),
    *(World("hit rate .06, one query each", people, 0.06, 0.0, False) for people in (50, 200, 833)),
    *(World("nDCG, queries more unequal (s = 1.5)", people, mean, 1.5) for people, mean in ((75, 0.20), (200, 0.20), (300, 0.034))),
    *(World("nDCG, a heavy person", people, mean, heavy=True) for people, mean in ((75, 0.20), (300, 0.034))),
    *(World("money, not bounded", people, 0.20, money=True) for people in (75, 300, 1000)),
]  # fmt: skip
EQUAL = [
    *(World("one query each, mean .20", people, 0.20, 0.0) for people in (10, 20, 50)),
    *(World("nDCG, mean .20", people, 0.20) for people in (50, 200, 1000)),
    World("nDCG, mean .034", 200, 0.034),
    World("nDCG, queries more unequal (s = 1.5)", 200, 0.20, 1.5),
    World("nDCG, a heavy person", 100, 0.20, heavy=True),
]  # fmt: skip
GROUPS = [World("nDCG, mean .20", 200, 0.20)]
BETTER = [World(f"one of ten is better by {better:.0%}", 1000, 0.20, better=better) for better in (0.1, 0.15, 0.2)]


def check() -> None:
    """The kernels write down what `vitrina.evaluate` does."""
    table = np.random.default_rng(0).poisson(1, TABLE).astype(np.int8)
    value, _, _, squares, fourths, *_ = _means(1, 40, 0.5, 0.0, False, False, False, table)[0]
    hits = round(value * 40)
    column, users = np.r_[np.ones(hits), np.zeros(40 - hits)], np.arange(40)
    found = Buckets.of([column], users).jackknife()
    assert np.isclose(found.error[0] ** 2, squares * 39 / 40), "the jackknife is another one"
    freedom = min(2 * squares**2 / max(fourths - squares**2 / 40, 1e-300), 39)
    assert np.isclose(found.freedom[0], freedom), "the freedom is another one"
    reach = stdtrit(freedom, 0.975) * found.error[0] / (value * (1 - value))
    assert np.allclose(mean_interval(column, users), expit(logit(value) + np.array([-reach, reach]))), "the interval is another one"
    check_verdicts(World("a few people", 60, 0.20, better=0.6))


def check_verdicts(world: World) -> None:
    """The same of verdicts. Critical values are drawn by both, so that they agree to a few percent."""
    sums, counts = _seeded(world.people, world.chance, world.spread, world.heavy, world.better)
    _, found, critical = _differences(1, world.people, world.chance, world.spread, world.heavy, world.better, PAIRS)
    users = np.repeat(np.arange(world.people), counts.astype(np.int64))
    models = {str(m): (sums[:, m] / counts)[users] for m in range(MODELS)}  # only a person's sum counts
    for pairs, own in ((PAIRS[: MODELS - 1], critical[0, 0]), (PAIRS, critical[0, 1])):
        table = compare_pairs(models, [(str(a), str(b)) for a, b in pairs], users)
        value, error, freedom, _ = found[0, : len(pairs)].T
        reach = np.maximum(own, stdtrit(freedom, 0.975)) * error
        assert np.allclose(table["difference"], value), "the differences are others"
        assert np.allclose((table["high"] - table["low"]) / 2, reach, rtol=0.06), "the critical value is another one"
        sure = np.array([verdict.startswith(("better", "worse")) for verdict in table["verdict"]])
        near = np.abs(np.abs(value) / reach - 1) < 0.06  # where the draws decide
        assert (sure == (np.abs(value) > reach))[~near].all(), "the verdicts are others"
        assert sure.any(), "nothing is called a difference in this world: it shows nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=WORLDS, help="of each cell")
    worlds = parser.parse_args().worlds
    check()
    print(f"{machine()}; {worlds:,} worlds a cell, seed 1.\n")
    print(
        "| values | people | with hits | percentiles | t | t, jackknife | t, logit | bootstrap-t, logit | t, jackknife, logit | truth below / above | width |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for world in MEANS:
        print(coverage(world, worlds), flush=True)
    print(
        "\n| ten equal models | people | one pair covered | named | Holm | best of five | Holm | weakest | Holm | behind the best | Holm | c |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for world in EQUAL:
        print(verdicts(world, worlds), flush=True)
    print("\n| ten models, equal in nine groups | people | any lead called measurable |\n|---|---|---|")
    for world in GROUPS:
        print(groups(world, worlds), flush=True)
    print("\n| seen | people | named | Holm | Bonferroni | all pairs | Bonferroni | alone |\n|---|---|---|---|---|---|---|---|")
    for world in BETTER:
        print(verdicts(world, worlds), flush=True)


if __name__ == "__main__":
    main()
