"""What an operator may configure. Sections hold the settings of services and adapters as those declare them.

Durations are seconds and sizes are bytes; names say so. Every field states its meaning below itself, which is where the
reference documentation takes it from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from orama.backends.cache.memory import MemoryCacheSettings
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.domain.cache import CacheLimits
from orama.domain.journal import JournalLimits
from orama.domain.pubsub import PresenceSettings, PubSubLimits
from orama.domain.sql import SqlLimits
from orama.gateway.kernel.limits import HttpLimits
from orama.gateway.websocket.limits import WebSocketLimits
from orama.services.auth.settings import AuthSettings
from orama.services.idempotency.settings import IdempotencySettings
from orama.services.limiter import RateLimitSettings
from orama.services.sweeper import SweeperSettings

Mode = Literal["development", "production"]


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The node itself."""

    mode: Mode = "development"
    """What other defaults follow: `development` opens the namespace `default` to everybody and offers keys without a
    signature; `production` does neither, and wants `node.public_host`."""
    data_dir: Path = Path("~/.orama/data")
    """Where the node keeps its databases and its secret. `ORAMA_HOME` moves the default to `$ORAMA_HOME/data`."""
    public_host: str | None = None
    """Host, and port if unusual, under which people reach this gateway; wallets show it when they sign in. By default
    the host of `server.listen`."""


class ServerConfig(HttpLimits, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP server, and what one connection and one request may cost."""

    listen: str = "127.0.0.1:6001"
    """`HOST:PORT` to listen on; an IPv6 host stands in brackets; port 0 takes a free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names that requests may be addressed to, without ports; others get 421. Empty: any."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) of reverse proxies whose `X-Forwarded-For` is believed."""
    cors_origins: tuple[str, ...] = ("*",)
    """Web origins (`https://app.example`) whose scripts may call; `*` stands for any."""
    shutdown_grace_s: float = 30.0
    """How long requests under way may take to end once the node stops."""
    shutdown_notice_s: float = 1.0
    """How long the node says that it is not ready before it stops listening, so that load balancers look away."""


class DatabaseConfig(msgspec.Struct, frozen=True, kw_only=True):
    """SQL for tenants and for the platform."""

    engine: Literal["sqlite"] = "sqlite"
    """Which engine holds the databases."""
    limits: SqlLimits = SqlLimits()
    """Bounds on SQL work."""
    sqlite: SqliteSettings = SqliteSettings(data_directory=Path("~/.orama/data"))
    """The embedded engine."""


class CacheConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The cache for tenants."""

    engine: Literal["memory"] = "memory"
    """Which engine holds the values."""
    limits: CacheLimits = CacheLimits()
    """Bounds on cache operations."""
    memory: MemoryCacheSettings = MemoryCacheSettings()
    """The embedded engine."""


class PubSubConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Messages between those who share a namespace."""

    engine: Literal["local"] = "local"
    """Which engine carries the messages."""
    limits: PubSubLimits = PubSubLimits()
    """Bounds on messages and subscriptions."""
    history: JournalLimits = JournalLimits()
    """Bounds on the histories of topics."""
    presence: PresenceSettings = PresenceSettings()
    """Members of topics."""


class LogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The log, one event a line on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is written."""
    format: Literal["auto", "console", "json"] = "auto"
    """How an event looks; `auto` is `console` on a terminal and `json` elsewhere."""


class MetricsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`/metrics`, for Prometheus."""

    networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks (CIDR) that may read it; others get 403."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. The composition root hands each section to what it configures."""

    node: NodeConfig = NodeConfig()
    server: ServerConfig = ServerConfig()
    auth: AuthSettings = AuthSettings()
    database: DatabaseConfig = DatabaseConfig()
    cache: CacheConfig = CacheConfig()
    pubsub: PubSubConfig = PubSubConfig()
    websocket: WebSocketLimits = WebSocketLimits()
    limits: RateLimitSettings = RateLimitSettings()
    idempotency: IdempotencySettings = IdempotencySettings()
    sweeper: SweeperSettings = SweeperSettings()
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()
