"""The bounds on one WebSocket. Each has a name, a default, a unit and a test."""

from __future__ import annotations

import msgspec


class WebSocketLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one WebSocket may cost, whatever is said on it. Compression is never agreed to."""

    max_message_bytes: int = 1024 * 1024
    """Longest message from a client, over all its fragments; a longer one closes with 1009."""
    max_fragments: int = 128
    """Most frames that one message may come in; more close with 1009."""
    max_control_frames: int = 100
    """Pings, pongs and closes that a client may send within `ping_interval_s`; more close with 4429."""
    ping_interval_s: float = 20.0
    """How often the gateway pings; at most a second earlier."""
    pong_timeout_s: float = 10.0
    """How long it waits for the pong before it takes the client for dead."""
    close_timeout_s: float = 5.0
    """How long a connection lingers for the other side's close frame."""
    max_queued_messages: int = 256
    """Messages that may wait for a client that reads too slowly; one more closes with 1013."""
    max_queued_bytes: int = 1024 * 1024
    """Bytes that may wait for such a client; more close with 1013."""
