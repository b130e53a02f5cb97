"""A made-up A/B test to try `vitrina experiment` on: writes opens.csv (every opening of an app, before the test), clients.csv (who will be assigned),
outcomes.csv (what came of them in the six weeks of the test) and discount.toml, the file of the experiment.

    python examples/ab_test.py [FOLDER]

12,000 clients of a taxi company. In the test half of them get no discount, a quarter one of 5% on the next ride and a quarter one of 10%, by the hash of their number. What nobody knows: 5% brings 3% more rides, and 10%
brings 12% more.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

import vitrina as vt

CLIENTS, BEFORE, DURING = 12_000, 84, 42  # days of the log, and of the test after it
START = np.datetime64("2026-06-01", "us")
EFFECTS = {"none": 0.0, "five": 0.03, "ten": 0.12}
ARMS = {"none": 0.5, "five": 0.25, "ten": 0.25}
FILE = """# vitrina experiment plan|assign|analyse discount.toml

[experiment]
name = "discount"
arms = {none = 0.5, five = 0.25, ten = 0.25}   # the first one is the control

[metrics.rides]            # the first metric decides how long it takes
type = "Mean"
column = "rides"
covariate = "rides_before"

[metrics."fare per ride"]  # a guard: may be worse by less than 5%
type = "Ratio"
numerator = "fares"
denominator = "rides"
margin = 0.05

[past]
path = "opens.csv"
unit = "client"
time = "opened_at"

[plan]
relative = 0.08

[money]
value = 3.0                # the margin of a ride
costs = {five = 0.15, ten = 0.3}

[users]
path = "clients.csv"
unit = "client"

[results]
path = "outcomes.csv"
unit = "client"
slices = ["city"]
"""


def opens(rate: np.ndarray, taste: np.ndarray, days: int, lift: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """Each opening of the app: the client, when, the rides (0 or 1) and the fare that came of it. A discount changes the rides, not the openings."""
    who = np.repeat(np.arange(CLIENTS), rng.poisson(rate * days))
    at = rng.integers(0, days * 86_400, len(who)).astype("timedelta64[s]")
    rides = (rng.random(len(who)) < np.minimum(taste * (1 + lift), 1)[who]).astype(np.int64)
    fares = (rides * rng.gamma(4, 2.2, len(who))).round(2)
    return pl.DataFrame({"client": who + 100_000, "opened_at": START + at, "rides": rides, "fares": fares}).sort("opened_at", "client")


def write_test(folder: Path) -> None:
    """Write the four files."""
    rng = np.random.default_rng(11)
    rate, taste = rng.gamma(0.7, 0.1 / 0.7, CLIENTS), rng.beta(4, 6, CLIENTS)
    clients = pl.DataFrame(
        {"client": np.arange(CLIENTS) + 100_000, "city": rng.choice(["north", "south", "old town"], CLIENTS, p=[0.5, 0.3, 0.2])}
    )
    before = opens(rate, taste, BEFORE, np.zeros(CLIENTS), rng)
    arms = vt.experiments.Experiment(name="discount", arms=ARMS).assign(clients["client"])["arm"]
    lift = arms.replace_strict(EFFECTS, return_dtype=pl.Float64).to_numpy()
    during = opens(rate, taste, DURING, lift, rng).group_by("client").agg(pl.col("rides", "fares").sum())
    month = (
        before.filter(pl.col("opened_at") >= pl.lit(START + np.timedelta64(BEFORE - 28, "D")))
        .group_by("client")
        .agg(rides_before=pl.col("rides").sum())
    )
    outcomes = during.join(month, on="client", how="left").join(clients, on="client").with_columns(pl.col("rides_before").fill_null(0))
    before.write_csv(folder / "opens.csv")
    clients.write_csv(folder / "clients.csv")
    outcomes.sort("client").write_csv(folder / "outcomes.csv")
    (folder / "discount.toml").write_text(FILE, encoding="utf-8")


if __name__ == "__main__":
    write_test(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
