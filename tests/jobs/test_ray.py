"""Parts on a Ray cluster: the same as here and in processes, whatever is lost meanwhile, and a sentence where it can't be."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from polars.testing import assert_frame_equal

import vitrina as vt
from vitrina.base.errors import DataError, MemoryBudgetError, MissingExtraError, ParameterError
from vitrina.base.executor import InProcess, Processes
from vitrina.base.parts import run_parts
from vitrina.data.sharded import Held, Sharded, held
from vitrina.jobs import ray as on_ray
from vitrina.jobs.ray import Ray

ray = pytest.importorskip("ray")
KEYS = ["user_id", "rank"]


@pytest.fixture(scope="module")
def executors():
    """Here, in processes, on a cluster of this machine; the first two are held against it."""
    yield {"here": InProcess(), "processes": Processes(2), "ray": Ray(workers=2)}
    ray.shutdown()


def odd_log(seed, bad_rows):
    """Nulls among values (such rows are set aside), ties of times and scores, duplicates, and one person with half of the log."""
    rng = np.random.default_rng(seed)
    n, items = 240, int(rng.integers(3, 40))
    owner = np.where(np.arange(n) < n // 2, 0, rng.integers(0, 40, n))
    day = np.datetime64("2024-01-01", "us") + rng.integers(0, 9, n) * np.timedelta64(1, "D")
    value = [None if v < 2 else float(v) for v in rng.integers(0, 9, n)]
    frame = pl.DataFrame({"user_id": [f"u{o}" for o in owner], "item_id": rng.integers(0, items, n), "timestamp": day, "value": value})
    return vt.read_interactions(pl.concat([frame, frame.head(30)]), value="value", on_bad_row="quarantine", bad_rows_path=bad_rows)


def in_shards(data, count):
    """Shards of which one has nobody."""
    whole = held(data, count)
    first = whole.parts.load(0)
    nobody = replace(first.user_range(0, 0), users=vt.Vocabulary(data.users.ids.head(0)), indptr=np.zeros(1, np.int64))
    about = {"items": data.items, "time_unit": data.time_unit}
    return Sharded(Held((nobody, *(whole.parts.load(n) for n in range(count)))), about)


@dataclass(frozen=True)
class Sums:
    """Integers and floats of a shard."""

    scale: float

    def __call__(self, shard):
        pairs = shard.csr().T @ shard.csr()
        means = np.bincount(shard.events.items, np.nan_to_num(shard.events.values) * self.scale, shard.n_items)
        return pairs.toarray().astype(np.int64), means, shard.n_events


def test_sums_and_lists_are_the_same_everywhere(executors, tmp_path):
    for seed in range(4):
        data = odd_log(seed, tmp_path / "bad.csv")
        opened = in_shards(data, 1 + seed)
        model = vt.save(vt.Cooccurrence(decay=vt.decay.Exponential(days=2)).fit(data), tmp_path / f"model-{seed}")
        pairs, means, events = Sums(0.1)(data)
        vt.recommend_to(tmp_path / "memory.parquet", vt.load(model).recommender, data.queries(), k=6)
        memory = pl.read_parquet(tmp_path / "memory.parquet").sort(KEYS)
        for name, executor in executors.items():
            parts = list(opened.on(executor).map_shards(Sums(0.1)))
            np.testing.assert_array_equal(sum(part[0] for part in parts), pairs, err_msg=name)
            np.testing.assert_allclose(sum(part[1] for part in parts), means, rtol=1e-6)
            assert sum(part[2] for part in parts) == events
            out = tmp_path / f"{name}-{seed}.parquet"
            vt.recommend_to(out, model, opened, k=6, executor=executor)
            assert_frame_equal(pl.read_parquet(out).sort(KEYS), memory, abs_tol=1e-6)
            assert out.read_bytes() == (tmp_path / f"here-{seed}.parquet").read_bytes()


def test_results_come_in_order_with_few_under_way(executors, tmp_path):
    """Nobody takes a result: no more than twice the workers' items are asked for."""
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    results = executors["ray"].map(partial(pow, 2), items())
    assert next(results) == 1
    assert len(taken) <= 5
    assert list(results) == [2**n for n in range(1, 50)]


def refusing(part):
    raise DataError("no such part")


def dying(part):
    os.kill(os.getpid(), signal.SIGKILL)


def failing(part):
    return [][part]


def test_errors_come_back_as_they_were_raised(executors):
    for name in ("processes", "ray"):
        with pytest.raises(DataError, match=r"^no such part$"):
            list(executors[name].map(refusing, range(3)))
        with pytest.raises(IndexError):
            list(executors[name].map(failing, range(3)))


def refusing_or_late(part):
    if part == 0:
        raise DataError("no such part")
    time.sleep(0.1 if part == 1 else 600)


def test_only_what_goes_on_is_cancelled(executors, monkeypatch):
    """Ray ends the whole process where a task ends while it is cancelled, so that what has ended, or soon will have, is left alone."""
    cancelled = []
    cancel = ray.cancel
    monkeypatch.setattr(ray, "cancel", lambda task, force: (cancelled.append(task), cancel(task, force=force)))
    for parts, grace, count in ((range(2), 60.0, 0), ([0, 2], 0.1, 1)):
        monkeypatch.setattr(on_ray, "GRACE", grace)
        with pytest.raises(DataError, match="no such part"):
            list(executors["ray"].map(refusing_or_late, parts))
        assert len(cancelled) == count
    with pytest.raises((ray.exceptions.TaskCancelledError, ray.exceptions.WorkerCrashedError)):
        ray.get(cancelled, timeout=30)


