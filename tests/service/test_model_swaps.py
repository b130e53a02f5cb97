"""Models are swapped under load: no answer fails, each is of exactly one version, memory is flat, and a kill in the middle leaves one of both."""

import asyncio
import gc
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import vitrina as vt
from vitrina.service.pipeline import Pipeline
from vitrina.service.registry import Version
from vitrina.service.service import Service
from vitrina.service.settings import ScenarioSettings, Settings
from vitrina.wire import RecommendRequest


def log_of(letter, items=40):
    """A log whose items all begin with this letter, so that an answer tells which model made it."""
    frame = vt.testing.synthetic(users=60, items=items, mean_length=8, groups=4).frame()
    return vt.read_interactions(frame.select("user_id", "timestamp", item_id=letter + pl.col("item_id").cast(pl.String)))


@pytest.fixture
def models(tmp_path):
    for letter in "ab":
        data = log_of(letter)
        vt.save(vt.EASE(l2=5).fit(data), tmp_path / letter, data=data)
    return tmp_path


def opened(models, work):
    async def whole():
        service = await Service.open(Settings(scenarios={"default": ScenarioSettings(artifact=models / "a")}, state=models / "state"))
        try:
            return await work(service.tenants["default"])
        finally:
            await service.close()

    return asyncio.run(whole())


def test_every_answer_under_swaps_is_of_one_version(models):
    async def work(tenant):
        letters, stop, answers = {tenant.scenario("default").version.id: "a"}, asyncio.Event(), []

        async def ask(number):
            while not stop.is_set():
                answer, _ = await tenant.recommend(RecommendRequest(user=str(number), history=["ai1", "bi1"], k=5))
                answers.append((answer.model_version, {item.item[0] for item in answer.items}, len(answer.items)))

        asking = [asyncio.create_task(ask(number)) for number in range(8)]
        for place in range(20):
            letter = "ba"[place % 2]
            letters[(await tenant.load("default", letter, "ann")).version] = letter
            if place % 5 == 4:
                await tenant.roll_back("default", "ann")
            await asyncio.sleep(0.02)
        stop.set()
        await asyncio.gather(*asking)
        return letters, answers

    letters, answers = opened(models, work)
    assert len(answers) > 100
    assert {length for _, _, length in answers} == {5}
    assert all(found == {letters[version]} for version, found, _ in answers)
    assert {letters[version] for version, _, _ in answers} == {"a", "b"}


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def alive():
    """How many versions and pipelines there are, of other tests too."""
    return [sum(type(one) is kind for one in gc.get_objects()) for kind in (Version, Pipeline)]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc, which is there on Linux alone")
def test_memory_after_a_hundred_swaps_is_flat(models):
    async def work(tenant):
        sizes = []
        for place in range(120):
            await tenant.load("default", "ba"[place % 2], "ann")
            await tenant.recommend(RecommendRequest(user="1"))
            if place in (19, 119):
                gc.collect()
                sizes.append(resident())
        return sizes, alive()

    gc.collect()
    others = alive()
    (before, after), all_of_them = opened(models, work)
    assert [every - other for every, other in zip(all_of_them, others, strict=True)] == [2, 2]  # what serves, and the one before
    assert after - before < 10 << 20


SWAPPER = """
import asyncio, sys
from pathlib import Path
from vitrina.service.service import Service
from vitrina.service.settings import ScenarioSettings, Settings

async def main(home):
    service = await Service.open(Settings(scenarios={"default": ScenarioSettings(artifact=home / "a")}, state=home / "state"))
    tenant = service.tenants["default"]
    print(tenant.scenario("default").version.id, flush=True)
    place = 0
    while True:
        print((await tenant.load("default", "ba"[place % 2], "ann")).version, flush=True)
        place += 1

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_kill_in_the_middle_of_a_swap_leaves_one_of_both(models):
    child = subprocess.Popen([sys.executable, "-c", SWAPPER, str(models)], stdout=subprocess.PIPE, text=True)
    lines = [child.stdout.readline().strip(), child.stdout.readline().strip()]
    time.sleep(random.random() * 0.2)
    child.send_signal(signal.SIGKILL)
    lines += [line.strip() for line in child.stdout.readlines() if line.endswith("\n")]
    child.wait()
    kept = json.loads((models / "state" / "serving.json").read_text())["scenarios"]["default/default"]["versions"]

    async def look(tenant):
        answer, _ = await tenant.recommend(RecommendRequest(k=3))
        return tenant.scenario("default").version, answer

    version, answer = opened(models, look)
    assert version.id == kept[0]["id"]
    assert lines[-1] in {one["id"] for one in kept}  # the last one that was told serves, or the one that was about to be told
    assert {item.item[0] for item in answer.items} == {version.folder.name}


WITHOUT_TORCH = """
import asyncio, sys
from pathlib import Path
from vitrina.service import Service, Settings
from vitrina.service.settings import ScenarioSettings
from vitrina.wire import RecommendRequest, SimilarRequest

async def main(model):
    service = await Service.open(Settings(scenarios={"default": ScenarioSettings(artifact=model)}, state=model.parent / "state"))
    tenant = service.tenants["default"]
    answer, _ = await tenant.recommend(RecommendRequest(history=["ai1", "ai2"], k=3))
    alike = await tenant.similar(SimilarRequest(item="ai1", k=3))
    print({item.source for item in answer.items}, len(alike.items), "torch" in sys.modules)
    await service.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_service_on_an_artifact_with_graphs_needs_no_pytorch(tmp_path):
    for package in ("torch", "onnx", "onnxruntime"):
        pytest.importorskip(package)
    data = log_of("a")
    model = vt.eSASRec(dim=16, training=vt.sequence.Training(epochs=1, patience=None))
    vt.save(model.fit(data), tmp_path / "model", data=data, onnx=True)
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "model")], capture_output=True, text=True, check=False)
    assert done.stdout == "{'model'} 3 False\n", done.stderr
