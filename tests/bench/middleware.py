"""What the stages cost: the whole pipeline of a real node against the handler alone, in one process, without sockets.

*Alone* is: decode the body, call the handler, encode its answer. *All* is `Pipeline.run` on the same request: request id,
CORS, routing, authentication, authorisation, rate limit, deadline, access log (written to the null device by its
thread) and metrics on top. The cost is the difference in processor time of the process, all threads.

As a program: prints a JSON list of pairs, microseconds per request alone and with all, one pair a round.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import uvloop
from tests.support.node import running_node

from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Request
from orama.node.assembly import Node
from orama.services.auth.authenticator import Credentials

from .node import get_exchange, put_exchange, write_settings

_Call = Callable[[], Awaitable[object]]


async def _measure(home: Path, rounds: int, calls: int) -> list[tuple[float, float]]:
    write_settings(home)
    async with running_node(home, driver="asgi") as running:
        key = await running.key("bench")
        await _all(running.node, _request(key, put=True))()
        whole = _all(running.node, _request(key))
        alone = await _alone(running.node, _request(key), key)
        for warm in (alone, whole):
            await _cpu_us(warm, calls)
        return [(await _cpu_us(alone, calls), await _cpu_us(whole, calls)) for _ in range(rounds)]


def _request(key: str, *, put: bool = False) -> Request:
    exchange = put_exchange({}) if put else get_exchange({})
    headers = {"host": "127.0.0.1", "content-type": "application/json", "x-api-key": key}
    return Request("POST", exchange.path, "", headers, exchange.body, "127.0.0.1", "127.0.0.1")


def _all(node: Node, request: Request) -> _Call:
    run = node.http1.pipeline.run

    def nothing() -> None:
        """No deadline ends here."""

    async def call() -> None:
        reply = await run(request, nothing)
        assert reply.status == 200, reply.body

    return call


async def _alone(node: Node, request: Request, key: str) -> _Call:
    route, _ = node.http1.pipeline.router.match(request.method, request.path)
    call = Call(request, 0.0, route)
    call.principal = await node.auth.authenticator.authenticate(Credentials(api_key=key))
    handler, encode = route.handler, msgspec.json.Encoder().encode
    assert route.decoder is not None
    decode = route.decoder.decode

    async def only_the_handler() -> None:
        assert encode(await handler(call, decode(request.body)))

    return only_the_handler


async def _cpu_us(call: _Call, calls: int) -> float:
    before = time.process_time()
    for number in range(calls):
        await call()
        if number % 500 == 0:
            await asyncio.sleep(0)  # the node's own tasks get their turn, as they would
    return (time.process_time() - before) / calls * 1e6


def _main(home: str, rounds: str, calls: str) -> None:
    # The log goes where the measured node's goes; a fault's traceback still reaches the terminal.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        pairs = uvloop.run(_measure(Path(home), int(rounds), int(calls)))
    print(msgspec.json.encode(pairs).decode())


if __name__ == "__main__":
    _main(*sys.argv[1:])
