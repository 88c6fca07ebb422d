"""Strict framing: a request that two parsers could read differently is refused.

The parser (llhttp, in its strict mode) refuses what is malformed byte by byte: bare line feeds, folded headers, control
characters, odd chunk sizes, data after a close. It lets pass what is wrong only as a whole, and that is judged here; a
test with raw sockets holds both to it. Sources: RFC 9112 §2 to §7, RFC 9110 §5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from orama.errors import InvalidArgument

_DIGITS: Final = re.compile(r"[0-9]{1,18}")

# A second one of these makes a request ambiguous: which one counts differs between programs.
_SINGLE: Final = frozenset(
    {
        "host", "content-length", "transfer-encoding", "content-type", "content-encoding", "authorization",
        "x-api-key", "expect", "upgrade", "origin", "x-request-id", "traceparent", "idempotency-key", "if-none-match",
        "range",
    }
)  # fmt: skip


def read_headers(lines: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header lines as a dictionary with names in lower case; the values of a repeated name are joined by a comma.

    Raises:
        InvalidArgument: a header that may be sent once only came twice.
    """
    headers: dict[str, str] = {}
    for name, value in lines:
        key = _lower(name)
        text = value.decode("latin-1").strip(" \t")
        if key not in headers:
            headers[key] = text
        elif key in _SINGLE:
            raise InvalidArgument(f"the header {key!r} may be sent once only", reason="repeated_header")
        else:
            headers[key] = f"{headers[key]}, {text}"
    return headers


@lru_cache(maxsize=512)
def _lower(name: bytes) -> str:
    """Requests share few names: each spelling is decoded once."""
    return name.decode("latin-1").lower()


def body_length(headers: Mapping[str, str], http_version: str) -> int | None:
    """Judge a header section as a whole; the body's length in bytes, None if it is chunked.

    Raises:
        InvalidArgument: no Host, two ways to frame the body, an encoding other than chunked, a length that is
            no plain number; 415 for an encoded body; 417 for an expectation other than 100-continue.
    """
    if http_version not in ("1.1", "1.0"):
        raise InvalidArgument("this port speaks HTTP/1.1", reason="http_version")
    if http_version == "1.1" and not headers.get("host"):
        raise InvalidArgument("the Host header is missing", reason="missing_host")
    if "content-encoding" in headers and headers["content-encoding"].lower() != "identity":
        raise InvalidArgument(
            "encoded bodies are not accepted: send it plain", reason="content_encoding", http_status=415
        )
    if "expect" in headers and headers["expect"].lower() != "100-continue":
        raise InvalidArgument("unknown expectation", reason="expectation", http_status=417)
    length = headers.get("content-length")
    if "transfer-encoding" in headers:
        if length is not None:
            raise InvalidArgument("Content-Length and Transfer-Encoding exclude each other", reason="framing")
        if headers["transfer-encoding"].lower() != "chunked" or http_version == "1.0":
            raise InvalidArgument("the only transfer encoding is chunked, of HTTP/1.1", reason="framing")
        return None
    if length is None:
        return 0
    if _DIGITS.fullmatch(length) is None:
        raise InvalidArgument("Content-Length is not a number", reason="framing")
    return int(length)


def split_target(target: str, host: str) -> tuple[str, str]:
    """Path and query of a request target, still percent-encoded. The parser has seen to it that it is printable ASCII.

    Accepts the origin form, the absolute form if its authority is that of `host` (RFC 9112 §3.2.2), and ``*``.

    Raises:
        InvalidArgument: anything else.
    """
    if not target.startswith("/") and target != "*":
        scheme, separator, rest = target.partition("://")
        authority, slash, path = rest.partition("/")
        if not separator or scheme.lower() not in ("http", "https") or authority.lower() != host.lower():
            raise InvalidArgument("malformed request target: it starts with '/'", reason="malformed_target")
        target = slash + path or "/"
    path, _, query = target.partition("?")
    return path, query.partition("#")[0]
