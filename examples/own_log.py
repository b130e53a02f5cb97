"""A log of your own to a report: what is in it, which models are good for it, and lists for everybody.

    python examples/own_log.py LOG USER ITEM TIME [FOLDER]      for example: purchases.csv customer sku bought_at

Writes report.html and lists.parquet into FOLDER ("report" if not given).
"""

from __future__ import annotations

import sys
from pathlib import Path

import vitrina as vt


def main(log: str, user: str, item: str, time: str, folder: str = "report") -> None:
    """From the log to the report and the lists."""
    data = vt.read_interactions(log, user=user, item=item, time=time, on_bad_row="quarantine")
    seen = vt.inspect(data)
    print(seen)

    split = data.split(seen.recommended)
    print(split.summary)

    models = {
        "co-occurrence": vt.Cooccurrence(weighting=vt.weighting.BM25()),
        "EASE": vt.EASE(l2=100),
        "TIFU-KNN": vt.TifuKNN(),
    }
    board = vt.compare(models, split, cache=Path(folder) / ".cache", data=data)
    print(board)
    print("Report:", board.save(folder))

    recommender = models["co-occurrence"].fit(data)
    queries = data.queries()
    people = data.users.decode(queries.users).rename(user)
    eligible = vt.Eligibility(repeat=split.eligible.repeat)
    rows = vt.recommend_to(Path(folder) / "lists.parquet", recommender, queries, people, k=10, eligible=eligible, item_column=item)
    print(f"{rows:,} rows for {len(queries):,} people in {folder}/lists.parquet")


if __name__ == "__main__":
    main(*sys.argv[1:])
