"""Figures for Prometheus: requests by endpoint and status, and what `status` counts.

Names no patient.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from casework.errors import NotFound
from casework.model import Role
from viewer.guard import actor_or_none, open_to_all
from viewer.services import Services, services

bp = Blueprint("metrics", __name__)
_KEY = "lysbro-metrics"


class _Figures:
    """The registry of one application and its counters."""

    def __init__(self, known: Services) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lysbro_http_requests",
            "Requests answered.",
            ("endpoint", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "lysbro_http_request_seconds", "Time to answer.", ("endpoint",), registry=self.registry
        )
        self.registry.register(_StatusCollector(known))
        self.of = lru_cache(maxsize=512)(self._of)

    def _of(self, endpoint: str, status: int) -> tuple[Counter, Histogram]:
        """Return what counts the requests of an endpoint with a status; labels take their time."""
        return self.requests.labels(endpoint, str(status)), self.seconds.labels(endpoint)


class _StatusCollector(Collector):
    """Turns every number of `status` and of the spool into a gauge at the time of asking."""

    def __init__(self, known: Services) -> None:
        self._services = known

    def describe(self) -> Iterator[Metric]:
        """Return nothing: what there is depends on the moment."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        spool = self._services.archive.spool_status()
        now = self._services.clock()
        age_s = (now - spool.oldest_at).total_seconds() if spool.oldest_at else 0.0
        figures: dict[str, float] = {
            "spool_bytes": spool.depth_bytes,
            "spool_limit_bytes": spool.limit_bytes,
            "spool_instances": spool.instances,
            "spool_oldest_age_seconds": age_s,
            "spool_read_only": float(bool(spool.failure)),
            "spool_fallback": float(bool(spool.fallback)),
            "spool_waiting_bytes": spool.waiting_bytes,
            "spool_drain_seconds": -1.0 if spool.drain_s is None else spool.drain_s,
            "packing_failing": float(bool(spool.packing_failure)),
        }
        status = self._services.status()
        told = {name: v for name, v in status.items() if name != "spool"}
        yield from _of_nodes(status.get("nodes", []))
        frames = self._services.archive.frame_figures()
        figures |= {
            "frame_cache_hits": frames.hits,
            "frame_cache_misses": frames.misses,
            "frame_cache_hit_ratio": frames.hit_ratio,
            "frame_cache_read_ahead": frames.read_ahead,
            "frame_cache_bytes": frames.size_bytes,
            "frame_cache_limit_bytes": frames.limit_bytes,
        }
        figures |= dict(_numbers("", told))
        for name, value in figures.items():
            yield GaugeMetricFamily(f"lysbro_{name}", name.replace("_", " "), value=value)
        yield from _of_sites(status.get("sites", ()))
        yield from _of_destinations(status.get("destinations", ()))


def install(app: Flask, known: Services) -> None:
    """Count every request of the application."""
    app.extensions[_KEY] = _Figures(known)
    app.before_request(_start)
    app.after_request(_count)


def count(extensions: Mapping[str, Any], endpoint: str, status: int, seconds: float) -> None:
    """Count a request that was answered without Flask."""
    figures: _Figures = extensions[_KEY]
    requests, taken = figures.of(endpoint, status)
    requests.inc()
    taken.observe(seconds)


@bp.get("/metrics")
@open_to_all
def metrics() -> Response:
    """Give the figures to this machine, to an administrator, or to all where that is set."""
    actor = actor_or_none()
    administrator = actor is not None and actor.role is Role.ADMIN
    if not (services().settings.metrics_public or administrator or _from_this_machine()):
        raise NotFound("There is no such page.")
    return Response(generate_latest(_figures().registry), content_type=CONTENT_TYPE_LATEST)


def _from_this_machine() -> bool:
    forwarded = any(h in request.headers for h in ("X-Forwarded-For", "Forwarded", "X-Real-IP"))
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback and not forwarded
    except ValueError:
        return False


def _figures() -> _Figures:
    found: _Figures = current_app.extensions[_KEY]
    return found


def _start() -> None:
    g.started = time.perf_counter()


def _count(response: Response) -> Response:
    endpoint = request.endpoint or "none"
    figures = _figures()
    figures.requests.labels(endpoint, str(response.status_code)).inc()
    if "started" in g:
        figures.seconds.labels(endpoint).observe(time.perf_counter() - g.started)
    return response


def _of_sites(sites: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """Yield what each site keeps, and what it may where that is bounded."""
    for name, about in (
        ("used_bytes", "bytes that a site keeps"),
        ("used_instances", "objects that a site keeps"),
        ("most_bytes", "bytes that a site may keep"),
        ("most_instances", "objects that a site may keep"),
    ):
        family = GaugeMetricFamily(f"lysbro_site_{name}", about, labels=("site",))
        for site in sites:
            value = site.get("quota", {}).get(name)
            if value is not None:
                family.add_metric((site["slug"],), float(value))
        yield family


def _of_destinations(found: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """Yield what waits for each destination."""
    for name, words, key in (
        ("queued", "Jobs that wait for a destination.", "queued"),
        ("under_way", "Jobs that are being sent to it.", "under_way"),
        ("dead", "Jobs that were given up and wait for a person.", "dead"),
        ("oldest_age_seconds", "Age of the oldest job that waits.", "oldest_age_s"),
        ("paused", "Whether it is sent nothing.", "paused"),
        ("uncommitted_instances", "Sent and not committed to yet.", "uncommitted"),
    ):
        family = GaugeMetricFamily(f"lysbro_destination_{name}", words, labels=("destination",))
        for each in found:
            family.add_metric([each["to"]], float(each[key] or 0))
        yield family


def _of_nodes(nodes: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """Yield what each node of the exchange tells of itself, as of when it was last heard."""
    for name, words, key in (
        ("up", "Whether the node is heard.", "lives"),
        ("heard_age_seconds", "Since the node was last heard.", "heard_age_s"),
        ("spool_instances", "Objects in its spool.", "spool_instances"),
        ("spool_bytes", "Bytes of them.", "spool_bytes"),
        ("spool_oldest_age_seconds", "Age of the oldest of them.", "spool_oldest_age_s"),
        ("drain_seconds", "Until they are packed; -1: no pace is known.", "drain_s"),
    ):
        family = GaugeMetricFamily(f"lysbro_node_{name}", words, labels=("node",))
        for node in nodes:
            missing = -1.0 if key == "drain_s" else 0.0
            value = node[key]
            family.add_metric([node["name"]], missing if value is None else float(value))
        yield family
    told = GaugeMetricFamily(
        "lysbro_node_info", "What runs on the node.", labels=("node", "kinds", "version")
    )
    for node in nodes:
        told.add_metric([node["name"], ",".join(node["kinds"]), node["version"]], 1.0)
    yield told


def _numbers(prefix: str, values: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        key = "".join(c if c.isalnum() else "_" for c in f"{prefix}{name}".lower())
        if isinstance(value, Mapping):
            yield from _numbers(f"{key}_", value)
        elif isinstance(value, bool | int | float):
            yield key, float(value)
