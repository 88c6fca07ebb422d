"""The measurements of what does not fit one request and one answer: sockets."""

from __future__ import annotations

import subprocess
from typing import Final
from urllib.parse import urlencode

import msgspec

from .bench import Bench
from .exchange import CannotMeasure
from .node import HEALTH, Node
from .process import Server, pinned
from .row import Goal, Row, row_of
from .subscribers import Deliveries

_IDLE_SOCKETS: Final = 5_000
_SMOKE_IDLE_SOCKETS: Final = 200
_STALLED_AMONG: Final = 100


def publish(bench: Bench) -> list[Row]:
    """Publish and deliver to 1, 100 and 1,000 sockets, against a bare server that shares one frame."""
    return [row for sockets in (1, 100, 1_000) for row in _publish_to(bench, sockets)]


def stalled(bench: Bench) -> list[Row]:
    """What one subscriber that never reads does to the others."""
    pairs = [
        (_delivered(bench, _STALLED_AMONG), _delivered(bench, _STALLED_AMONG, stalled=1)) for _ in range(bench.rounds)
    ]
    return [
        row_of(
            "one stalled of 100: p99 against without",
            [held_up.p99_ms / free.p99_ms for free, held_up in pairs],
            "×",
            Goal(1.5, most=True),
        )
    ]


def idle_sockets(bench: Bench) -> list[Row]:
    """What a socket costs that only waits, on a node whose memory nobody has used before."""
    count = _SMOKE_IDLE_SOCKETS if bench.smoke else _IDLE_SOCKETS
    node = Node(bench.directory / "sockets", bench.cores.server)
    try:
        node.server.wait_for(HEALTH)
        url = _topic_url(node.server, {"X-API-Key": node.key()}, "idle")
        before = node.server.rss_mb()
        command = bench.program("subscribers", "hold", url, count)
        with (
            pinned(bench.cores.load),
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder,
        ):
            assert holder.stdout is not None
            said = holder.stdout.readline()
            after = node.server.rss_mb()
            holder.communicate()
    finally:
        node.server.stop()
    if said.strip() != b"held":
        raise CannotMeasure(f"{count} sockets could not be opened")
    kb = (after - before) * 1024 / count
    return [row_of(f"idle sockets, {count:,}: RSS of each", [kb], "KB", Goal(64, most=True))]


def _publish_to(bench: Bench, sockets: int) -> list[Row]:
    floor = bench.start(bench.program("broadcast"))
    pairs: list[tuple[Deliveries, Deliveries]] = []
    for _ in range(bench.rounds):
        bare = _load(bench, floor.url + "/", sockets)
        pairs.append((bare, _delivered(bench, sockets)))
    floor.stop()
    name = f"publish → deliver, {sockets:,} socket{'s' if sockets > 1 else ''}"
    return [
        row_of(name, [ours.per_second / bare.per_second for bare, ours in pairs], "×", Goal(0.8)),
        row_of(
            "  p99 against the floor's", [ours.p99_ms / bare.p99_ms for bare, ours in pairs], "×", Goal(1.5, most=True)
        ),
        row_of("  deliveries", [ours.per_second for _, ours in pairs], "/s"),
    ]


def _delivered(bench: Bench, sockets: int, *, stalled: int = 0) -> Deliveries:
    node, _, headers = bench.servers()
    return _load(bench, _topic_url(node, headers, f"bench-{sockets}"), sockets, stalled=stalled)


def _load(bench: Bench, url: str, sockets: int, *, stalled: int = 0) -> Deliveries:
    said = bench.run_program("subscribers", "deliver", url, sockets, bench.seconds, stalled, core=bench.cores.load)
    return msgspec.json.decode(said, type=Deliveries)


def _topic_url(node: Server, headers: dict[str, str], topic: str) -> str:
    return f"{node.url}/v1/pubsub/ws?{urlencode({'topic': topic, 'api_key': headers['X-API-Key']})}"
