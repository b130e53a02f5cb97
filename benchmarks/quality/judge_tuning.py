"""Whether the search for a judge's words (GEPA) is wired rightly: a scripted judge that obeys a rule only if it is stated.

    python -m benchmarks.quality.judge_tuning [--seeds 0 1 2 3 4]

The problem. People label by the word that an item has: five words, each with its grade on a scale of 0 to 3. The scripted judge gives that grade where its criteria state the rule, and else a number of the item modulo 4. The scripted reflector reads the first wrong case
and adds its rule. 120 rows, of which 50 train, 35 validate and 35 test; a budget of 600 calls, the reflector's among them. This shows the wiring and the algorithm, and nothing of what a real model would find.
"""

from __future__ import annotations

import argparse
import re
import time

import numpy as np
import polars as pl

from benchmarks.kit.machine import machine
from vitrina.base.printing import short_interval
from vitrina.judge import Judge, Scale, tune_judge
from vitrina.language.protocol import Reply

SCALE = Scale(grades=("no", "partly", "mostly", "yes"))
RULES = {"broken": 0, "used": 1, "refurbished": 2, "foreign": 1, "sealed": 3}


def labelled(seed: int, rows: int = 120) -> pl.DataFrame:
    words = np.random.default_rng(seed).choice(list(RULES), rows)
    return pl.DataFrame({
        "query": [f"q{n}" for n in range(rows)], "item": [f"i{n}" for n in range(rows)], "text": [f"lamp {w} {n}" for n, w in enumerate(words)],
        "label": [RULES[w] for w in words], "reason": [f"An item that is {w} is a {RULES[w]}." for w in words],
    })  # fmt: skip


class Obedient:
    """Judges by the rules that it is told."""

    name = "obedient"

    def complete(self, messages, schema):
        word, number = re.findall(r"lamp (\w+) (\d+)", messages[-1].content)[-1]
        known = re.search(rf"{word} is a (\d)", messages[0].content)
        return Reply(schema(reasoning="by the rule", label=int(known.group(1)) if known else int(number) % 4), 100, 10, 0.0)


class Reflector:
    """Adds the rule of the first case that went wrong."""

    name = "reflector"

    def complete(self, messages, schema):
        old, cases = messages[1].content.split("# Cases\n")
        rule = re.search(r"Feedback: Wrong.*?(An item that is \w+ is a \d\.)", cases)
        text = f"{old.removeprefix('# Instructions').strip()} {rule.group(1) if rule else ''}"
        return Reply(schema(reasoning="a rule is missing", instructions=text.strip()), 100, 30, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    print(
        "Protocol: the scripted problem of benchmarks/quality/judge_tuning.py, 50/35/35 rows, a budget of 600 calls; kappa with quadratic weights on the test part, 95% intervals. Score: 1 - |difference of grades| / 3.\n"
    )
    print(
        "| seed | kappa before | kappa after | score, new minus old | taken | calls | of them to rewrite | candidates | seconds |\n|---|---|---|---|---|---|---|---|---|"
    )
    for seed in options.seeds:
        started = time.perf_counter()
        judge = Judge(criteria="Judge the item.", scale=SCALE, model=Obedient())
        found = tune_judge(judge, labelled(seed), Reflector(), parts=(50, 35, 35), budget=600, seed=seed)
        t, shown = (
            found.tuned,
            [short_interval(e.value, e.low, e.high) for e in (found.kappa_before, found.kappa_after, found.tuned.difference)],
        )
        taken = "yes" if t.accepted else "no"
        print(
            f"| {seed} | {' | '.join(shown)} | {taken} | {t.calls} | {t.reflections} | {len(t.candidates)} | {time.perf_counter() - started:.1f} |"
        )
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
