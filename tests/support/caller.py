"""Somebody who talks to a node over HTTP, and the steps of signing in."""

from __future__ import annotations

import re
from typing import Any

import httpx2

from orama.gateway.kernel.operation import Operation
from support.wallet import Wallet
from support.websocket import handshake


def filled(one: Operation, fields: dict[str, Any] | None) -> tuple[str, dict[str, Any] | None]:
    """The operation's path with its parameters taken from `fields`, and the fields that are left, if any were."""
    path, rest = one.path, dict(fields or {})
    for name in re.findall(r"\{(\w+)\}", path):
        path = path.replace(f"{{{name}}}", str(rest.pop(name)))
    return path, rest if rest or (fields and path == one.path) else None


class Caller:
    """A client with headers of its own; without any it is anonymous."""

    def __init__(self, client: httpx2.AsyncClient, headers: dict[str, str] | None = None) -> None:
        self.client = client
        self.headers = headers or {}

    @classmethod
    def with_key(cls, client: httpx2.AsyncClient, key: str) -> Caller:
        return cls(client, {"X-API-Key": key})

    @classmethod
    def with_token(cls, client: httpx2.AsyncClient, token: str) -> Caller:
        return cls(client, {"Authorization": f"Bearer {token}"})

    async def send(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        """One request; a body of bytes goes as it is, any other as JSON, None not at all."""
        headers = {**self.headers, **options.pop("headers", {})}
        if isinstance(body, bytes):
            options["content"] = body
        elif body is not None:
            options["json"] = body
        return await self.client.request(method, path, headers=headers, **options)

    async def call(self, node: Any, one: Operation, arguments: Any = None) -> httpx2.Response:
        """The reply of an operation to arguments, wherever they have to stand; that of a WebSocket to its handshake."""
        if one.websocket:
            return await handshake(node, one.path, arguments, self.headers)
        path, rest = filled(one, arguments)
        if one.method in ("POST", "PUT", "PATCH"):
            return await self.send(one.method, path, rest)
        return await self.send(one.method, path, params=rest)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        return await self.send("POST", path, body, **options)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.send("GET", path, **options)

    async def ok(self, path: str, body: Any = None, *, status: int = 200) -> Any:
        """The JSON of a POST that must succeed."""
        reply = await self.post(path, body)
        assert reply.status_code == status, reply.text
        return reply.json()

    async def refused(self, path: str, body: Any, status: int, text: str = "") -> dict[str, Any]:
        """The JSON of a POST that must fail with `status` and an error that has `text` in it."""
        reply = await self.post(path, body)
        assert reply.status_code == status, reply.text
        assert text in reply.json()["error"]
        return reply.json()

    async def exec(self, sql: str, *args: Any) -> dict[str, Any]:
        return await self.ok("/v1/rqlite/exec", {"sql": sql, "args": args})

    async def rows(self, sql: str, *args: Any) -> list[list[Any]]:
        return (await self.ok("/v1/rqlite/query", {"sql": sql, "args": args}))["rows"]


async def signed(
    client: httpx2.AsyncClient, wallet: Wallet, namespace: str = "", purpose: str = "", **fields: Any
) -> dict[str, Any]:
    """The body that presents a fresh challenge, signed by `wallet`."""
    asked = {"wallet": wallet.address, "purpose": purpose, "namespace": namespace}
    challenge = await Caller(client).ok("/v1/auth/challenge", asked)
    return {
        "wallet": wallet.address,
        "nonce": challenge["nonce"],
        "signature": wallet.sign(challenge["nonce"]),
        "namespace": namespace,
        **fields,
    }


async def sign_in(client: httpx2.AsyncClient, wallet: Wallet, namespace: str = "") -> dict[str, Any]:
    """What ``verify`` answers."""
    return await Caller(client).ok("/v1/auth/verify", await signed(client, wallet, namespace))
