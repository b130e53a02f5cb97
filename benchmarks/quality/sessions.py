"""What an order earns: by p * v, by the first k of the index, by the exact choice; what is learned from a log; what calibration wins back; how often alarms are false.

    python -m benchmarks.quality.sessions [--instances 3000] [--looks 5000]

Instances: 7 items, p and both chances of going on uniform, values log-normal(0, 1), against the best of all orders of all choices (13,700 of them for 7 items, done by
recursion over what is left). Sessions: `vt.ranking.SessionWorld`, 30 questions, 10 slots, 20,000 people of a log of random orders, 20,000 others to be ranked. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
from functools import cache

import numpy as np
from scipy.special import expit, logit

import vitrina as vt
from benchmarks.kit.machine import machine
from vitrina.ranking import Isotonic, OnlinePlatt, Platt, promises, rank_session, session_value

PEOPLE, ITEMS, SLOTS, OF_INSTANCE = 20_000, 30, 10, 7


def best_of_all(p, value, success, failure, k) -> float:
    """The most that any order is worth: the best first item, and then the best of what is left."""
    q, r = p * success + (1 - p) * failure, p * value

    @cache
    def best(left: int, slots: int) -> float:
        if not slots:
            return 0.0
        return max((r[i] + q[i] * best(left & ~(1 << i), slots - 1) for i in range(len(p)) if left >> i & 1), default=0.0)

    return best((1 << len(p)) - 1, k)


def instances(count: int) -> None:
    """How far simple rules fall short on random instances, by the number of slots."""
    print("| slots | exact is best | p * v: mean loss, most, wrong | first k by index: mean loss, most, wrong |\n|---|---|---|---|")
    for k in (OF_INSTANCE, 5, 3, 1):
        rng, losses, exact = np.random.default_rng(0), {"p * v": [], "index": []}, 0
        for _ in range(count):
            p, value, success, failure = rng.random(OF_INSTANCE), rng.lognormal(0, 1, OF_INSTANCE), *rng.random((2, OF_INSTANCE))
            best = best_of_all(p, value, success, failure, k)
            exact += abs(rank_session(p, value, success, failure, k=k).expected[0] - best) < 1e-9 * best
            index = rank_session(p, value, success, failure).items[0, :k]
            for name, order in (("p * v", np.argsort(-p * value)[:k]), ("index", index)):
                losses[name].append(max(1 - session_value([order], p, value, success, failure)[0] / best, 0.0))
        said = [f"{np.mean(lost):.1%}, {np.max(lost):.0%}, {np.mean(np.array(lost) > 1e-9):.0%}" for lost in losses.values()]
        print(f"| {k}{' (no limit)' * (k == OF_INSTANCE)} | {exact:,} of {count:,} | {said[0]} | {said[1]} |", flush=True)


def sessions() -> None:
    """Revenue per session of orders, played in a world whose truth is known."""
    world = vt.ranking.SessionWorld(items=ITEMS, seed=0)
    people, others = world.people(PEOPLE, seed=1), world.people(PEOPLE, seed=9)
    log = world.play(people, world.random_orders(PEOPLE, SLOTS))
    model = vt.ranking.SessionModel().fit(log, world.features_of(log, people))
    learned = {name: chances.reshape(PEOPLE, ITEMS) for name, chances in model.chances(world.pairs(others)).items()}
    truth, value = world.chances(others), world.value
    free = rank_session(value=value, **truth).items
    bent = {"log-odds halved, + 1": (0.5, 1.0), "log-odds doubled, - 1": (2.0, -1.0)}
    said = {name: expit(slope * logit(truth["p"]) + shift) for name, (slope, shift) in bent.items()}
    orders = {
        "the truth, exact": rank_session(value=value, k=SLOTS, **truth).items, "learned, exact": rank_session(value=value, k=SLOTS, **learned).items,
        "learned, p * v": np.argsort(-learned["p"] * value, axis=1)[:, :SLOTS], "the truth, p * v": np.argsort(-truth["p"] * value, axis=1)[:, :SLOTS],
        "the truth, first 10 by index": free[:, :SLOTS], "the truth, p alone": np.argsort(-truth["p"], axis=1)[:, :SLOTS],
        "any order": world.random_orders(PEOPLE, SLOTS, seed=8),
    }  # fmt: skip
    answered = world.answers(others, seed=4)
    for name, chances in said.items():
        rest = {n: c for n, c in truth.items() if n != "p"}
        orders[f"p with {name}"] = rank_session(chances, value, k=SLOTS, **rest).items
        for calibration in (Platt(), Isotonic()):
            fitted = calibration.fit(logit(chances).ravel(), answered.ravel())
            orders[f"{name}, {type(calibration).__name__}"] = rank_session(fitted(logit(chances)), value, k=SLOTS, **rest).items  # fmt: skip
    played = {name: world.play(others, order, seed=5).revenue for name, order in orders.items()}
    expected = {name: session_value(order, value=value, **truth) for name, order in orders.items()}
    table = vt.evaluate.revenue_per_session(played, np.arange(PEOPLE), expected=expected)
    best = expected["the truth, exact"].mean()
    print("| order by | expected per session | played, 95% interval | of the best |\n|---|---|---|---|")
    for row in table.iter_rows(named=True):
        print(
            f"| {row['ranking'].strip()} | {row['expected']:.3f} | {row['revenue']:.3f} ({row['low']:.3f} to {row['high']:.3f}) | {row['expected'] / best:.1%} |"
        )
    found = vt.evaluate.order_and_money(
        {name: ndcg(orders[name], world.answers(others, seed=5)) for name in ("the truth, exact", "the truth, p alone")},
        {name: played[name] for name in ("the truth, exact", "the truth, p alone")}, "the truth, exact", np.arange(PEOPLE),
    )  # fmt: skip
    print(f"\n{found.sentences[0]}")


def ndcg(order, answers):
    """nDCG@10 of the questions that the person would answer."""
    discount = 1 / np.log2(np.arange(2, SLOTS + 2))
    ideal = np.append(0, np.cumsum(discount))[np.minimum(answers.sum(axis=1), SLOTS)]
    return np.divide(np.take_along_axis(answers, order, axis=1) @ discount, ideal, out=np.full(len(order), np.nan), where=ideal > 0)


def alarms(looks: int) -> None:
    """How often `promises` alarms, at a level of 1%, when chances are right, 5% or 20% too high."""
    print("| outcomes of a look | right | 5% too high | 20% too high |\n|---|---|---|---|")
    for n in (300, 3_000, 30_000):
        count, rng, found = max(looks * 300 // n, 200), np.random.default_rng(n), np.zeros(3)
        for _ in range(count):
            p, value = rng.beta(1, 15, n), rng.lognormal(0, 1.5, n)
            came = rng.random(n) < p
            found += [promises(np.minimum(factor * p, 1), value, came, level=0.01).alarm for factor in (1, 1.05, 1.2)]
        print(f"| {n:,} ({count:,} looks) | {found[0] / count:.2%} | {found[1] / count:.1%} | {found[2] / count:.1%} |", flush=True)


def following() -> None:
    """Log loss of chances after their truth has changed, as one calibration stays and another follows."""
    print("| outcomes since the change | as they were | Platt of before | followed, half-life 2,000 | the truth |\n|---|---|---|---|---|")
    rng, n = np.random.default_rng(0), 40_000
    p = rng.uniform(0.02, 0.6, n)
    truth = np.where(np.arange(n) < n // 2, expit(0.8 * logit(p) - 0.5), expit(1.2 * logit(p) + 0.7))
    came = rng.random(n) < truth
    platt = Platt().fit(logit(p[: n // 2]), came[: n // 2])
    for since in (0, 1_000, 4_000, 16_000):
        now, ahead = (
            OnlinePlatt(half_life=2000).start().update(p[: n // 2 + since], came[: n // 2 + since]),
            slice(n // 2 + since, n // 2 + since + 4000),
        )
        chances = (p[ahead], platt(logit(p[ahead])), now(p[ahead]), truth[ahead])
        loss = [-np.mean(np.where(came[ahead], np.log(c), np.log1p(-c))) for c in chances]
        print(f"| {since:,} | {' | '.join(f'{one:.4f}' for one in loss)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=3000)
    parser.add_argument("--looks", type=int, default=5000)
    options = parser.parse_args()
    limits = machine()
    print(f"{OF_INSTANCE} items:\n")
    instances(options.instances)
    print(f"\nA log of {PEOPLE:,} sessions of a made-up survey company, and {PEOPLE:,} sessions of others:\n")
    sessions()
    print("\nThe alarm of `vt.ranking.promises`, level 1%, ten deciles and the sum; chances beta(1, 15), values log-normal(0, 1.5):\n")
    alarms(options.looks)
    print("\nLog loss of the next 4,000 outcomes, where the truth changes after 20,000:\n")
    following()
    print(f"\n{limits}.")


if __name__ == "__main__":
    main()
