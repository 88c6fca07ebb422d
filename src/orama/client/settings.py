"""What a program may choose about how it talks to a gateway."""

from __future__ import annotations

import msgspec


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait, how often to try, and how much to take. The defaults suit a gateway with its own defaults."""

    connect_timeout_s: float = 5.0
    """From a request to a connection that can carry it, TLS included."""
    timeout_s: float = 60.0
    """From a connection to the last byte of the reply; a gateway gives up after 30 s by itself."""
    max_reply_bytes: int = 64 * 1024 * 1024
    """The longest reply that is read."""
    read_attempts: int = 3
    """How often a request that only reads is sent at most, while the gateway is away or busy. One that writes is sent
    once."""
    retry_delay_s: float = 0.2
    """The wait before the second attempt; it doubles with each further one."""
    max_retry_delay_s: float = 5.0
    """The longest wait. If the gateway asks for a longer one, its error is raised instead."""
    max_connections: int = 20
    """Connections to the gateway at once; further requests wait for one, for as long as for a new one."""
