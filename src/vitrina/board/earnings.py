"""Whether the best order is also the one that earns most: models compared by what their hits are worth."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from vitrina.board.assemble import COMPARISON, columns, of_seeds, query_metrics, users_of
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.run import Evaluation
from vitrina.evaluate.significance import compare_with_best


def earnings(evaluations: Mapping[str, Evaluation], bootstrap: Bootstrap) -> pl.DataFrame:
    """On each metric in the unit of the log's values: every model with the one that earns most, in the columns of Board.comparisons."""
    tables = [pl.DataFrame(schema=COMPARISON)]
    for metric in query_metrics(evaluations):
        if "values" not in metric.needs or len(evaluations) < 2:
            continue
        sign = 1 if metric.lower_is_better else -1
        best_first = dict(sorted(evaluations.items(), key=lambda pair: sign * pair[1][metric.name]))
        table = compare_with_best(
            columns(best_first, metric.name), users_of(best_first), bootstrap=bootstrap, lower_is_better=metric.lower_is_better,
            more=of_seeds(best_first, metric.name),
        )  # fmt: skip
        tables.append(table.with_columns(metric=pl.lit(metric.name), baseline=pl.lit(next(iter(best_first)))).select(list(COMPARISON)))
    return pl.concat(tables)
