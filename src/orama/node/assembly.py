"""The composition root: every part is made here, by hand, from the bottom up, and closed from the top down."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import msgspec
import structlog

import orama
from orama.backends.broker.local import LocalBroker
from orama.backends.cache.memory import MemoryCache
from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.config.model import Config
from orama.contracts.broker import Broker
from orama.contracts.cache import Cache
from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.sql import SlowStatement
from orama.gateway.handlers.audit import AuditHandlers
from orama.gateway.handlers.auth import AuthHandlers
from orama.gateway.handlers.cache import CacheHandlers
from orama.gateway.handlers.database import DatabaseHandlers
from orama.gateway.handlers.invitation import InvitationHandlers
from orama.gateway.handlers.key import KeyHandlers
from orama.gateway.handlers.login import LoginHandlers
from orama.gateway.handlers.migration import MigrationHandlers
from orama.gateway.handlers.namespace import NamespaceHandlers
from orama.gateway.handlers.pubsub import PubSubHandlers
from orama.gateway.handlers.system import SystemHandlers
from orama.gateway.handlers.wallet import WalletHandlers
from orama.gateway.kernel.asgi import AsgiDriver
from orama.gateway.kernel.client_address import ClientAddress, parse_networks
from orama.gateway.kernel.connections import ConnectionTable
from orama.gateway.kernel.http1 import Http1Services
from orama.gateway.kernel.in_flight import InFlight
from orama.gateway.kernel.openapi import openapi_document
from orama.gateway.kernel.operation import Operation, operations_of
from orama.gateway.kernel.pipeline import Pipeline
from orama.gateway.kernel.route import Router
from orama.gateway.stages.access_log import AccessLog
from orama.gateway.stages.authenticate import Authenticate
from orama.gateway.stages.authorize import Authorize
from orama.gateway.stages.correlation import Correlation
from orama.gateway.stages.cors import Cors
from orama.gateway.stages.decode import Decode
from orama.gateway.stages.idempotency import IdempotencyKeys
from orama.gateway.stages.rate_limit import RateLimit
from orama.gateway.stages.request_metrics import RequestMetrics
from orama.gateway.stages.routing import Routing
from orama.gateway.stages.upgrade import Upgrade
from orama.gateway.websocket.connection import WebSocketServices
from orama.node.data_directory import DataDirectory
from orama.node.pubsub_metrics import offer_pubsub_metrics
from orama.services.auth.assembly import Auth, open_auth
from orama.services.auth.keyring import Keyring
from orama.services.cache.service import CacheService
from orama.services.database.migration import MigrationService
from orama.services.database.service import DatabaseService
from orama.services.health import HealthService
from orama.services.idempotency.service import Idempotency
from orama.services.limiter import RateLimiter
from orama.services.migrations import migrate_platform
from orama.services.presence.service import PresenceService
from orama.services.pubsub.assembly import open_pubsub
from orama.services.sweeper import Sweeper
from orama.telemetry.log import LogWriter, make_logger, resolve_format
from orama.telemetry.metrics import Metrics
from orama.telemetry.observed import PortObserver
from orama.telemetry.slow_statement import SlowStatementLog


class Node(msgspec.Struct, frozen=True):
    """What the outside needs of an assembled node."""

    asgi: AsgiDriver
    http1: Http1Services
    health: HealthService
    in_flight: InFlight
    events: structlog.stdlib.BoundLogger
    auth: Auth
    operations: tuple[Operation, ...]


async def assemble(config: Config, data: DataDirectory, stack: AsyncExitStack, clock: Clock | None = None) -> Node:
    """Build a node whose parts close with `stack`.

    Raises:
        OramaError: a part cannot be had; what was opened before is closed by the stack.
    """
    clock = clock or SystemClock()

    # Telemetry, first to open and last to close.
    log_format = resolve_format(config.log.format)
    writer = LogWriter(sys.stderr.buffer)
    writer.start()
    stack.callback(writer.close)
    events = make_logger(writer, clock, level=config.log.level, log_format=log_format)
    metrics = Metrics()
    ports = PortObserver(metrics, clock)

    # Ports.
    opened = await _open_database(config, clock, stack, SlowStatementLog(events).write)
    database = ports.observed(opened, "database")
    cache = ports.observed(await _open_cache(config, clock, stack), "cache")
    broker = ports.observed(await _open_broker(config, stack), "broker")

    # Services.
    auth = await _open_identity(config, data, database, clock)
    limiter = RateLimiter(config.limits, clock)
    cache_service = CacheService(cache, config.cache.limits)
    database_service = DatabaseService(database, config.database.limits)
    idempotency = Idempotency(
        database,
        clock,
        Keyring(data.root_secret()).sealer("idempotency"),
        config.idempotency,
        in_use_s=config.server.request_timeout_s,
    )
    presence = await _open_presence(config, database, broker, clock, data.node_id(), stack)
    pubsub = open_pubsub(database, broker, clock, config.pubsub.limits, config.pubsub.history)
    sweeper = Sweeper(
        (*auth.sweeps, *idempotency.sweeps(), *pubsub.sweeps),
        config.sweeper,
        clock,
        lambda place, error: events.warning("sweep failed", place=place, cause=f"{type(error).__name__}: {error}"),
    )
    health = HealthService(
        {"database": database.ping, "cache": cache.ping, "pubsub": broker.ping},
        frozenset({"database"}),
        lambda: asyncio.to_thread(data.database_bytes),
        clock,
    )

    # The gateway.
    addresses = ClientAddress(parse_networks(config.server.trusted_proxies))
    in_flight = InFlight(clock)
    connections = ConnectionTable(config.server, addresses, clock)
    websockets = WebSocketServices(config.websocket, connections, clock)
    operations = (
        *operations_of(
            "system",
            SystemHandlers(
                health,
                metrics.render,
                parse_networks(config.metrics.networks),
                lambda: openapi,
                node_id=data.node_id(),
                version=orama.__version__,
            ),
        ),
        *operations_of("auth", AuthHandlers(auth)),
        *operations_of("wallets", WalletHandlers(auth)),
        *operations_of("login", LoginHandlers(auth)),
        *operations_of("namespace", NamespaceHandlers(auth)),
        *operations_of("invitation", InvitationHandlers(auth)),
        *operations_of("key", KeyHandlers(auth)),
        *operations_of("audit", AuditHandlers(auth)),
        *operations_of("database", DatabaseHandlers(database_service)),
        *operations_of("migrations", MigrationHandlers(MigrationService(database, config.database.limits, clock))),
        *operations_of("cache", CacheHandlers(cache_service)),
        *operations_of("pubsub", PubSubHandlers(pubsub.service, presence, limiter, auth.watch, config.websocket)),
    )
    operations = IdempotencyKeys(idempotency).guard(operations)
    openapi = msgspec.json.encode(openapi_document(operations, version=orama.__version__))
    cors = Cors(config.server.cors_origins)
    router = Router(operations, max_body_bytes=config.server.max_body_bytes)
    pipeline = Pipeline(
        router,
        marks=(
            Correlation(),  # first, so that everything after can name the request
            cors,  # before anything can fail: browsers must be able to read errors
        ),
        stages=(
            Routing(router, config.server.allowed_hosts),  # decides what the rest applies to
            Authenticate(auth.authenticator, limiter),  # before the limits, which are per caller
            Authorize(),  # before the body is looked at: a stranger learns nothing about its form
            Upgrade(config.server.cors_origins),  # what is no handshake costs no token
            RateLimit(limiter),  # before the costly part
            Decode(config.server.max_json_depth),  # last: the handler gets a struct
        ),
        observers=(
            AccessLog(writer, events, clock, level=config.log.level, log_format=log_format),
            RequestMetrics(metrics),
        ),
        in_flight=in_flight,
        clock=clock,
        request_timeout_s=config.server.request_timeout_s,
    )
    stack.push_async_callback(auth.key_uses.write_if_possible)  # after the last request
    _run_in_background(stack, auth.key_uses.run(), "key-uses")
    _run_in_background(stack, in_flight.sweep(), "deadlines")
    _run_in_background(stack, connections.sweep(), "connection-deadlines")
    _run_in_background(stack, sweeper.run(), "sweeper")
    _run_in_background(stack, presence.run(), "presence")
    _run_in_background(stack, auth.watch.run(), "credential-watch")

    metrics.add_gauge("orama_http_in_flight", "Requests being answered.", lambda: len(in_flight))
    metrics.add_gauge("orama_http_connections", "Open connections.", lambda: len(connections))
    metrics.add_counts(
        "orama_cache_lookups",
        "Keys looked up in the cache, by result.",
        ("result",),
        lambda: {("hit",): cache_service.hits, ("miss",): cache_service.misses},
    )
    metrics.add_counts(
        "orama_local_cache_lookups",
        "Look-ups in the caches of this process, by cache and result.",
        ("cache", "result"),
        lambda: {("credentials", "hit"): auth.decisions.hits, ("credentials", "miss"): auth.decisions.misses},
    )
    metrics.add_counts(
        "orama_swept_rows", "Rows removed since their time was over.", ("place",), lambda: sweeper.removed
    )
    metrics.add_counts("orama_sweep_failures", "Removals that failed.", ("place",), lambda: sweeper.failures)
    offer_pubsub_metrics(metrics, pubsub, presence, broker, websockets.counts)
    metrics.add_counts("orama_log_dropped", "Log lines lost to a slow reader.", (), lambda: {(): writer.dropped})
    return Node(
        AsgiDriver(pipeline, config.server, addresses, cors.constant, config.websocket, websockets.counts),
        Http1Services(pipeline, config.server, addresses, connections, cors.constant, websockets),
        health,
        in_flight,
        events,
        auth,
        operations,
    )


@asynccontextmanager
async def operator_identity(config: Config) -> AsyncGenerator[Auth, None]:
    """The identity services alone, on a data directory that a node may be running on."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        data = DataDirectory(config.node.data_dir)
        database = await _open_database(config, clock, stack, lambda _slow: None)
        yield await _open_identity(config, data, database, clock)


