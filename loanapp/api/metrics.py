"""What is counted, for Prometheus. No label holds what a client made up.

Where several workers share a port, each counts in files of its own in one folder, and whichever
is asked adds them up: prometheus_client does so where ``PROMETHEUS_MULTIPROC_DIR`` names a folder
when it is imported. What it knows of a single process (memory, file descriptors) is left out then.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from loanapp.core.service import Service

# A second series for each counter would say nothing here.
disable_created_metrics()  # type: ignore[no-untyped-call]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FOLDER, PREFIX = "PROMETHEUS_MULTIPROC_DIR", "loanapp-metrics-"

__all__ = ["CONTENT_TYPE_LATEST", "Metrics", "shared_by_workers"]


@contextlib.contextmanager
def shared_by_workers() -> Iterator[None]:
    """Let the processes that are started meanwhile count together."""
    _remove_leftovers()
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def _remove_leftovers() -> None:
    """Remove the folders of servers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


class Metrics:
    """The metrics of one application, with those of its fellow workers.

    Parameters
    ----------
    service
        Asked once a scrape what serves and whether a training runs.
    """

    def __init__(self, service: Service) -> None:
        self._service, self._failures_seen = service, 0
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "loanapp_requests", "Requests answered.", ("method", "route", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "loanapp_request_seconds", "Time from request to the end of the answer.", ("route",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self._rows = Counter(
            "loanapp_predicted_rows", "Clients scored, by model version.", ("model_version",),
            registry=self.registry,
        )  # fmt: skip
        self._refused = Counter(
            "loanapp_refused_rows", "Clients refused for a problem.", registry=self.registry
        )
        self._failures = Counter(
            "loanapp_model_reload_failures",
            "How often a newer model could not be loaded; the one before it serves on.",
            registry=self.registry,
        )
        self._exposed = self.registry
        if FOLDER in os.environ:
            self._exposed = CollectorRegistry()
            MultiProcessCollector(self._exposed)  # type: ignore[no-untyped-call]
        else:
            ProcessCollector(registry=self.registry)
        self._exposed.register(_State(service))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        known = method if method in METHODS else "other"
        self._count_failures()
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def predicted(self, model_version: str, rows: int, refused: int) -> None:
        """Count the rows of one prediction."""
        self._rows.labels(model_version).inc(rows - refused)
        self._refused.inc(refused)

    def expose(self) -> bytes:
        """Write everything in Prometheus's text format."""
        self._count_failures()
        return generate_latest(self._exposed)

    def _count_failures(self) -> None:
        new = self._service.reload_failures - self._failures_seen
        if new > 0:
            self._failures_seen += new
            self._failures.inc(new)


class _State(Collector):
    """What is true at the moment of the scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance: nothing is asked of the service before the first scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Ask what serves."""
        health = self._service.health()
        model = GaugeMetricFamily(
            "loanapp_model_info", "The version that serves.", labels=("version",)
        )
        if health.model_version is not None:
            model.add_metric((health.model_version,), 1)
        yield model
        yield GaugeMetricFamily(
            "loanapp_training_active",
            "1 while a training is queued or runs.",
            value=float(any(job.active for job in self._service.jobs())),
        )
