"""The door of the SDK."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from orama.client.migrations import Migrations
from orama.client.settings import ClientSettings
from orama.client.transport import Transport


class Client:
    """A gateway, and who calls it.

    ::

        async with Client("http://127.0.0.1:6001", api_key=key) as orama:
            print(await orama.migrations.history())

    For one event loop. Failures are the classes of `orama.errors`, the same that the gateway itself raises.

    Args:
        url: where the gateway is.
        api_key: an API key; its namespace is the one that everything is done in.
        settings: bounds on time and size.
    """

    def __init__(self, url: str, *, api_key: str | None = None, settings: ClientSettings | None = None) -> None:
        self._transport = Transport(url, api_key, settings or ClientSettings())
        self.migrations = Migrations(self._transport)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
