"""Prometheus metrics: one registry, names `otokura_<thing>_<unit>`.

Labels hold what a developer could list (routes, topics, outcomes), never ids, names or addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of `render()`: the Prometheus text format."""

# A second series for every counter, which no query of ours reads.
cast("Callable[[], None]", disable_created_metrics)()

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds; from a read's millisecond to an upload's minute."""

_NAME = re.compile(r"^otokura(_[a-z0-9]+)+_(seconds|bytes|total|ratio|count|info|milliseconds|unsettled)$")


def counter(name: str, documentation: str, labels: Sequence[str] = ()) -> Counter:
    """A number that only grows; the name ends in `_total`."""
    return Counter(_checked(name), documentation, labels, registry=REGISTRY)


def gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
    """A number that goes up and down."""
    return Gauge(_checked(name), documentation, labels, registry=REGISTRY)


def histogram(
    name: str, documentation: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS
) -> Histogram:
    """How often which size of a thing was seen."""
    return Histogram(_checked(name), documentation, labels, buckets=buckets, registry=REGISTRY)


def render() -> bytes:
    """All metrics of this process in the Prometheus text format."""
    return generate_latest(REGISTRY)


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"{name}: a metric is named otokura_<thing>_<unit>")
    return name


HTTP_SECONDS = histogram(
    "otokura_http_request_duration_seconds",
    "Time from a request's arrival to the end of its response.",
    ("method", "route", "status"),
)
HTTP_IN_PROGRESS = gauge("otokura_http_requests_in_progress_count", "Requests being served now.")
