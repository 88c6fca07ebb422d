"""The SQL port with an engine behind it that can be away, slow, or both."""

from __future__ import annotations

import asyncio

from orama.errors import Unavailable


class Outage:
    """Passes calls on to `database`, as the engine's host would: not while it is away, and not before it is let go.

    `failures`: how many calls still fail. `calls`: the methods called, in order. `most`: the most calls at once.
    """

    def __init__(self, database):
        self._database = database
        self.failures = 0
        self.retry_after_s = None
        self.calls = []
        self.most = self._at_once = 0
        self._open = asyncio.Event()
        self._open.set()

    @property
    def guarantees(self):
        return self._database.guarantees

    def hold(self):
        """Keep calls waiting from now on."""
        self._open.clear()

    def let_go(self):
        """Let all that wait go on."""
        self._open.set()

    async def query(self, *args, **options):
        return await self._call("query", *args, **options)

    async def execute(self, *args):
        return await self._call("execute", *args)

    async def execute_once(self, *args):
        return await self._call("execute_once", *args)

    async def schema(self, *args):
        return await self._call("schema", *args)

    async def ping(self):
        return await self._call("ping")

    async def close(self):
        self.calls.append("close")
        await self._database.close()

    async def _call(self, method, *args, **options):
        self.calls.append(method)
        self._at_once += 1
        self.most = max(self.most, self._at_once)
        try:
            await self._open.wait()
            if self.failures:
                self.failures -= 1
                raise Unavailable("the engine is away", reason="db_unavailable", retry_after_s=self.retry_after_s)
            return await getattr(self._database, method)(*args, **options)
        finally:
            self._at_once -= 1
