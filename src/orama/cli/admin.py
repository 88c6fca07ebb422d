"""`orama admin`: the operator's way in, directly on the node's database, while the node runs or not."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from orama.cli import namespaces
from orama.cli.identity import NamespaceName, moment, with_identity
from orama.cli.options import AsJson, ConfigFile, DataDir
from orama.domain.duration import parse_duration_s
from orama.domain.namespace import parse_namespace
from orama.domain.scope import ALL_SCOPES
from orama.errors import Conflict, InvalidArgument
from orama.services.auth.assembly import Auth
from orama.services.auth.key_record import KeyRecord

app = typer.Typer(no_args_is_help=True, help="The operator's commands.")
keys = typer.Typer(no_args_is_help=True, help="API keys, and the keys that sign access tokens.")
app.add_typer(keys, name="keys")
app.add_typer(namespaces.app, name="namespaces")


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

    key = with_identity(config, data_dir, work)
    print(msgspec.json.encode({"api_key": key}).decode() if as_json else key)


@keys.command("list")
def list_keys(
    namespace: NamespaceName, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """List the keys of a namespace, without their secrets."""
    place = parse_namespace(namespace)
    records = with_identity(config, data_dir, lambda auth: auth.api_keys.list(place))
    if as_json:
        print(msgspec.json.encode([_public(record) for record in records]).decode())
        return
    table = Table("id", "name", "scopes", "wallet", "created", "expires", "revoked", "last used")
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
    with_identity(config, data_dir, lambda auth: auth.api_keys.revoke(place, key_id.removeprefix("ak_")))
    print(f"revoked {key_id}")


@keys.command("rotate-signing")
def rotate_signing(config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Sign access tokens with a new key from soon on; tokens of the old ones stay good until they end."""
    done = with_identity(config, data_dir, lambda auth: auth.signing_keys.rotate())
    facts = {
        "kid": done.kid,
        "algorithm": done.algorithm,
        "signs_from": moment(done.signs_from),
        "old_verify_until": moment(done.old_verify_until),
    }
    if as_json:
        print(msgspec.json.encode(facts).decode())
        return
    print(f"new signing key {done.kid} ({done.algorithm}), published now; it signs from {facts['signs_from']}")
    print(f"tokens of the old keys stay good until they end, at {facts['old_verify_until']} at the latest")


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


def _public(record: KeyRecord) -> dict[str, str | None]:
    def when(ms: int | None) -> str | None:
        return None if ms is None else moment(ms / 1000)

    return {
        "id": record.id,
        "name": record.name,
        "scopes": " ".join(sorted(record.scopes)),
        "wallet": record.wallet,
        "created_at": when(record.created_at),
        "expires_at": when(record.expires_at),
        "revoked_at": when(record.revoked_at),
        "last_used_at": when(record.last_used_at),
    }
