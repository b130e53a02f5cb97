"""What a service counts, for Prometheus: every number has one name here, and a word on what it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics, generate_latest

from vitrina.service.trace import Stage

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
PLACE = ("tenant", "scenario")
disable_created_metrics()  # a second series per counter, of which nobody asks anything


@final
class Metrics:
    """Counters of one service, on a registry of its own. Labels are names of the settings, never ids of people or items."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)  # memory, processor time, open files
        self.requests = self._counter("vitrina_requests", "Requests that were answered.", "route", "status")
        self.request_seconds = self._histogram("vitrina_request_seconds", "From the request to the answer.", "route")
        self._of_request: dict[tuple[str, int], tuple[Counter, Histogram]] = {}  # to look labels up costs more than to count
        self.in_flight = self._gauge("vitrina_requests_in_flight", "Requests that are being answered.")
        self.answers = self._counter("vitrina_answers", "Lists that went out.", *PLACE)
        self.empty = self._counter("vitrina_empty_answers", "Lists with nothing in them.", *PLACE)
        self.fallbacks = self._counter("vitrina_fallback_answers", "Lists with places that the fallback filled.", *PLACE)
        self.stage_seconds = self._histogram("vitrina_stage_seconds", "A stage of the pipeline, per batch of requests.", *PLACE, "stage")
        self.dropped = self._counter("vitrina_dropped_items", "Items that a stage left out.", *PLACE, "stage", "rule")
        self.skipped = self._counter("vitrina_skipped_sources", "Sources that failed or were too slow.", *PLACE, "source")
        self.events = self._counter("vitrina_events", "Events that came, by what became of them.", "tenant", "result")
        self.lost = self._gauge("vitrina_shown_lost_total", "Answers whose showing could not be kept.")
        self.depth = self._gauge("vitrina_queue_depth", "What waits.", "queue")
        self.lag = self._gauge("vitrina_ingest_lag_seconds", "How long a row took to be on disk, when it was last measured.")
        self.free = self._gauge("vitrina_state_free_bytes", "Room on the disk of the state folder.")
        self.model = self._gauge("vitrina_model_info", "1 for the version that serves.", *PLACE, "version", "model")
        self.model_fitted = self._gauge("vitrina_model_fitted_timestamp_seconds", "When the model that serves was fitted.", *PLACE)
        self.model_loaded = self._gauge("vitrina_model_loaded_timestamp_seconds", "When the model that serves was loaded.", *PLACE)
        self.loads = self._counter("vitrina_model_loads", "Models that were loaded, by how it ended.", *PLACE, "result")
        self.background_errors = self._counter("vitrina_background_errors", "Errors of what runs on a timer.", "task")
        self.ready = self._gauge("vitrina_ready", "1 where the service answers.")

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, labels, registry=self.registry)

    def _histogram(self, name: str, what: str, *labels: str) -> Histogram:
        return Histogram(name, what, labels, registry=self.registry, buckets=FAST)

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is its pattern, "/v1/models/{scenario}", and never the path."""
        found = self._of_request.get((route, status))
        if found is None:
            found = self._of_request[route, status] = self.requests.labels(route, str(status)), self.request_seconds.labels(route)
        found[0].inc()
        found[1].observe(seconds)

    def answered(self, tenant: str, scenario: str, *, empty: bool, fallback: bool) -> None:
        """A list went out."""
        self.answers.labels(tenant, scenario).inc()
        if empty:
            self.empty.labels(tenant, scenario).inc()
        if fallback:
            self.fallbacks.labels(tenant, scenario).inc()

    def staged(self, tenant: str, scenario: str, stages: Sequence[Stage]) -> None:
        """A batch went through the stages."""
        for stage in stages:
            self.stage_seconds.labels(tenant, scenario, stage.name).observe(stage.seconds)
            for rule, count in stage.counts.items():
                self.dropped.labels(tenant, scenario, stage.name, rule).inc(count)
            for source in stage.skipped:
                self.skipped.labels(tenant, scenario, source).inc()

    def ingested(self, tenant: str, *, stored: int = 0, duplicates: int = 0, rejected: int = 0) -> None:
        """Rows of events came."""
        for result, count in (("stored", stored), ("duplicate", duplicates), ("rejected", rejected)):
            if count:
                self.events.labels(tenant, result).inc(count)

    def serves(self, tenant: str, scenario: str, version: str, model: str, fitted: float | None) -> None:
        """Another version serves; `fitted` in seconds since 1970."""
        for labels in [one for one, _ in self.values("vitrina_model_info") if (one["tenant"], one["scenario"]) == (tenant, scenario)]:
            self.model.remove(*(labels[name] for name in (*PLACE, "version", "model")))
        self.model.labels(tenant, scenario, version, model).set(1)
        self.model_loaded.labels(tenant, scenario).set(time.time())
        if fitted is not None:
            self.model_fitted.labels(tenant, scenario).set(fitted)

    def watch(self, queue: str, depth: Callable[[], float]) -> None:
        """Ask for the depth of a queue whenever the numbers are read."""
        self.depth.labels(queue).set_function(depth)

    def values(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """The samples of one name with their labels, such as "vitrina_requests_total"."""
        for family in self.registry.collect():
            yield from ((sample.labels, sample.value) for sample in family.samples if sample.name == name)

    def text(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self.registry)
