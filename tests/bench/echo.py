"""The floor: the least that a Python server does, as a bare ASGI application on plain uvicorn.

GET answers a constant; POST parses the JSON it gets and answers it; POST /insert does one autocommit write besides.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import uvicorn

from .autocommit import Autocommit

_CONSTANT = b'{"status":"ok","server":{"started_at":"2026-01-01T00:00:00.000Z","uptime":"1h0m0s"}}'
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Echo:
    """The application."""

    def __init__(self, database: str) -> None:
        self._table = Autocommit(database)

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        answer = _CONSTANT
        if scope["method"] == "POST":
            message = await receive()
            body = message["body"]
            while message["more_body"]:
                message = await receive()
                body += message["body"]
            value = _decode(body)
            if scope["path"] == "/insert":
                value = {"rows_affected": 1, "last_insert_id": self._table.insert(value["args"][0])}
            answer = _encode(value)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def serve(application: Any) -> None:
    """Serve an ASGI application on a free port of loopback until the process ends; prints where."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        application, http="httptools", loop="uvloop", lifespan="off", access_log=False, log_level="warning"
    )
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    serve(Echo(sys.argv[1]))
