"""`orama admin`: the operator's way in, directly on the node's database, while the node runs or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from orama.cli.options import AsJson, ConfigFile, DataDir, load_config
from orama.domain.duration import parse_duration_s
from orama.domain.namespace import parse_namespace
from orama.errors import Conflict, InvalidArgument
from orama.services.auth.api_key import ALL_SCOPES, KeyRecord
from orama.services.auth.assembly import Auth

app = typer.Typer(no_args_is_help=True, help="The operator's commands.")
keys = typer.Typer(no_args_is_help=True, help="API keys, and the keys that sign access tokens.")
app.add_typer(keys, name="keys")

_Answer = TypeVar("_Answer")
NamespaceName = Annotated[str, typer.Option("--namespace", metavar="NS", help="The namespace.")]


@keys.command("create")
def create(
    namespace: NamespaceName,
    scopes: Annotated[str, typer.Option(help="Comma-separated scopes, such as db:read,cache:*")] = ",".join(ALL_SCOPES),
    expires: Annotated[str | None, typer.Option(help="How long it lasts (720h) or when it ends (RFC 3339).")] = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "operator",
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key; its secret is shown this once. A namespace that does not exist is made."""
    place = parse_namespace(namespace)
    wanted = tuple(scope.strip() for scope in scopes.split(",") if scope.strip())

    async def work(auth: Auth) -> str:
        with suppress(Conflict):  # it exists already, which is as good
            await auth.namespaces.create(place)
        return (await auth.api_keys.create(place, name=name, scopes=wanted, expires_at=_expiry_ms(expires))).text

    key = _with_identity(config, data_dir, work)
    print(msgspec.json.encode({"api_key": key}).decode() if as_json else key)


@keys.command("list")
def list_keys(
    namespace: NamespaceName, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """List the keys of a namespace, without their secrets."""
    place = parse_namespace(namespace)
    records = _with_identity(config, data_dir, lambda auth: auth.api_keys.list(place))
    if as_json:
        print(msgspec.json.encode([_public(record) for record in records]).decode())
        return
    table = Table("id", "name", "scopes", "wallet", "created", "expires", "revoked")
    for record in records:
        table.add_row(*(str(value or "-") for value in _public(record).values()))
    Console().print(table)


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id: what follows ak_ up to the next underscore.")],
    namespace: NamespaceName,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """End a key for ever. Nodes that are running refuse it within five seconds."""
    place = parse_namespace(namespace)
    _with_identity(config, data_dir, lambda auth: auth.api_keys.revoke(place, key_id.removeprefix("ak_")))
    print(f"revoked {key_id}")


@keys.command("rotate-signing")
def rotate_signing(config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Sign access tokens with a new key from soon on; tokens of the old ones stay good until they end."""
    done = _with_identity(config, data_dir, lambda auth: auth.signing_keys.rotate())
    facts = {
        "kid": done.kid,
        "algorithm": done.algorithm,
        "signs_from": _moment(done.signs_from),
        "old_verify_until": _moment(done.old_verify_until),
    }
    if as_json:
        print(msgspec.json.encode(facts).decode())
        return
    print(f"new signing key {done.kid} ({done.algorithm}), published now; it signs from {facts['signs_from']}")
    print(f"tokens of the old keys stay good until they end, at {facts['old_verify_until']} at the latest")


def _with_identity(file: Path | None, data_dir: Path | None, work: Callable[[Auth], Awaitable[_Answer]]) -> _Answer:
    """Do `work` with the identity services on the node's database."""
    config = load_config(file, node__data_dir=data_dir).config
    from orama.node.assembly import operator_identity

    async def go() -> _Answer:
        async with operator_identity(config) as auth:
            return await work(auth)

    return asyncio.run(go())


def _expiry_ms(text: str | None) -> int | None:
    """Unix milliseconds of a duration from now, or of a moment."""
    if text is None:
        return None
    try:
        return int((datetime.now(UTC).timestamp() + parse_duration_s(text)) * 1000)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(
            f"cannot read --expires {text!r}: write a duration (720h) or a moment (2027-01-31T00:00:00Z)"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds")


def _public(record: KeyRecord) -> dict[str, str | None]:
    def moment(ms: int | None) -> str | None:
        return None if ms is None else _moment(ms / 1000)

    return {
        "id": record.id,
        "name": record.name,
        "scopes": " ".join(sorted(record.scopes)),
        "wallet": record.wallet,
        "created_at": moment(record.created_at),
        "expires_at": moment(record.expires_at),
        "revoked_at": moment(record.revoked_at),
    }
