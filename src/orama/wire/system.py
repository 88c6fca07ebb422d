"""What the node says about itself."""

from __future__ import annotations

import msgspec


class Welcome(msgspec.Struct):
    """What runs here, and the paths to read on."""

    name: str
    version: str
    docs: str = "/docs"
    openapi: str = "/v1/openapi.json"
    status: str = "/v1/status"


class Server(msgspec.Struct):
    """`started_at` is RFC 3339, `uptime` a duration as in ``1h2m3.4s``."""

    started_at: str
    uptime: str
    status: str | msgspec.UnsetType = msgspec.UNSET


class Health(msgspec.Struct):
    """Liveness. `client` is kept for existing readers; it has nothing to say on a node without an embedded client."""

    status: str
    server: Server
    client: None = None


class Readiness(msgspec.Struct):
    """Whether the node wants traffic."""

    status: str


class ServiceStatus(msgspec.Struct):
    """One service as just probed: `status` is ``ok`` or ``down``, `latency_ms` what the probe took."""

    status: str
    latency_ms: float
    error: str | msgspec.UnsetType = msgspec.UNSET


class NetworkStatus(msgspec.Struct):
    """The node's place in the network. `uptime` is in nanoseconds, `database_size` in bytes."""

    node_id: str
    peer_id: str
    connected: bool
    peer_count: int
    database_size: int
    uptime: int


class Status(msgspec.Struct):
    """Every service of the node: `status` is ``ok`` if all are, else ``degraded``."""

    status: str
    server: Server
    network: NetworkStatus
    services: dict[str, ServiceStatus]


class Version(msgspec.Struct):
    """What is running, and since when."""

    version: str
    commit: str
    build_time: str
    started_at: str
    uptime: str
