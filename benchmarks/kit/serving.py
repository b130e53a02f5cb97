"""`vitrina serve` in a process of its own, on free ports, and what it takes of the machine."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.kit.places import ROOT

STARTS = 180  # seconds: compiled kernels may be missing


@dataclass
class Served:
    """A service that answers.

    Args:
        port, admin: of the API, and of health and metrics.
        about: the process.
    """

    port: int
    admin: int
    about: psutil.Process

    def processor(self) -> float:
        """Seconds of the processor that it has taken."""
        used = self.about.cpu_times()
        return used.user + used.system

    def memory(self) -> float:
        """MiB in memory."""
        return self.about.memory_info().rss / 2**20

    def numbers(self) -> dict[str, float]:
        """Its metrics, by name and labels as Prometheus reads them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


@contextmanager
def serving(target: Path, state: Path, *options: str) -> Iterator[Served]:
    """The service of an artifact, or of a file of settings, until the block ends.

    Args:
        state: folder of what it keeps.
        options: of the command.
    """
    log = state.with_name(f"{state.name}.log")
    command = [sys.executable, "-m", "vitrina", "serve", str(target), "--port", "0", "--admin-port", "0", "--state", str(state), *options]
    with log.open("w") as told:
        process = subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=subprocess.STDOUT)
    try:
        yield _ready(process, log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    if process.returncode:
        sys.exit(f"The service ended with {process.returncode}:\n{log.read_text()[-3000:]}")


def _ready(process: subprocess.Popen[bytes], log: Path) -> Served:
    for _ in range(10 * STARTS):
        told = log.read_text()
        ready, admin = (re.search(rf"{name}: http://[\w.]+:(\d+)", told) for name in ("Ready", "metrics"))
        if ready and admin:
            return Served(int(ready[1]), int(admin[1]), psutil.Process(process.pid))
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"The service didn't start:\n{log.read_text()[-3000:]}")
