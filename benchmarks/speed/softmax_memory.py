"""Peak memory of the full softmax and its gradients: 200,000 items, 64 dimensions, batches of 4,096 and 16,384 tokens.

    python -m benchmarks.speed.softmax_memory [--items 200_000] [--tokens 4096 16384]

Each batch in a process of its own. The peak counts from after the item table and the states were made and one small batch was trained on
(threads, code and buffers of the libraries), to the end of the backward pass; the gradients of both are in it. Target: at most 1.5 GiB,
and less than 10% more for four times the tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from benchmarks.kit.machine import machine

DIM = 64
STEP = """
import json, sys, time
from pathlib import Path
import torch
import vitrina as vt
from vitrina.sequence.losses import Task
from vitrina.sequence.negatives import Pool

items, tokens, dim = map(int, sys.argv[1:])

def of_status(name):
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(name)).split()[1]) / 1024

def step(states, table, targets):
    begin = time.perf_counter()
    vt.sequence.FullSoftmax().of(Task(states, table, targets, pool)).backward()
    return time.perf_counter() - begin

torch.manual_seed(0)
pool = Pool(torch.ones(items), torch.Generator())
step(torch.randn(64, dim, requires_grad=True), torch.randn(1000, dim, requires_grad=True), torch.randint(1000, (64,)))
table = torch.randn(items, dim, requires_grad=True)
states = torch.randn(tokens, dim, requires_grad=True)
targets = torch.randint(items, (tokens,))
held = of_status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
seconds = step(states, table, targets)
print(json.dumps({"held": held, "peak": of_status("VmHWM"), "seconds": seconds}))
"""


def measured(items: int, tokens: int) -> dict[str, float]:
    command = [sys.executable, "-c", STEP, str(items), str(tokens), str(DIM)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--tokens", type=int, nargs="+", default=[4096, 16_384])
    options = parser.parse_args()
    limits = machine()
    print(f"Full softmax forwards and backwards, {options.items:,} items, {DIM} dimensions. {limits}.\n")
    print(
        "| tokens | logits in one piece, MiB | held before, MiB | peak above it, MiB | against the first | seconds |\n|---|---|---|---|---|---|"
    )
    first = None
    for tokens in options.tokens:
        found = measured(options.items, tokens)
        above = found["peak"] - found["held"]
        first = first or above
        whole = tokens * options.items * 4 / 2**20
        print(f"| {tokens:,} | {whole:,.0f} | {found['held']:.0f} | {above:.0f} | {above / first - 1:+.1%} | {found['seconds']:.1f} |")
    gradients = options.items * DIM * 4 / 2**20
    print(f"\nThe gradient of the item table alone is {gradients:.0f} MiB.")


if __name__ == "__main__":
    main()
