"""A node's life: claim the directory, bind the socket, assemble, serve, and on a signal leave and lose nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from orama.backends.clock import SystemClock
from orama.config.model import Config
from orama.node.assembly import assemble
from orama.node.data_directory import DataDirectory
from orama.node.listener import Listener, bind, url_of


async def run_node(config: Config, announce: Callable[[str], None]) -> None:
    """Run a node until SIGTERM or SIGINT, then drain it.

    After the signal ``/ready`` answers 503 for `server.shutdown_notice_s` while requests are still served; then the
    socket closes and requests under way have `server.shutdown_grace_s` to end. A second signal skips the notice.

    Args:
        config: the effective configuration.
        announce: called with the node's URL once it answers.

    Raises:
        OramaError: the node cannot start; the text says what to do.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        data = DataDirectory(config.node.data_dir)
        stack.enter_context(data.lock())
        data.remove_leftovers()
        listening = bind(config.server.listen)
        stack.callback(listening.close)
        node = await assemble(config, data, stack, clock)
        listener = Listener(node.http1, node.asgi, shutdown_grace_s=config.server.shutdown_grace_s)
        stopping, hurry = _signals()
        serving = asyncio.create_task(listener.serve(sockets=[listening]), name="listener")
        await _first(serving, listener.listening.wait())
        announce(url_of(listening))
        node.events.info("node started", listen=url_of(listening), data_dir=str(data.path), node_id=data.node_id())
        await _first(serving, stopping.wait())
        node.health.drain()
        node.events.info("node stopping", in_flight=len(node.in_flight))
        await _first(serving, hurry.wait(), timeout_s=config.server.shutdown_notice_s)
        listener.should_exit = True
        await serving
        node.events.info("node stopped")


async def _first(serving: asyncio.Task[None], moment: Awaitable[object], timeout_s: float | None = None) -> None:
    """Wait for `moment`, for the server to end, or for the time to pass, whichever is first."""
    waiting = asyncio.ensure_future(moment)
    await asyncio.wait([serving, waiting], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Events for the first signal to stop and for the second."""
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def heard() -> None:
        (hurry if stopping.is_set() else stopping).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard)
    return stopping, hurry
