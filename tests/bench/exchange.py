"""One request and what its answer must hold: what is measured, and how it is known that it was answered."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import msgspec

_TIMEOUT_S = 30


class CannotMeasure(Exception):
    """Something is missing, did not start or did not answer: no figure would mean anything."""


class Exchange(msgspec.Struct, frozen=True):
    """A request, always the same, and bytes that every good answer holds."""

    method: str
    path: str
    answer: bytes
    body: bytes = b""
    headers: dict[str, str] = {}


def post(path: str, body: dict[str, Any], answer: bytes, headers: dict[str, str]) -> Exchange:
    """An exchange that sends JSON."""
    return Exchange("POST", path, answer, msgspec.json.encode(body), headers)


def probe(url: str, exchange: Exchange) -> None:
    """Exchange once and look at all of the answer.

    Raises:
        CannotMeasure: it is not 200, or does not hold what it should.
        OSError: nobody listens.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_S)
    try:
        connection.request(exchange.method, exchange.path, exchange.body or None, exchange.headers)
        reply = connection.getresponse()
        body = reply.read()
    finally:
        connection.close()
    if reply.status != http.HTTPStatus.OK or exchange.answer not in body:
        raise CannotMeasure(f"{exchange.method} {url}{exchange.path} answered {reply.status}: {body[:300]!r}")
