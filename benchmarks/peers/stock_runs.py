"""stockpyl's simulation of one item that orders up to a level. Runs in the environment of that library.

    python benchmarks/peers/stock_runs.py JOB.json

The job has demand (per period), level, lead, holding and shortage. Prints the total cost, the inventory level of each period and the least seconds of five runs as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    from stockpyl.sim import simulation
    from stockpyl.supply_chain_network import single_stage_system

    job = json.loads(Path(sys.argv[1]).read_text())
    periods, seconds = len(job["demand"]), []
    for _ in range(5):
        network = single_stage_system(
            local_holding_cost=job["holding"], stockout_cost=job["shortage"], demand_type="D", demand_list=job["demand"], policy_type="BS",
            base_stock_level=job["level"], shipment_lead_time=job["lead"], initial_inventory_level=job["level"],
        )  # fmt: skip
        began = time.perf_counter()
        cost = simulation(network, periods, rand_seed=0, progress_bar=False)
        seconds.append(time.perf_counter() - began)
    states = network.nodes[0].state_vars[:periods]
    levels = [sum(s.inventory_level.values()) if isinstance(s.inventory_level, dict) else s.inventory_level for s in states]
    print(json.dumps({"cost": cost, "levels": levels, "seconds": min(seconds)}))


if __name__ == "__main__":
    main()
