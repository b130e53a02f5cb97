"""A Ray cluster of two one-CPU nodes on this machine, and the demo's job on it: lists for every household of a year of baskets.

    python examples/two_nodes.py [FOLDER]

Needs the extras demo and ray. The model is fitted here and saved; the workers, one per node, load it from its folder. The lists equal those of one process.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import polars as pl
import ray
from ray.cluster_utils import Cluster

import vitrina as vt
from vitrina.jobs.ray import STORE, Ray


def main(folder: Path) -> None:
    """Fit, then answer on the cluster and here."""
    data = vt.complete_journey()
    model = vt.save(vt.TopPersonal(decay=vt.decay.Exponential(days=60)).fit(data), folder / "model", data=data)
    everybody, again = data.queries(), vt.Eligibility(repeat=True)

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False})
    cluster.add_node(num_cpus=1, object_store_memory=STORE)
    try:
        rows = vt.recommend_to(folder / "lists.parquet", model, everybody, eligible=again, executor=Ray(cluster.address, workers=2))
        nodes = sum(node["Alive"] for node in ray.nodes())
    finally:
        ray.shutdown()
        cluster.shutdown()

    vt.recommend_to(folder / "here.parquet", model, everybody, eligible=again)
    same = pl.read_parquet(folder / "lists.parquet").equals(pl.read_parquet(folder / "here.parquet"))
    print(f"{nodes} nodes wrote {rows:,} rows for {len(everybody):,} households; {'the same' if same else 'OTHERS'} as one process.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as place:
            main(Path(place))
