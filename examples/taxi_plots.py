"""The plots of docs/offers.md, made of the numbers of that page by the same code as the plots of a report: writes offers-values.svg,
offers-spend.svg and offers-share.svg.

    python examples/taxi_plots.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import taxi  # pyright: ignore[reportMissingImports]

import vitrina as vt
from vitrina.report.charts import Dot, dots
from vitrina.report.curves import Curve, curves
from vitrina.report.scales import Linear, spanning
from vitrina.report.standalone import picture

RIDGE = vt.policy.Ridge()


def write_plots(folder: Path) -> None:
    """Write the three files, of 25,000 clients decided on by lot."""
    log = taxi.WORLD.log(25_000, seed=1)
    expected = {reward: vt.policy.cross_fit(log, RIDGE, reward=reward) for reward in ("orders", "profit", "fares")}
    learned = vt.policy.fit_policy(log, vt.policy.PolicyTree(depth=2, min_rows=1000, model=RIDGE), reward="profit")
    drawn = {
        "values": values(log, learned, expected["profit"]),
        "spend": spend(log, expected),
        "share": share(log, learned, expected["profit"]),
    }
    titles = {
        "values": "Each discount for all earns the same; choosing earns more",
        "spend": "Orders that money buys, to whom they are predicted and at random",
        "share": "What a share by lot lets be seen next month",
    }
    for name, drawing in drawn.items():
        (folder / f"offers-{name}.svg").write_text(picture(drawing, titles[name]))


def values(log: Any, learned: Any, expected: Any) -> Any:
    """What each policy earns, with its interval, and the truth as an upright mark."""
    nobody = vt.policy.Always("0%")
    policies = {"0% to all": nobody, "5% to all": vt.policy.Always("5%"), "10% to all": vt.policy.Always("10%"), "tree": learned.chances}
    truths = [taxi.WORLD.value(learned.policy if name == "tree" else policy, "profit") for name, policy in policies.items()]
    table = vt.policy.evaluate(log, policies, reward="profit", estimators=[vt.policy.DR()], predictions=expected).table
    rows = [
        Dot(r["policy"], r["value"], r["low"], r["high"], "lead" if r["policy"] == "tree" else "other", f"in truth {truth:.2f}", mark=truth)
        for r, truth in zip(table.iter_rows(named=True), truths, strict=True)
    ]
    said = "; ".join(f"{r.label} {r.value:.1f} ({r.low:.1f} to {r.high:.1f}), in truth {r.mark:.1f}" for r in rows)
    return dots(rows, description=f"Profit per client: {said}.")


def spend(log: Any, expected: Any) -> Any:
    """The Qini curve of orders, with its band, and the same money at random."""
    cost = expected["fares"].values * [0, 0.05, 0.1]
    scores = vt.policy.aipw_scores(log, expected["orders"], reward="orders")
    table = vt.policy.qini(scores, expected["orders"], cost, clusters=log.clusters).table
    x, y, low, high, random = (table[name].to_list() for name in ("spend", "gain", "low", "high", "random"))
    up, across = spanning([*low, *high], 0, 1), Linear(0, max(x), 0, 1)
    lines = [
        Curve(list(zip(x, random, strict=True)), "other", name="the same money at random"),
        Curve(list(zip(x, y, strict=True)), "lead", band=list(zip(x, low, high, strict=True)), name="to whom it is predicted to gain"),
    ]
    said = f"{x[10]:.2f} per client gains {y[10]:.2f} orders where predicted, {random[10]:.2f} at random"
    ticks = across.tick_labels(6), up.tick_labels(4)
    return curves(
        lines, across=across, up=(up.low, up.high), across_ticks=ticks[0], up_ticks=ticks[1], note=None, description=said, tall=300
    )


def share(log: Any, learned: Any, expected: Any) -> Any:
    """The difference from 0% to all that is seen, by the share of clients that is decided by lot."""
    shares = np.linspace(0.02, 1, 50).tolist()
    found = vt.policy.exploration(log, learned.chances, shares=shares, reward="profit", predictions=expected, rows=10_000)
    points = found.select("share", "detectable").rows()
    up = spanning([y for _, y in points], 0, 1, zero=True)
    return curves(
        [Curve(points, "lead")], across=Linear(0, 1, 0, 1), up=(up.low, up.high), across_ticks=[(s, f"{s:.0%}") for s in (0.05, 0.2, 0.5, 1)],
        up_ticks=up.tick_labels(4), note=(0.2, points[9][1], f"20% by lot: {points[9][1]:.1f}"),
        description=f"With 2% by lot a difference of {points[0][1]:.1f} is seen, with all by lot {points[-1][1]:.1f}.",
    )  # fmt: skip


if __name__ == "__main__":
    write_plots(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