def test_a_part_that_kills_its_worker_again_and_again(executors):
    with pytest.raises(MemoryBudgetError, match="3 more tries of its part as well, most likely because memory ran out"):
        list(executors["ray"].map(dying, range(1)))


@dataclass(frozen=True)
class DiesOnce:
    folder: Path

    def __call__(self, part):
        mark = self.folder / f"died-{part}"
        if part % 3 == 0 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        (self.folder / f"{part}.txt").write_text(str(part))
        return part


def test_a_lost_process_is_no_lost_part(executors, tmp_path):
    assert run_parts(DiesOnce(tmp_path), range(5), tmp_path / "job", key="a", executor=executors["ray"]) == list(range(5))
    assert len(list(tmp_path.glob("died-*"))) == 2


def test_what_isnt_there_is_said(monkeypatch):
    with pytest.raises(ParameterError, match=r"No Ray cluster answers at '127.0.0.1:1': .*ray start --head"):
        list(Ray("127.0.0.1:1").map(abs, [1]))
    with pytest.raises(ParameterError, match="must be 1 or more"):
        Ray(workers=0)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"vitrina\[ray\]"):
        list(Ray().map(abs, [1]))


SCRIPT = """
import sys
from own import Tripled
from vitrina.jobs.engine import engine

class Doubled(Tripled):
    def __call__(self, part):
        import os
        print("a worker prints")
        return part * 2, os.environ["OMP_NUM_THREADS"]

if __name__ == "__main__":
    ray = engine("ray", 1)
    print(list(ray.map(Tripled(), range(3))), list(ray.map(Doubled(), range(2))))
"""


def test_a_script_s_own_classes_reach_workers_and_nothing_else_is_printed(tmp_path):
    (tmp_path / "own.py").write_text("class Tripled:\n    def __call__(self, part):\n        return part * 3\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout == "[0, 3, 6] [(0, '1'), (2, '1')]\n"
    assert done.stderr == ""


@dataclass(frozen=True)
class Slow:
    """Leaves a mark for each try, with the node; the second node takes its time, so that it is killed while it works."""

    folder: Path
    quick: str

    def __call__(self, part):
        node = ray.get_runtime_context().get_node_id()
        (self.folder / f"try-{part}-{os.getpid()}-{node}").touch()
        time.sleep(0.05 if node == self.quick else 5)
        (self.folder / f"{part}.txt").write_text(str(part))
        return node


def test_a_node_that_is_killed_mid_job_loses_nothing(tmp_path, capfd):
    """Two nodes of one CPU; the one that isn't the driver's is killed while it works."""
    from ray.cluster_utils import Cluster

    ray.shutdown()
    system = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    head = {"num_cpus": 1, "object_store_memory": on_ray.STORE, "include_dashboard": False, "_system_config": system}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    other = cluster.add_node(num_cpus=1, object_store_memory=on_ray.STORE)
    first = cluster.head_node.node_id
    begun = []

    def kill():
        while not begun:
            begun.extend(tmp_path.glob(f"try-*-{other.node_id}"))
            time.sleep(0.05)
        cluster.remove_node(other, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    capfd.readouterr()
    try:
        nodes = run_parts(Slow(tmp_path, first), range(12), tmp_path / "job", key="a", executor=Ray(cluster.address, 2))
        killer.join()
        assert nodes == [first] * 12
        assert sorted(int(path.stem) for path in tmp_path.glob("*.txt")) == list(range(12))
        assert {path.name for path in (tmp_path / "job").iterdir()} == {"job.json"} | {f"part-{n:05}.json" for n in range(12)}
        assert len(list(tmp_path.glob("try-*"))) == 13  # what the lost node had under way was done again, and nothing else
        assert capfd.readouterr().out == ""
    finally:
        ray.shutdown()
        cluster.shutdown()


THREADS = """
import threading, time
from vitrina.jobs.ray import Ray
thread = threading.Thread(target=lambda: print(list(Ray(workers=1).map(abs, [-1])), flush=True))
thread.start()
thread.join()
time.sleep(1)
print(list(Ray(workers=1).map(abs, [-2])))
"""


def test_a_local_cluster_outlives_the_thread_that_started_it():
    """A comparison starts it in the thread of its first model; the second would never be fitted."""
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, ["[1]", "[2]"]), done.stderr


def test_a_driver_that_is_killed_leaves_no_workers(tmp_path):
    """Agents of Ray, which do no work, end by themselves about a minute later."""
    script = "import time\nfrom vitrina.jobs.ray import Ray\nfor _ in Ray(workers=1).map(time.sleep, [0, 600]): print('begun', flush=True)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    started = [child for child in psutil.Process(process.pid).children(recursive=True) if not child.name().endswith("Agent")]
    assert any("raylet" in child.name() for child in started)
    process.kill()
    process.wait()
    assert not psutil.wait_procs(started, 20)[1]
