import subprocess
import sys

import pytest

import vitrina as vt
from vitrina.service import tracing
from vitrina.service.settings import Telemetry
from vitrina.service.trace import Stage

export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")


@pytest.fixture
def kept():
    """Tracing into memory; kept(act) gives the spans by name."""
    memory = export.InMemorySpanExporter()
    made = tracing.Tracing(Telemetry(name="shop"), exporter=memory)

    def spans(act):
        act(made)
        made.close()
        return {span.name: span for span in memory.get_finished_spans()}

    return spans


def test_a_request_is_a_span_with_a_span_per_stage(kept):
    def act(made):
        with tracing.request(made, "POST", {}) as said:
            tracing.staged(
                [Stage("sources", 0.002, left=200, skipped={"slow": "80 ms"}), Stage("scoring", 0.001, left=10, counts={"no drinks": 3})]
            )
            said |= {"route": "/v1/recommend", "status": 200, "request_id": "id1", "tenant": "shop"}

    spans = kept(act)
    whole = spans["POST /v1/recommend"]
    assert dict(whole.attributes) == {
        "http.route": "/v1/recommend", "http.response.status_code": 200, "vitrina.request_id": "id1", "vitrina.tenant": "shop", "http.request.method": "POST",
    }  # fmt: skip
    assert whole.resource.attributes["service.name"] == "shop"
    first, second = spans["sources"], spans["scoring"]
    assert first.parent.span_id == second.parent.span_id == whole.context.span_id
    assert first.end_time - first.start_time == 2_000_000
    assert first.end_time == second.start_time
    assert dict(first.attributes) == {"vitrina.left": 200, "vitrina.skipped": ("slow",), "vitrina.dropped": 0}
    assert second.attributes["vitrina.dropped"] == 3


def test_a_request_belongs_to_the_trace_of_its_caller(kept):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    def act(made):
        with tracing.request(made, "GET", {b"traceparent": parent.encode()}) as said:
            said |= {"route": "/", "status": 200}

    [span] = kept(act).values()
    assert f"{span.context.trace_id:032x}" == parent.split("-")[1]
    assert f"{span.parent.span_id:016x}" == parent.split("-")[2]


def test_a_failure_is_an_error_of_the_span(kept):
    def act(made):
        with pytest.raises(RuntimeError), tracing.request(made, "GET", {}):
            raise RuntimeError

    [span] = kept(act).values()
    assert not span.status.is_ok


def test_a_share_of_requests_is_traced():
    memory = export.InMemorySpanExporter()
    made = tracing.Tracing(Telemetry(share=0.2), exporter=memory)
    for _ in range(500):
        with tracing.request(made, "GET", {}) as said:
            said["status"] = 200
            tracing.staged([Stage("sources", 0.001)])
    made.close()
    names = [span.name for span in memory.get_finished_spans()]
    assert 40 < names.count("GET") < 170
    assert names.count("sources") == names.count("GET")


def test_a_served_request_has_its_stages_and_its_caller(tmp_path):
    from starlette.testclient import TestClient

    from vitrina.service.app import application
    from vitrina.service.service import Service
    from vitrina.service.settings import ScenarioSettings, Settings

    data, config = vt.testing.toy(), vt.Popularity()
    vt.save(config.fit(data), tmp_path / "model", model=config, data=data)
    memory = export.InMemorySpanExporter()
    made = tracing.Tracing(Telemetry(), exporter=memory)
    asked = []

    async def served(scope, receive, send):  # opened in the loop of the client
        if not asked:
            asked.append(await Service.open(Settings(scenarios={"default": ScenarioSettings(artifact=tmp_path / "model")})))
        await application(asked[0], made)(scope, receive, send)

    with TestClient(served, base_url="http://localhost") as client:
        assert client.post("/v1/recommend", json={"user": "ann", "k": 2}).status_code == 200
        assert client.get("/v1/nothing").status_code == 404
        client.portal.call(asked[0].close)
    made.close()
    spans = {span.name: span for span in memory.get_finished_spans()}
    whole = spans["POST /v1/recommend"]
    assert whole.attributes["vitrina.tenant"] == "default"
    assert whole.attributes["vitrina.key"] == "local"
    children = [name for name, span in spans.items() if span.parent and span.parent.span_id == whole.context.span_id]
    assert {"history", "eligibility", "scoring"} <= set(children)
    assert spans["GET (none)"].attributes["http.response.status_code"] == 404


def test_without_a_collector_nothing_is_loaded():
    code = (
        "import sys\nfrom vitrina.service import tracing\nwith tracing.request(None, 'GET', {}) as said:\n    said['status'] = 200\n    tracing.staged([])\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
