"""What a request costs in a web framework before any model is asked: Starlette with msgspec, Litestar and FastAPI, on uvicorn and on Granian.

    python -m benchmarks.speed.service_frameworks [--seconds 8] [--repeat 2]

One process serves `POST /v1/recommend`: the body is decoded and checked, and 10 rows are answered, of a fixed list. 32 connections of the own generator (kit/load.py) send
the next request when they have their answer. Of each case the best run counts, as the generator shares the cores. The peers are in an environment of their own (peers/setup.sh); the latency is that of a
closed loop at the limit.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
import urllib.request

from benchmarks.kit.load import Request, hammer
from benchmarks.kit.machine import machine
from benchmarks.kit.peers import PEERS, peer_python
from benchmarks.kit.places import CACHE

FRAMEWORKS = {"starlette": "Starlette + msgspec", "litestar": "Litestar", "fastapi": "FastAPI"}
SERVERS = ("uvicorn", "granian")
CONNECTIONS = 32
BODY = {"user": "user-00000042", "k": 10, "scenario": "default", "exclude": ["item-000001"]}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(port: int) -> None:
    """Wait for the server, and see that its answer is what was asked for."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/v1/recommend", json.dumps(BODY).encode(), {"Content-Type": "application/json"})
    for _ in range(100):
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                found = json.loads(answer.read())
                assert len(found["items"]) == 10, found
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("The server doesn't answer.")


def load(port: int, seconds: float) -> tuple[float, float]:
    """Requests per second and the 99th percentile in milliseconds."""
    done = hammer(port, [Request("/v1/recommend", BODY)], seconds=seconds, connections=CONNECTIONS)
    if done.errors:
        sys.exit(f"Not every answer was good: {dict(done.errors)}")
    return done.rate, done.p99


def measured(python: str, framework: str, server: str, seconds: float) -> tuple[float, float]:
    port = free_port()
    process = subprocess.Popen([python, str(PEERS / "web_frameworks.py"), framework, server, str(port)])
    try:
        answers(port)
        return load(port, seconds)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


def versions() -> str:
    wanted = ("starlette", "msgspec", "litestar", "fastapi", "uvicorn", "granian")
    lines = (CACHE / "venvs" / "web" / "ready").read_text(encoding="utf-8").lower().splitlines()
    return ", ".join(line.replace("==", " ") for name in wanted for line in lines if line.startswith(f"{name}=="))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.service_frameworks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    python, limits = peer_python("web"), machine()
    cases = [(framework, server) for server in SERVERS for framework in FRAMEWORKS]
    runs = {case: [] for case in cases}
    for _ in range(options.repeat):
        for case in cases:
            runs[case].append(measured(python, *case, options.seconds))
    best = {case: max(found) for case, found in runs.items()}
    base = best["starlette", "uvicorn"][0]
    print(f"{CONNECTIONS} connections, {options.seconds:g} s each, the best of {options.repeat}. {versions()}. {limits}.\n")
    print("| framework | server | requests/s | of Starlette on uvicorn | p99, ms |\n|---|---|---|---|---|")
    for (framework, server), (rate, p99) in best.items():
        print(f"| {FRAMEWORKS[framework]} | {server} | {rate:,.0f} | {rate / base:.2f} | {p99:.1f} |")


if __name__ == "__main__":
    main()
