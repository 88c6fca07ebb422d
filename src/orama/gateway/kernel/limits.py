"""The bounds every driver keeps, in one object. Each has a name, a default, a unit and a test."""

from __future__ import annotations

import msgspec


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one connection and one request may cost before anything is known about the caller."""

    max_request_line_bytes: int = 8 * 1024
    """Method, target and version; longer is 414."""
    max_headers: int = 100
    """Header lines of a request, trailers included; more is 431."""
    max_header_bytes: int = 32 * 1024
    """Names and values together; more is 431."""
    max_body_bytes: int = 1024 * 1024
    """A request's body, unless its operation has a limit of its own; more is 413."""
    max_json_depth: int = 64
    """How deep objects and arrays of a JSON body nest; deeper is 400."""
    header_timeout_s: float = 10.0
    """From a request's first byte (or the connection's start) to the end of its headers; later is 408."""
    body_grace_s: float = 10.0
    """How long a body may take before its rate counts."""
    min_body_rate: int = 1024
    """Bytes per second that a body must keep up after the grace; slower is 408."""
    write_stall_s: float = 30.0
    """How long a client may leave a reply unread before the connection is cut."""
    idle_s: float = 75.0
    """How long a connection may wait between requests."""
    linger_s: float = 2.0
    """How long a refused request's rest is read and thrown away, so that the client can read the refusal."""
    request_timeout_s: float = 30.0
    """From a request's last byte to its reply; longer is 504."""
    max_connections: int = 10_000
    """Open connections in all; one more is 503."""
    max_connections_per_address: int = 200
    """Open connections of one IPv4 address or IPv6 /64, loopback and trusted proxies apart; one more is 503."""
    max_pipelined: int = 32
    """Requests a connection may send ahead of their replies; then reading pauses."""
