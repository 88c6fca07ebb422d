"""What the node says about itself: to people, to load balancers, to Prometheus, to tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from orama.domain.duration import format_duration
from orama.domain.timestamp import rfc3339, to_ms
from orama.errors import Code, PermissionDenied
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.client_address import Network, within
from orama.gateway.kernel.message import Reply
from orama.gateway.kernel.operation import PUBLIC, RouteClass, operation
from orama.gateway.pages.page import Page
from orama.services.health import HealthService
from orama.telemetry.metrics import CONTENT_TYPE
from orama.wire.system import Health, NetworkStatus, Readiness, Server, ServiceStatus, Status, Version, Welcome


class SystemHandlers:
    """Args are what the answers are made from.

    `metrics` renders Prometheus' text; `metrics_networks` says who may read it. `openapi` is the encoded document.
    `node_id` names this node.
    """

    def __init__(
        self,
        health: HealthService,
        metrics: Callable[[], bytes],
        metrics_networks: tuple[Network, ...],
        openapi: Callable[[], bytes],
        *,
        node_id: str,
        version: str,
    ) -> None:
        self._health = health
        self._metrics = metrics
        self._metrics_networks = metrics_networks
        self._openapi = openapi
        self._node_id = node_id
        self._version = version
        self._docs = Page("docs")
        self._encoded: dict[str, tuple[int, bytes]] = {}

    @operation("GET", "/", scope=PUBLIC, route_class=RouteClass.SYSTEM, status=303, response=Welcome)
    async def root(self, _call: Call) -> Reply:
        """What runs here, and where to read on; browsers go to the documentation."""
        welcome = Welcome("Orama", self._version)
        return Reply(303, msgspec.json.encode(welcome), headers=[("location", welcome.docs)])

    @operation("GET", "/docs", scope=PUBLIC, route_class=RouteClass.SYSTEM, media_type="text/html", response=str)
    async def docs(self, _call: Call) -> Reply:
        """A page that shows every operation and lets one try it. It loads nothing from elsewhere."""
        return self._docs.reply(None)

    @operation(
        "GET",
        "/health",
        also=("/v1/health",),
        scope=PUBLIC,
        route_class=RouteClass.SYSTEM,
        any_method=True,
        response=Health,
    )
    async def health(self, _call: Call) -> Reply:
        """Whether the process lives. Always 200 while it can answer at all."""
        return self._once_a_second("health", lambda: Health("ok", self._server(status="ok")))

    @operation("GET", "/ready", scope=PUBLIC, route_class=RouteClass.SYSTEM, errors=(Code.UNAVAILABLE,))
    async def ready(self, _call: Call) -> Readiness:
        """Whether the node wants traffic. 503 while it shuts down, or while no request could be authorised."""
        await self._health.check_ready()
        return Readiness("ready")

    @operation("GET", "/v1/status", also=("/status",), scope=PUBLIC, route_class=RouteClass.SYSTEM, any_method=True)
    async def status(self, _call: Call) -> Status:
        """Each service of the node, really probed, at most once a second."""
        probed = await self._health.probe()
        services = {
            name: ServiceStatus(
                status="ok" if one.error is None else "down",
                latency_ms=round(one.latency_s * 1000, 3),
                error=msgspec.UNSET if one.error is None else one.error,
            )
            for name, one in probed.services.items()
        }
        network = NetworkStatus(
            node_id=self._node_id,
            peer_id=self._node_id,
            connected=True,
            peer_count=0,
            database_size=probed.database_bytes,
            uptime=int(self._health.uptime_s * 1e9),
        )
        healthy = all(one.error is None for one in probed.services.values())
        return Status("ok" if healthy else "degraded", self._server(), network, services)

    @operation("GET", "/v1/version", scope=PUBLIC, route_class=RouteClass.SYSTEM, any_method=True, response=Version)
    async def version(self, _call: Call) -> Reply:
        """What is running, and since when."""
        return self._once_a_second("version", self._version_now)

    @operation(
        "GET",
        "/metrics",
        scope=PUBLIC,
        route_class=RouteClass.SYSTEM,
        errors=(Code.PERMISSION_DENIED,),
        media_type="text/plain",
        response=str,
    )
    async def metrics(self, call: Call) -> Reply:
        """The node's metrics in Prometheus' text format, for the networks that the configuration names."""
        request = call.request
        if request.forwarded or not within(request.client, self._metrics_networks):
            raise PermissionDenied(
                "metrics are for the networks in metrics.networks of the configuration", reason="network_not_allowed"
            )
        return Reply(200, self._metrics(), CONTENT_TYPE, headers=[])

    @operation("GET", "/v1/openapi.json", scope=PUBLIC, route_class=RouteClass.SYSTEM, response=dict[str, Any])
    async def openapi(self, _call: Call) -> Reply:
        """This document: every operation with its requests, replies and errors, in OpenAPI 3.1."""
        return Reply(200, self._openapi(), headers=[])

    def _version_now(self) -> Version:
        server = self._server()
        return Version(self._version, "dev", "dev", server.started_at, server.uptime)

    def _once_a_second(self, name: str, make: Callable[[], msgspec.Struct]) -> Reply:
        """Replies that change with the uptime alone are encoded once for each of its seconds."""
        second = int(self._health.uptime_s)
        encoded = self._encoded.get(name)
        if encoded is None or encoded[0] != second:
            encoded = self._encoded[name] = (second, msgspec.json.encode(make()))
        return Reply(200, encoded[1], headers=[])

    def _server(self, status: str | None = None) -> Server:
        return Server(
            started_at=rfc3339(to_ms(self._health.started_at)),
            uptime=format_duration(self._health.uptime_s),
            status=msgspec.UNSET if status is None else status,
        )
