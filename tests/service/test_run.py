"""The service as a process: how it starts, and how it ends."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import numpy as np
import polars as pl
import psutil
import pytest
from served import Half, Served, ask, write_model

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.service.run import listen
from vitrina.service.store.store import Store


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path)


def event(number, user="ann"):
    return {"event_id": f"e{number}", "kind": "click", "user": user, "item": "tea"}


def kept(state):
    """Ids of the events of a state folder, in order."""
    return [one for frame in Store.read_only(state).events("default") for one in frame["event_id"]]


def rights(folder):
    """What others, and the group, may do with a folder and all in it."""
    return {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.rglob("*"))}


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
@pytest.mark.parametrize("made", [False, True])
def test_nobody_else_on_the_machine_reads_what_people_did(tmp_path, model, made):
    state = tmp_path / "state"
    if made:
        state.mkdir()
        state.chmod(0o755)
    (tmp_path / "serve.toml").write_text(
        '[service]\nstate = "state"\n[keep]\nevery = 0.2\nseal = 1e-9\n[scenarios.default]\nartifact = "model"\n'
    )
    with Served(tmp_path, tmp_path / "serve.toml") as service:
        port = service.port()
        assert ask(port, "POST", "/v1/events", event(1))[0] == 200
        assert ask(port, "GET", "/login")[0] == 303
        end = time.monotonic() + 10
        while not list(state.rglob("*.parquet")) and time.monotonic() < end:
            time.sleep(0.05)
        found = rights(state)
    assert {"store.sqlite", "store.sqlite-wal", "serving.json", "session.secret"} < set(found)
    assert any(name.endswith(".parquet") for name in found)
    assert found.pop("state") == ("0o755" if made else "0o700")
    assert [name for name, mode in found.items() if int(mode, 8) & 0o007] == []
    Store.read_only(state).backup(tmp_path / "copy")
    assert rights(tmp_path / "copy")["copy"] == "0o700"


def test_it_starts_answers_and_ends_without_losing_what_it_has_begun(tmp_path, model):
    with Served(tmp_path, model) as service:
        port = service.port()
        assert "Open: it answers everybody on this machine without a key" in service.said
        assert "Histories: " in service.said
        status, answer = ask(port, "POST", "/v1/recommend", {"user": "ann", "k": 2})
        assert status == 200
        assert len(answer["items"]) == 2
        running = [Half(port, "/v1/events", {"events": [event(10 * many + one) for one in range(10)]}) for many in range(20)]
        running += [Half(port, "/v1/recommend", {"user": "ann"}) for _ in range(5)]
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("Stopping")
        time.sleep(0.3)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=2)
        answers = [half.finish() for half in running]
        assert [status for status, _ in answers] == [200] * 25
        assert all(answer["stored"] == 10 for _, answer in answers[:20])
        assert service.process.wait(20) == 0
        assert service.said.endswith("Stopped.\n")
        assert sorted(kept(tmp_path / "model.service")) == sorted(f"e{n}" for n in range(200))
        assert '"message":"request"' in service.logged
        assert "Traceback" not in service.logged


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path, model):
    acknowledged, lock = [], threading.Lock()
    with Served(tmp_path, model) as service:
        port = service.port()

        def send(client):
            for number in range(10_000):
                one = event(f"{client}-{number}", user="new")
                try:
                    status, answer = ask(port, "POST", "/v1/events", one)
                except OSError:
                    return
                assert (status, answer["stored"]) == (200, 1)
                with lock:
                    acknowledged.append(one["event_id"])

        clients = [threading.Thread(target=send, args=(client,)) for client in range(4)]
        for client in clients:
            client.start()
        while len(acknowledged) < 100:
            time.sleep(0.01)
        service.process.kill()
        for client in clients:
            client.join()
    with Served(tmp_path, model) as service:
        port = service.port()
        found = kept(tmp_path / "model.service")
        assert len(found) == len(set(found))
        assert set(acknowledged) <= set(found)
        again = [event(one.removeprefix("e"), user="new") for one in acknowledged[:50]]
        status, answer = ask(port, "POST", "/v1/events", {"events": again})
        assert (status, answer["duplicates"]) == (200, min(50, len(acknowledged)))
        assert service.stop()[0] == 0


def test_a_second_signal_ends_it_at_once_and_a_stop_has_an_end(tmp_path, model):
    with Served(tmp_path, model) as service:
        held = Half(service.port(), "/v1/events", event(1))
        time.sleep(0.2)
        service.process.send_signal(signal.SIGINT)
        service.wait_for("Stopping")
        code, seconds = service.stop(signal.SIGINT)
        assert code == 128 + signal.SIGINT
        assert seconds < 2
        held.socket.close()
    with Served(tmp_path, model, VITRINA_STOP_SECONDS="0.5") as service:
        held = Half(service.port(), "/v1/events", event(1))
        time.sleep(0.2)
        code, seconds = service.stop(signal.SIGTERM)
        assert code == 0
        assert seconds < 5
        held.socket.close()


def test_a_database_that_is_away_at_the_start_is_no_mistake_so_that_a_supervisor_starts_it_again(tmp_path, model):
    pytest.importorskip("psycopg")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and doesn't listen
        address = f"postgresql://shop:sekret@127.0.0.1:{nobody.getsockname()[1]}/shop"
        with Served(tmp_path, model, VITRINA_STORE=address) as service:
            assert service.process.wait(60) == 1
    assert service.logged.startswith("Error: The PostgreSQL database shop on 127.0.0.1")
    assert "sekret" not in service.logged + service.said


def test_one_state_has_one_service_and_one_port_too(tmp_path, model):
    with Served(tmp_path, model) as service:
        port = service.port()
        with Served(tmp_path, model) as second:
            assert second.process.wait(60) == 1
            assert "is in use by another service" in second.logged
        with Served(tmp_path, model, "--port", port, "--state", tmp_path / "other") as third:
            assert third.process.wait(60) == 2
            assert f"Error: The port {port} of 127.0.0.1 is taken by another program. Give another: --port" in third.logged
        assert ask(port, "GET", "/v1/health/ready")[0] == 200
        assert service.stop(signal.SIGINT)[0] == 0


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """An artifact on a log of 500,000 rows."""
    folder = tmp_path_factory.mktemp("large")
    draw = np.random.default_rng(1)
    people, items = draw.integers(0, 20_000, 500_000), draw.zipf(1.3, 500_000) % 5_000
    log = pl.DataFrame({"user_id": people, "item_id": items, "timestamp": np.sort(draw.integers(1_500_000_000, 1_700_000_000, 500_000))})
    return write_model(folder, vt.read_interactions(log))


def test_half_a_million_rows_are_histories_within_seconds(tmp_path, large):
    with Served(tmp_path, large, "--state", tmp_path / "state") as service:
        admin = service.port("Health and metrics: ")
        assert ask(admin, "GET", "/v1/health/live")[0] == 200
        status, answer = ask(admin, "GET", "/v1/health/ready")
        if "Ready: " not in service.said:
            assert (status, answer) == (503, {"status": "not ready", "reasons": ["The service is starting."]})
            assert ask(admin, "GET", "/metrics")[0] == 503
        line = service.wait_for("Histories: 500,000 events of 20,000 people")
        seconds = float(line.rpartition("(")[2].split()[0])
        assert seconds < 30, line
        service.port()
        assert ask(admin, "GET", "/v1/health/ready")[0] == 200
        assert service.stop()[0] == 0


@pytest.mark.parametrize(("one", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_start_can_be_broken_off(tmp_path, large, one, code):
    with Served(tmp_path, large, "--state", tmp_path / "state") as service:
        service.wait_for("Health and metrics: ")
        found, seconds = service.stop(one)
        assert (found, "Traceback" in service.logged) == (code, False), service.logged
        assert seconds < 5
        assert "Ready" not in service.said


ALONE = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
READ_ONLY = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,ro,bind / && exec "$@"'


def test_as_process_1_with_a_read_only_root_it_answers_and_ends_on_sigterm(tmp_path, model):
    able = (
        subprocess.run([*ALONE, "sh", "-c", READ_ONLY, tmp_path, "true"], capture_output=True, check=False)
        if shutil.which("unshare")
        else None
    )
    if able is None or able.returncode:
        pytest.skip("the system doesn't let this user make namespaces")
    wrapped = (*ALONE, "sh", "-c", READ_ONLY, str(tmp_path))
    with Served(
        tmp_path, model, before=wrapped, NUMBA_CACHE_DIR=str(tmp_path / "numba"), PYTHONDONTWRITEBYTECODE="1", HOME="/none"
    ) as service:
        status, answer = ask(service.port(), "POST", "/v1/recommend", {"history": ["tea"], "k": 1})
        assert (status, len(answer["items"])) == (200, 1)
        [inside] = psutil.Process(service.process.pid).children()
        inside.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
        assert service.said.endswith("Stopped.\n")


def test_a_log_that_is_gone_is_said_with_what_to_do_and_that_works(tmp_path, model):
    (tmp_path / "log.csv").unlink()
    with Served(tmp_path, model) as service:
        assert service.process.wait(60) == 2
        assert "log.csv, on which" in service.logged
        assert "--histories store" in service.logged
        assert len(service.logged.splitlines()) == 1
    with Served(tmp_path, model, "--histories", "store") as service:
        port = service.port()
        assert "Histories" not in service.said
        assert ask(port, "POST", "/v1/recommend", {"history": ["tea"], "k": 1})[1]["items"]


def test_a_damaged_artifact_is_one_sentence(tmp_path, model):
    parameters = next((model / "parameters").glob("*.npy"))
    parameters.write_bytes(parameters.read_bytes()[:-8] + b"\0" * 8)
    with Served(tmp_path, model) as service:
        assert service.process.wait(60) == 2
        assert service.logged.splitlines()[-1].startswith("Error: ")
        assert parameters.name in service.logged
        assert "Traceback" not in service.logged


@pytest.mark.parametrize(
    ("host", "said"),
    [("no-such-host.invalid", "There is no address 'no-such-host.invalid' on this machine"), ("192.0.2.7", "can't listen on 192.0.2.7")],
)
def test_an_address_that_is_not_ours_is_said(host, said):
    with pytest.raises(ParameterError, match=said):
        listen(host, 0, "--port")
