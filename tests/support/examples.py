"""A valid request for each operation, so that tests can be made from the table of operations."""

from __future__ import annotations

import base64
import hashlib
import itertools
from typing import Any

from orama.domain.namespace import parse_namespace
from support.caller import Caller, sign_in, signed
from support.node import RunningNode
from support.wallet import Wallet

MIGRATIONS = [{"version": 1, "name": "first", "sql": "CREATE TABLE migrated (id INTEGER PRIMARY KEY)"}]

# Bodies that are the same every time; None where there is none. They suit a namespace that `prepare` has filled.
FIXED: dict[str, dict[str, Any] | None] = {
    "system.root": None,
    "system.docs": None,
    "system.health": None,
    "system.health.1": None,
    "system.ready": None,
    "system.status": None,
    "system.status.1": None,
    "system.version": None,
    "system.metrics": None,
    "system.openapi": None,
    "auth.jwks": None,
    "auth.jwks.1": None,
    "auth.token": None,
    "auth.whoami": None,
    "wallets.list": None,
    "login.page": {"callback": "http://127.0.0.1:51234/callback", "namespace": "demo", "state": "s"},
    "namespace.mine": None,
    "namespace.members": None,
    "invitation.waiting": None,
    "key.page": None,
    "audit.page": None,
    "database.query": {"sql": "SELECT * FROM notes WHERE id = ?", "args": [1]},
    "database.exec": {"sql": "INSERT INTO notes (text) VALUES (?)", "args": ["more"]},
    "database.find": {"table": "notes", "criteria": {"id": 1}},
    "database.find_one": {"table": "notes", "criteria": {"id": 1}},
    "database.select": {"table": "notes", "where": [{"expr": "id = ?", "args": [1]}], "one": True},
    "database.transaction": {"ops": [{"kind": "query", "sql": "SELECT 1"}], "return_results": True},
    "database.schema": None,
    "database.create_table": {"schema": "CREATE TABLE IF NOT EXISTS others (id INTEGER PRIMARY KEY)"},
    "database.drop_table": {"table": "spare"},
    "migrations.history": None,
    "migrations.plan": {"migrations": MIGRATIONS},
    "migrations.apply": {"migrations": MIGRATIONS},
    "cache.health": None,
    "cache.get": {"dmap": "notes", "key": "one"},
    "cache.mget": {"dmap": "notes", "keys": ["one", "none"]},
    "cache.put": {"dmap": "notes", "key": "two", "value": {"a": [1, None, "x"]}, "ttl": "1h"},
    "cache.getput": {"dmap": "notes", "key": "three", "value": "after"},
    "cache.incr": {"dmap": "notes", "key": "count", "delta": 2},
    "cache.expire": {"dmap": "notes", "key": "one", "ttl": 3600},
    "cache.delete": {"dmap": "notes", "key": "four"},
    "cache.scan": {"dmap": "notes", "match": "^o"},
    "pubsub.publish": {"topic": "news", "data_base64": "aGVsbG8="},
    "pubsub.topics": None,
    "pubsub.presence": {"topic": "news"},
    "pubsub.ws": {"topic": "news"},
}

# Bodies that are good once.
FRESH = {
    "auth.challenge",
    "auth.verify",
    "auth.api_key",
    "auth.simple_key",
    "auth.register",
    "auth.refresh",
    "auth.logout",
    "wallets.link",
    "wallets.unlink",
    "login.finish",
    "login.exchange",
    "namespace.create",
    "namespace.set_role",
    "namespace.remove",
    "namespace.transfer",
    "namespace.leave",
    "invitation.create",
    "invitation.revoke",
    "invitation.accept",
    "key.create",
    "key.get",
    "key.revoke",
    "key.rotate",
}

_numbers = itertools.count(1_000)


def fresh_wallet() -> Wallet:
    """A wallet that no other test has."""
    return Wallet(next(_numbers))


