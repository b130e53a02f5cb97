"""A day of a shop in Airflow 3: take in the day's events, compare, fit, promote if better, and write lists for everybody.

Put this file into the folder of DAGs, and set SHOP to a folder that all workers see: in it `vitrina.toml` (its source is the folder `log` beside it; what serves is the `baseline`
of [job]), the folder `events` with a file per day, and `log`, which `vitrina ingest HISTORY --out log --event-id event_id` made once. Each task is one command,
which can be run again: an event is taken once, and what is finished is not done twice.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator  # pyright: ignore[reportMissingImports]
from airflow.sdk import DAG  # pyright: ignore[reportMissingImports]

SHOP = os.environ.get("SHOP", "/srv/shop")
CHALLENGER = os.environ.get("CHALLENGER", "EASE")  # a model of vitrina.toml
STAYS = 4  # exit code of `vitrina promote`: the challenger isn't measurably better

with DAG(
    "vitrina",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # one load at a time
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "cwd": SHOP},
) as dag:
    ingest = BashOperator(
        task_id="ingest", bash_command="vitrina ingest events/{{ ds }}.parquet --out log --load append --event-id event_id"
    )
    compare = BashOperator(task_id="compare", bash_command="vitrina compare vitrina.toml --workers 2")
    fit = BashOperator(task_id="fit", bash_command=f"vitrina fit vitrina.toml --model {CHALLENGER} --out challenger")
    promote = BashOperator(
        task_id="promote",
        bash_command=f"vitrina promote vitrina.toml --model {CHALLENGER} --artifact challenger --to serving",
        skip_on_exit_code=STAYS,
    )
    recommend = BashOperator(
        task_id="recommend",
        bash_command="vitrina recommend serving --data log --out lists/{{ ds }} --workers 2",
        trigger_rule="none_failed",  # whoever serves
    )
    # `fit` takes the parameters that `compare` found, and keeps its numbers with the artifact
    ingest >> compare >> fit >> promote >> recommend  # pyright: ignore[reportUnusedExpression]
