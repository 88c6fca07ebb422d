"""The measurements: each takes a bench and gives rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from .bench import CALLERS, GET_ECHO, Bench
from .exchange import Exchange
from .node import HEALTH, Node, exec_exchange, get_exchange, put_exchange, query_exchange
from .row import Goal, Row, row_of
from .streams import idle_sockets, publish, stalled

_IDLE_STARTS: Final = 3
_SETTLING_S: Final = 1.0
_MIDDLEWARE_CALLS_PER_S: Final = 50_000


def idle(bench: Bench) -> list[Row]:
    """A node that has nothing to do. The best of three: the others met work of the machine's own."""
    starts: list[float] = []
    sizes: list[float] = []
    for number in range(_IDLE_STARTS if bench.rounds > 1 else 1):
        node = Node(bench.directory / f"idle-{number}", bench.cores.server)
        try:
            starts.append(node.server.wait_for(HEALTH))
            time.sleep(_SETTLING_S)
            sizes.append(node.server.rss_mb())
        finally:
            node.server.stop()
    return [
        _best("idle node: RSS", sizes, "MB", 90),
        _best("idle node: start until /health", starts, "s", 1),
    ]


def middleware(bench: Bench) -> list[Row]:
    """What all stages add to a handler."""
    home = bench.directory / "middleware"
    home.mkdir()
    calls = int(_MIDDLEWARE_CALLS_PER_S * bench.seconds)
    pairs = msgspec.json.decode(
        bench.run_program("middleware", home, bench.rounds, calls), type=list[tuple[float, float]]
    )
    return [
        row_of("middleware in all", [whole - alone for alone, whole in pairs], "µs", Goal(10, most=True)),
        row_of("  handler alone", [alone for alone, _ in pairs], "µs"),
    ]


def health(bench: Bench) -> list[Row]:
    """GET /health."""
    return [bench.against_floor("GET /health", HEALTH, GET_ECHO, 1.2)]


def version(bench: Bench) -> list[Row]:
    """GET /v1/version."""
    return [bench.against_floor("GET /v1/version", Exchange("GET", "/v1/version", b'"version"'), GET_ECHO, 1.2)]


def jwks(bench: Bench) -> list[Row]:
    """GET /v1/auth/jwks."""
    return [bench.against_floor("GET /v1/auth/jwks", Exchange("GET", "/v1/auth/jwks", b'"keys"'), GET_ECHO, 1.2)]


def cache_get(bench: Bench) -> list[Row]:
    """POST /v1/cache/get."""
    exchange = get_exchange(bench.servers()[2])
    return [bench.against_floor("POST /v1/cache/get", exchange, _echo_of(exchange), 1.0)]


def cache_put(bench: Bench) -> list[Row]:
    """POST /v1/cache/put."""
    exchange = put_exchange(bench.servers()[2])
    return [bench.against_floor("POST /v1/cache/put", exchange, _echo_of(exchange), 1.0)]


def query(bench: Bench) -> list[Row]:
    """POST /v1/rqlite/query, one row."""
    exchange = query_exchange(bench.servers()[2])
    return [bench.against_floor("POST /v1/rqlite/query", exchange, _echo_of(exchange), 0.5)]


def execute(bench: Bench) -> list[Row]:
    """POST /v1/rqlite/exec, one INSERT, against one autocommit write per request of the echo."""
    exchange = exec_exchange(bench.servers()[2])
    floor = msgspec.structs.replace(exchange, path="/insert", headers={})
    loops = [
        int(bench.run_program("autocommit", bench.directory / "loop.db", bench.seconds)) / bench.seconds
        for _ in range(bench.rounds)
    ]
    return [
        bench.against_floor("POST /v1/rqlite/exec", exchange, floor, 4.0),
        row_of("  autocommit in a loop, no server", loops, "/s"),
    ]


def mixed(bench: Bench) -> list[Row]:
    """How long writes take while others read."""
    node, _, headers = bench.servers()
    exchanges = [exec_exchange(headers), query_exchange(headers)]
    rounds = [bench.samples(node, exchanges, CALLERS // 2) for _ in range(bench.rounds)]
    writes = [write for write, _ in rounds]
    return [
        row_of("exec while queries run: p99", [one.p99_ms for one in writes], "ms", samples=writes),
        row_of("  the queries", [read.per_second for _, read in rounds], "/s"),
    ]


MEASUREMENTS: Final[dict[str, Callable[[Bench], list[Row]]]] = {
    "idle": idle,
    "middleware": middleware,
    "health": health,
    "version": version,
    "jwks": jwks,
    "cache-get": cache_get,
    "cache-put": cache_put,
    "query": query,
    "exec": execute,
    "mixed": mixed,
    "publish": publish,
    "stalled": stalled,
    "idle-sockets": idle_sockets,
}

NOTES: Final = f"""
- A ratio is the node's req/s over its floor's, one a round, floor and path by turns; the figure is their median.
- Floor: a bare ASGI application on plain uvicorn (httptools, uvloop, no access log). GET answers a constant, POST parses
  the JSON it gets and answers it.
- Floor of exec: the same application doing one autocommit INSERT per request, inline, through one connection (WAL,
  synchronous=FULL) to a file on the same disk. The loop without a server is that write by itself.
- {CALLERS} callers in a closed loop: p99 leaves out what callers would have asked while they waited.
- Middleware: processor time of `Pipeline.run` on POST /v1/cache/get with an API key, less that of decoding, handler and
  encoding alone; in one process, without sockets.
- exec while queries run: {CALLERS // 2} callers write and {CALLERS // 2} read; CPU is per request of either kind.
- Publish: 8 messages of 128 bytes always under way, from one of the sockets to all of them. Floor: a bare asyncio
  protocol on uvloop that writes one shared frame to all; it has no topics and no envelope.
- Idle node: the best of {_IDLE_STARTS} starts, each on a new data directory.
"""


def _echo_of(exchange: Exchange) -> Exchange:
    """The same body to the echo, which gives it back."""
    return msgspec.structs.replace(exchange, path="/", headers={}, answer=exchange.body[:10])


def _best(name: str, figures: Sequence[float], unit: str, at_most: float) -> Row:
    return Row(
        name=name, figure=min(figures), low=min(figures), high=max(figures), unit=unit, goal=Goal(at_most, most=True)
    )