async def example(
    running: RunningNode, name: str, place: str = "demo", caller: Caller | None = None
) -> dict[str, Any] | None:
    """A body that the operation `name` accepts now, from somebody who may do anything in the namespace `place`.

    From `caller`, if it depends on who asks. Parameters of the path stand in it as well; see `filled`.
    """
    if name not in FRESH:
        return FIXED[name]
    number = next(_numbers)
    wallet, namespace, client = Wallet(number), f"fresh{number}", running.client
    auth, here = running.node.auth, parse_namespace(place)
    match name:
        case "namespace.create":
            return {"name": namespace}
        case "namespace.set_role" | "namespace.remove" | "namespace.transfer":
            await running.key(place)
            await auth.namespaces.grant(here, wallet.subject, "member")
            return {"wallet": wallet.address, **({"role": "reader"} if name == "namespace.set_role" else {})}
        case "namespace.leave":
            return None
        case "invitation.create":
            return {"role": "reader", "expires_in": "1h"}
        case "invitation.revoke":
            return {"id": (await invitation(running, place))["id"]}
        case "invitation.accept":
            return {"token": (await invitation(running, namespace))["token"]}
        case "key.create":
            return {"scopes": ["db:read", "cache:*"], "name": "example", "expires_in": 3600}
        case "key.get" | "key.revoke" | "key.rotate":
            return {"id": "_".join((await running.key(place, "db:read")).split("_")[:2])}
        case "auth.challenge":
            return {"wallet": wallet.address, "namespace": namespace}
        case "auth.simple_key":
            return {"wallet": wallet.address, "namespace": namespace}
        case "wallets.link" | "wallets.unlink":
            return await _for_account(caller, wallet, unlink=name == "wallets.unlink")
        case "login.finish" | "login.exchange":
            return await _login(client, wallet, namespace, exchange=name == "login.exchange")
        case "auth.refresh" | "auth.logout":
            return {"refresh_token": (await sign_in(client, wallet, namespace))["refresh_token"]}
        case _:
            return await signed(client, wallet, namespace)


async def _login(client: Any, wallet: Wallet, namespace: str, *, exchange: bool) -> dict[str, Any]:
    """The body that finishes a login, or that exchanges the code of a finished one."""
    verifier, callback = f"{namespace:v<43}", "http://127.0.0.1:51234/callback"
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "callback": callback,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    body = await signed(client, wallet, namespace, "login_page", **asked)
    if not exchange:
        return body
    redirect = (await Caller(client).ok("/v1/auth/login", body))["redirect"]
    return {"code": redirect.rpartition("code=")[2], "code_verifier": verifier, "callback": callback}


async def _for_account(caller: Caller | None, wallet: Wallet, *, unlink: bool) -> dict[str, Any]:
    """The body that links `wallet` to the account of `caller`, or unlinks it; one of that form for everybody else."""
    asked = {"wallet": wallet.address, "purpose": "link"}
    challenge = None if caller is None else await caller.post("/v1/auth/challenge", asked)
    if challenge is None or challenge.status_code != 200:
        return asked if unlink else {"wallet": wallet.address, "nonce": "n", "signature": "s"}
    nonce = challenge.json()["nonce"]
    body = {"wallet": wallet.address, "nonce": nonce, "signature": wallet.sign(nonce)}
    if not unlink:
        return body
    await caller.ok("/v1/auth/wallets/link", body)
    return {"wallet": wallet.address}


async def wallet_caller(running: RunningNode) -> Caller:
    """A wallet with the access token of a fresh sign-in."""
    number = next(_numbers)
    return Caller.with_token(running.client, (await sign_in(running.client, Wallet(number), f"fresh{number}"))["token"])


async def invitation(running: RunningNode, place: str, role: str = "reader") -> dict[str, Any]:
    """An invitation to the namespace `place`, made with a key of the operator's."""
    operator = Caller.with_key(running.client, await running.key(place))
    return await operator.ok("/v1/namespace/invitations", {"role": role}, status=201)


async def prepare(caller: Caller, text: str = "hello") -> None:
    """Make what the examples speak of in the caller's namespace; `text` is the value of row and key."""
    for sql in (
        "CREATE TABLE IF NOT EXISTS spare (id INTEGER)",
        "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)",
    ):
        await caller.ok("/v1/rqlite/create-table", {"schema": sql}, status=201)
    await caller.exec("INSERT OR REPLACE INTO notes (id, text) VALUES (1, ?)", text)
    await caller.ok("/v1/cache/put", {"dmap": "notes", "key": "one", "value": text})
