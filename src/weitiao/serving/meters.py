"""What the server tells Prometheus at `/metrics`, and what it writes of faults inside; the crew's `Watcher`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from weitiao.serving.journal import Journal

if TYPE_CHECKING:
    from weitiao.serving.desk import Desk

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
RECORDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


class Meters:
    """The figures of one server, in a registry of their own.

    Args:
        journal: where faults are written.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self.registry = CollectorRegistry()
        self._journal = journal or Journal()
        self._seconds = self._histogram("request_seconds", "From arrival to answer.", ["route", "status"], SECONDS)
        self._records = self._histogram("batch_records", "Records of a batch.", ["model"], RECORDS)
        self._tokens = self._histogram("batch_tokens", "Tokens of a batch.", ["model"], TOKENS)
        self._batch = self._histogram("batch_seconds", "Time that a batch took.", ["model"], SECONDS)
        self._answered = self._counter("tokens", "Tokens that were answered.", "model")
        self._errors = self._counter("errors", "Requests that were not answered, and faults inside.", "kind")
        self._swaps = self._counter("swaps", "New versions of a model that were put in place.", "model")
        self._flying = Gauge(
            "weitiao_requests_in_flight", "Requests that have arrived and are not answered.", registry=self.registry
        )

    def _histogram(self, name: str, about: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
        return Histogram(f"weitiao_{name}", about, labels, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, about: str, label: str) -> Counter:
        return Counter(f"weitiao_{name}", about, [label], registry=self.registry)

    def watch(self, desk: Desk) -> None:
        """Show also what a desk has waiting."""
        self.registry.register(_OfDesk(desk))

    def arrived(self) -> None:
        """A request is here."""
        self._flying.inc()

    def answered(self, route: str, status: int, seconds: float, kind: str) -> None:
        """A request is answered; `kind` is what kept it from an answer of 200, or empty."""
        self._flying.dec()
        self._seconds.labels(route, str(status)).observe(seconds)
        if kind:
            self._errors.labels(kind).inc()

    def batch(self, model: str, records: int, tokens: int, seconds: float) -> None:
        """A batch was answered."""
        self._records.labels(model).observe(records)
        self._tokens.labels(model).observe(tokens)
        self._batch.labels(model).observe(seconds)
        self._answered.labels(model).inc(tokens)

    def fault(self, kind: str, detail: str) -> None:
        """Something broke inside."""
        self._errors.labels(f"fault_{kind}").inc()
        self._journal.write({"fault": kind, "detail": detail})

    def swapped(self, model: str, version: str, folder: str) -> None:
        """Another version of a model answers from now on."""
        self._swaps.labels(model).inc()
        self._journal.write({"swapped": model, "version": version, "folder": folder})

    def text(self) -> bytes:
        """All figures in Prometheus' own form."""
        return generate_latest(self.registry)


class _OfDesk(Collector):
    """What is read off the desk when it is asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        crew = self._desk.staff.crew
        waiting = crew.waiting
        figures = {
            "weitiao_queue_tokens": ("Tokens that wait for a station.", waiting.tokens),
            "weitiao_queue_records": ("Records that wait for a station.", waiting.records),
            "weitiao_queue_seconds": ("Time until all that waits is answered, by the measured speed.", waiting.delay()),
            "weitiao_tokens_per_second": ("Speed of all stations over the last whole batches.", waiting.pace),
            "weitiao_stations": ("Stations that can be asked.", crew.up),
            "weitiao_ready": ("Whether requests are taken.", int(self._desk.ready)),
            "weitiao_unobserved": (
                "Answered requests that observers were not told of.",
                self._desk.observers.unobserved,
            ),
            "weitiao_observer_faults": ("Faults of observers.", self._desk.observers.faults),
        }
        for name, (about, value) in figures.items():
            yield GaugeMetricFamily(name, about, value=value)
