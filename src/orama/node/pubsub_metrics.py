"""What pub/sub counts, offered to Prometheus."""

from __future__ import annotations

from orama.contracts.broker import Broker
from orama.gateway.websocket.socket import SocketCounts
from orama.services.presence.service import PresenceService
from orama.services.pubsub.assembly import PubSub
from orama.telemetry.metrics import Metrics


def offer_pubsub_metrics(
    metrics: Metrics, pubsub: PubSub, presence: PresenceService, broker: Broker, sockets: SocketCounts
) -> None:
    """Register how the numbers are read."""
    counts = pubsub.rooms.counts
    metrics.add_gauge("orama_websockets", "Open WebSockets.", lambda: sockets.open)
    metrics.add_gauge("orama_pubsub_subscribers", "Connections that are subscribed.", lambda: pubsub.rooms.users)
    metrics.add_gauge("orama_presence_members", "Members of topics that came by this node.", lambda: len(presence))
    metrics.add_counts(
        "orama_websockets_cut",
        "WebSockets closed by the node because the client was too slow, or gave no sign of life.",
        ("reason",),
        lambda: {("slow",): sockets.slow_consumers_cut, ("dead",): sockets.dead_peers_cut},
    )
    metrics.add_counts(
        "orama_pubsub_messages",
        "Messages published, and copies of them delivered to subscribers.",
        ("direction",),
        lambda: {("published",): pubsub.service.published, ("delivered",): counts.delivered},
    )
    metrics.add_counts(
        "orama_pubsub_gaps",
        "Messages that were not heard of in time: filled from the history, or lost.",
        ("outcome",),
        lambda: {("filled",): counts.filled, ("lost",): counts.lost + broker.gaps},
    )
