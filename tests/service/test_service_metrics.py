import re

from vitrina.service.metrics import Metrics
from vitrina.service.trace import Stage


def test_two_services_in_one_process_count_apart():
    mine, other = Metrics(), Metrics()
    mine.request("/v1/recommend", 200, 0.004)
    assert dict(next(mine.values("vitrina_requests_total"))[0]) == {"route": "/v1/recommend", "status": "200"}
    assert list(other.values("vitrina_requests_total")) == []


def test_stages_say_how_long_they_took_and_what_they_left_out():
    metrics = Metrics()
    stage = Stage("eligibility", 0.02, left=5, dropped={"no drinks": ["cola"]}, counts={"no drinks": 3}, skipped={})
    metrics.staged("shop", "home", [stage, Stage("sources", 0.01, skipped={"slow one": "took 80 ms"})])
    assert [(one["rule"], count) for one, count in metrics.values("vitrina_dropped_items_total")] == [("no drinks", 3)]
    assert [one["source"] for one, _ in metrics.values("vitrina_skipped_sources_total")] == ["slow one"]
    assert {one["stage"] for one, count in metrics.values("vitrina_stage_seconds_count") if count == 1} == {"eligibility", "sources"}


def test_events_answers_and_queues_are_counted():
    metrics = Metrics()
    metrics.ingested("shop", stored=3, duplicates=1)
    metrics.answered("shop", "home", empty=True, fallback=False)
    metrics.answered("shop", "home", empty=False, fallback=True)
    waiting = [1, 2]
    metrics.watch("model", lambda: len(waiting))
    assert {one["result"]: n for one, n in metrics.values("vitrina_events_total")} == {"stored": 3, "duplicate": 1}
    for name, count in (("answers", 2), ("empty_answers", 1), ("fallback_answers", 1)):
        assert [n for _, n in metrics.values(f"vitrina_{name}_total")] == [count]
    assert [n for _, n in metrics.values("vitrina_queue_depth")] == [2]
    waiting.clear()
    assert [n for _, n in metrics.values("vitrina_queue_depth")] == [0]


def test_only_the_version_that_serves_is_named():
    metrics = Metrics()
    for version in ("1", "2"):
        metrics.serves("shop", "home", version, "EASE", fitted=1e9)
    metrics.serves("shop", "cart", "1", "EASE", fitted=None)
    assert sorted((one["scenario"], one["version"]) for one, _ in metrics.values("vitrina_model_info")) == [("cart", "1"), ("home", "2")]
    assert [n for _, n in metrics.values("vitrina_model_fitted_timestamp_seconds")] == [1e9]


def test_the_text_is_prometheus():
    metrics = Metrics()
    metrics.request("/v1/events", 200, 0.1)
    text = metrics.text().decode()
    assert 'vitrina_requests_total{route="/v1/events",status="200"} 1.0' in text
    assert all(re.match(r"#|(vitrina|process)_\w+(\{.*\})? \S+$", line) for line in text.splitlines())


def test_memory_is_among_the_numbers():
    assert b"process_resident_memory_bytes" in Metrics().text()
