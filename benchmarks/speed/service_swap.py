"""Models are swapped every second under load, and killed in the middle of a swap. Rows of Markdown.

    python -m benchmarks.speed.service_swap [--seconds 120] [--kills 20]

Two artifacts of 20,000 items with ids that no other has ("a...", "b..."), so that each list tells which model made it: neighbours of items, and an eSASRec of dim 64 that answers by ONNX.
`vitrina serve` runs in a process of its own; four clients ask for lists of 10 all the time, over HTTP, and never try again, while another loads the other artifact every second, and
every tenth time goes back instead. A list is right where all its items come from the model (none from the fallback) and are those of the version that it names. Then the service is killed (SIGKILL) at random moments of a
swap, and started again: it must serve one of both, as it says.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.serving import Served, serving
from vitrina.client import Client

USERS, ITEMS, EVENTS, ASKERS, K = 5000, 20_000, 20, 4, 10
SWAP = 0.5  # seconds within which a swap is killed: about what it takes
MODELS: dict[str, Any] = {
    "neighbours of items": vt.Cooccurrence(neighbours=50),
    "eSASRec, ONNX": vt.sequence.published_eSASRec(dim=64, training=vt.sequence.Training(epochs=1)),
}


@dataclass
class Seen:
    """What clients saw.

    Args:
        milliseconds: of each list.
        wrong: lists with items of another version than the one that they name, or too short.
        failed: lists that didn't come, and why.
        swaps: seconds of each load.
        sizes: MiB of the service after each swap.
    """

    milliseconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    swaps: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    letters: dict[str, str] = field(default_factory=dict)  # of versions


def artifacts(folder: Path, model: Any) -> None:
    """`a` and `b`, whose items share no id."""
    frame = vt.testing.synthetic(USERS, ITEMS, EVENTS, groups=100).frame().select("user_id", "item_id", "timestamp")
    for letter in "ab":
        data = vt.read_interactions(frame.with_columns(item_id=letter + pl.col("item_id").cast(pl.String)))
        vt.save(model.fit(data), folder / letter, model=model, data=data, onnx=True)


def swapped(service: Served, seconds: float) -> Seen:
    """What clients saw while models changed every second."""
    seen, stop, url = Seen(), threading.Event(), f"http://127.0.0.1:{service.port}"
    found: list[tuple[str, set[str], int]] = []

    def ask(number: int) -> None:
        rng = random.Random(number)
        with Client(url, retries=0) as client:
            while not stop.is_set():
                history = [f"{letter}i{rng.randrange(ITEMS)}" for letter in "ab" for _ in range(5)]
                begin = time.perf_counter()
                try:
                    answer = client.recommend(f"p{rng.randrange(USERS)}", history=history, k=K)
                except Exception as error:  # whatever it is, it counts
                    seen.failed.append(repr(error))
                    continue
                seen.milliseconds.append(1000 * (time.perf_counter() - begin))
                found.append(
                    (answer.model_version, {item.item[0] for item in answer.items}, sum(item.source == "model" for item in answer.items))
                )

    def swap() -> None:
        with Client(url, timeout=60, retries=0) as client:
            seen.letters[client.recommend("p0", k=1).model_version] = "a"
            for place in range(int(seconds)):
                begin = time.perf_counter()
                back = place % 10 == 9
                letter = "ba"[place % 2]
                answer = client.roll_back() if back else client.load_model(letter)
                seen.letters.setdefault(answer.version, letter)
                seen.swaps.append(time.perf_counter() - begin)
                seen.sizes.append(service.memory())
                time.sleep(max(1 - (time.perf_counter() - begin), 0))
        stop.set()

    with ThreadPoolExecutor(ASKERS + 1) as pool:
        running = [pool.submit(ask, number) for number in range(ASKERS)]
        try:
            pool.submit(swap).result()
        finally:
            stop.set()
        for one in running:
            one.result()
    seen.wrong = [f"{version}: {letters}" for version, letters, length in found if letters != {seen.letters.get(version)} or length != K]
    return seen


@contextmanager
def killable(folder: Path) -> Iterator[Served]:
    """A service that may be killed inside."""
    try:
        with serving(folder / "a", folder / "state", "--histories", "store") as service:
            yield service
    except SystemExit:
        pass  # it was killed


def killed(folder: Path, rounds: int) -> tuple[int, int]:
    """How often a service served one of both after a kill in the middle of a swap, and how often it had the new one."""
    rng, right, new = random.Random(0), 0, 0
    for number in range(rounds):
        with killable(folder) as service:
            url, letter = f"http://127.0.0.1:{service.port}", "ba"[number % 2]
            with Client(url, timeout=60, retries=0) as client:
                before = client.recommend(k=1).model_version
                thread = threading.Thread(target=lambda url=url, letter=letter: _load(url, letter), daemon=True)
                thread.start()
                time.sleep(rng.random() * SWAP)
                service.about.send_signal(signal.SIGKILL)
                thread.join()
        kept = json.loads((folder / "state" / "serving.json").read_text())["scenarios"]["default/default"]["versions"]
        with killable(folder) as service, Client(f"http://127.0.0.1:{service.port}", retries=0) as client:
            answer = client.recommend(k=K)
            version = answer.model_version
            one_of_both = version == kept[0]["id"] and (version == before or kept[1]["id"] == before)
            letters = {item.item[0] for item in answer.items}
            right += one_of_both and letters == {Path(kept[0]["folder"]).name}
            new += version != before
    return right, new


def _load(url: str, letter: str) -> None:
    try:
        with Client(url, timeout=60, retries=0) as client:
            client.load_model(letter)
    except Exception:
        pass  # the service was killed under it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    print(f"{options.seconds:g} s of each model, {ASKERS} clients. {machine()}.\n")
    print(
        "| model | swaps | lists | failed | of another version than named | p50 ms | p99 ms | slowest | seconds per swap, median | MiB after 10 swaps | at the end |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, model in MODELS.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            artifacts(folder, model)
            with serving(folder / "a", folder / "state", "--histories", "store") as service:
                seen = swapped(service, options.seconds)
            half, most = np.percentile(seen.milliseconds, [50, 99])
            print(
                f"| {name} | {len(seen.swaps)} | {len(seen.milliseconds):,} | {len(seen.failed)} | {len(seen.wrong)} | {half:.1f} | {most:.1f} | "
                f"{max(seen.milliseconds):.0f} | {np.median(seen.swaps):.2f} | {seen.sizes[min(9, len(seen.sizes) - 1)]:.0f} | {seen.sizes[-1]:.0f} |", flush=True,
            )  # fmt: skip
            for one in (*seen.failed[:3], *seen.wrong[:3]):
                print(f"\n{one}")
    if options.kills:
        kill(options.kills)


def kill(rounds: int) -> None:
    """The sentence about the kills."""
    with tempfile.TemporaryDirectory() as place:
        artifacts(Path(place), MODELS["neighbours of items"])
        right, new = killed(Path(place), rounds)
    print(
        f"\nKilled in the middle of a swap {rounds} times: {right} times one of both served after the restart, as it said; {new} times the new one."
    )


if __name__ == "__main__":
    main()
