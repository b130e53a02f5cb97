"""Events that are acknowledged after their commit, by PostgreSQL beside SQLite on the same disk and cores in the same rounds. Rows of Markdown.

    python -m benchmarks.speed.service_postgres [--seconds 4] [--rounds 3]

Clients await `Store.append` in one process, as in `service_ingest`; PostgreSQL runs beside it with `fsync` and `synchronous_commit` on. `flushes` is the disk's own rate in the same round. The best round counts.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.kit.machine import machine
from benchmarks.kit.postgres_server import PostgresServer
from benchmarks.speed.service_ingest import BATCH, CLIENTS, flushes, store
from vitrina.service.store.postgres import Postgres


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{machine()}.\n")
    print(
        "| batch | clients | SQLite, events/s | PostgreSQL, events/s | of SQLite | p99 of a call, ms | flushes/s of the disk |\n|---|---|---|---|---|---|---|"
    )
    with PostgresServer({}) as server:
        for clients, batch in ((1, 1), (CLIENTS, 1), (CLIENTS, BATCH), (64, BATCH), (CLIENTS, 500)):
            embedded, served = [], []
            for number in range(options.rounds):
                with tempfile.TemporaryDirectory() as folder:
                    state, disk = Path(folder) / "state", flushes(Path(folder), 1)
                    embedded.append(store(state, options.seconds, clients, batch))
                    backend = Postgres(server.database(f"ingest_{clients}_{batch}_{number}"))
                    served.append((*store(state, options.seconds, clients, batch, backend), disk))
            best, (rate, p99, disk) = max(embedded)[0], max(served)
            print(f"| {batch} | {clients} | {best:,.0f} | {rate:,.0f} | {rate / best:.2f} | {p99:.1f} | {disk:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
