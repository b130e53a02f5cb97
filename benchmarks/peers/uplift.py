"""scikit-uplift's curves of one treatment. Runs in the environment of that library.

    python benchmarks/peers/uplift.py UNITS.parquet CURVES.parquet

The units have the columns reward (0 or 1), treated (0 or 1) and prediction. Writes units, uplift and qini, and prints both coefficients and the seconds of all four calls as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import polars as pl

warnings.filterwarnings("ignore")


def main() -> None:
    from sklift.metrics import qini_auc_score, qini_curve, uplift_auc_score, uplift_curve

    units, curves = sys.argv[1:]
    given = pl.read_parquet(units)
    of = [given[name].to_numpy() for name in ("reward", "prediction", "treated")]
    began = time.perf_counter()
    (depth, uplift), (_, qini) = uplift_curve(*of), qini_curve(*of)
    auuc, coefficient = uplift_auc_score(*of), qini_auc_score(*of)
    seconds = time.perf_counter() - began
    pl.DataFrame({"units": depth, "uplift": uplift, "qini": qini}).write_parquet(curves)
    print(json.dumps({"auuc": float(auuc), "qini": float(coefficient), "seconds": seconds}))


if __name__ == "__main__":
    main()
