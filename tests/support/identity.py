"""Identity on a real database, with a switch for outages, and wallets that sign in."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.domain.identity import Principal
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import Consistency, Statement
from orama.errors import Unavailable
from orama.gateway.handlers.auth import AuthHandlers
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Request
from orama.services.auth.assembly import Auth, open_auth
from orama.services.auth.authenticator import Credentials
from orama.services.auth.settings import AuthSettings
from orama.services.auth.sign_in import SignedChallenge, SignedIn
from orama.services.migrations import migrate_platform
from support.wallet import Wallet

ROOT_SECRET = bytes(range(32))
SHOP = Namespace("shop")


class SwitchableDatabase:
    """The database behind it, with outages on demand, a count of calls, and gates before and after each question."""

    def __init__(self, database):
        self._database = database
        self.away = False
        self.calls = 0
        self.open = asyncio.Event()
        self.open.set()
        self.after_query = None

    @property
    def guarantees(self):
        return self._database.guarantees

    async def query(self, namespace, statement, *, consistency=Consistency.WEAK):
        await self._pass()
        rows = await self._database.query(namespace, statement, consistency=consistency)
        if self.after_query is not None:
            await self.after_query()
        return rows

    async def execute(self, namespace, batch):
        await self._pass()
        return await self._database.execute(namespace, batch)

    async def execute_once(self, namespace, batch, once):
        await self._pass()
        return await self._database.execute_once(namespace, batch, once)

    async def schema(self, namespace):
        await self._pass()
        return await self._database.schema(namespace)

    async def ping(self):
        await self._pass()
        await self._database.ping()

    async def close(self):
        await self._database.close()

    async def _pass(self):
        self.calls += 1
        await self.open.wait()
        if self.away:
            raise Unavailable("the database is away")


@asynccontextmanager
async def platform_database(directory, clock):
    """A real, migrated platform database in `directory`, behind the switch. SQLite keeps time by the real clock."""
    opened = await SqliteDatabase.open(SqliteSettings(data_directory=directory), SystemClock())
    database = SwitchableDatabase(opened)
    try:
        await migrate_platform(database, clock)
        yield database
    finally:
        await database.close()


class Gateway:
    """One gateway's identity: services and handlers, as the composition root assembles them."""

    def __init__(self, auth: Auth, database: SwitchableDatabase, clock):
        self.auth = auth
        self.handlers = AuthHandlers(auth)
        self.database = database
        self.clock = clock

    @classmethod
    async def open(cls, database, clock, root_secret=ROOT_SECRET, **settings) -> Gateway:
        auth = await open_auth(
            database=database, clock=clock, root_secret=root_secret, settings=AuthSettings(**settings)
        )
        return cls(auth, database, clock)

    async def signed(
        self, wallet: Wallet, namespace: str = SHOP, purpose: str = "", *, origin=None, client="192.0.2.1"
    ) -> SignedChallenge:
        """A fresh challenge, signed."""
        challenge = await self.auth.sign_in.challenge(wallet.address, namespace, purpose, origin=origin, client=client)
        signature = wallet.sign(challenge.text)
        return SignedChallenge(wallet.address, challenge.text, signature, namespace, wallet.chain_type)

    async def sign_in(self, wallet: Wallet, namespace: str = SHOP) -> SignedIn:
        return await self.auth.sign_in.verify(await self.signed(wallet, namespace))

    async def lasting_key(self, wallet: Wallet, namespace: str = SHOP):
        return (await self.auth.sign_in.create_api_key(await self.signed(wallet, namespace))).key

    async def member(self, wallet: Wallet, role: str, namespace: str = SHOP) -> Principal:
        """`wallet`, made a member in `role` by the operator, as the caller of its access token."""
        await self.auth.namespaces.grant(Namespace(namespace), wallet.subject, role)
        return await self.caller(wallet, namespace)

    async def caller(self, wallet: Wallet, namespace: str = SHOP) -> Principal:
        """Who calls with a fresh access token of `wallet`."""
        return await self.by_token((await self.sign_in(wallet, namespace)).access_token.text)

    async def by_key(self, text: str):
        return await self.auth.authenticator.authenticate(Credentials(api_key=text))

    async def by_token(self, text: str):
        return await self.auth.authenticator.authenticate(Credentials(jwt=text))

    def call(self, principal=None, *, client="192.0.2.1", **headers) -> Call:
        """A call as the pipeline hands it to a handler; headers with ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request("POST", "/", "", named, b"", client, client)
        call = Call(request, self.clock.monotonic(), None)
        call.principal = principal
        return call

    async def rows(self, sql: str, *args):
        return (await self.database.query(PLATFORM, Statement(sql, args))).rows

    async def rows_changed(self, sql: str, *args) -> int:
        """Change the platform's tables behind the services' back."""
        (result,) = await self.database.execute(PLATFORM, [Statement(sql, args)])
        return result.rows_affected