async def _open_database(
    config: Config, clock: Clock, stack: AsyncExitStack, report_slow: Callable[[SlowStatement], None]
) -> Database:
    database = await SqliteDatabase.open(config.database.sqlite, clock, report_slow)
    stack.push_async_callback(database.close)
    return database


async def _open_identity(config: Config, data: DataDirectory, database: Database, clock: Clock) -> Auth:
    """The identity services, with the platform's schema up to date."""
    root_secret = data.root_secret()
    await migrate_platform(database, clock)
    return await open_auth(database=database, clock=clock, root_secret=root_secret, settings=config.auth)


async def _open_cache(config: Config, clock: Clock, stack: AsyncExitStack) -> Cache:
    cache = MemoryCache(config.cache.memory, clock)
    stack.push_async_callback(cache.close)
    return cache


async def _open_broker(config: Config, stack: AsyncExitStack) -> Broker:
    broker = LocalBroker(config.pubsub.limits.max_message_bytes)
    stack.push_async_callback(broker.close)
    return broker


async def _open_presence(
    config: Config, database: Database, broker: Broker, clock: Clock, node_id: str, stack: AsyncExitStack
) -> PresenceService:
    presence = PresenceService(database, broker, clock, config.pubsub.presence, node_id=node_id)
    await presence.open()
    stack.push_async_callback(presence.close)
    return presence


def _run_in_background(stack: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    """Run `work` until the stack closes; it is cancelled then, and awaited."""
    task = asyncio.create_task(work, name=name)

    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)
