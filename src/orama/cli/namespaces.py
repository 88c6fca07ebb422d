"""`orama admin namespaces`: what the operator does to namespaces and their members."""

from __future__ import annotations

from typing import Annotated, Final, cast, get_args

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from orama.cli.identity import NamespaceName, moment, with_identity
from orama.cli.options import AsJson, ConfigFile, DataDir
from orama.domain.namespace import parse_namespace
from orama.domain.role import Role
from orama.domain.wallet import parse_wallet
from orama.errors import InvalidArgument
from orama.services.auth.assembly import Auth
from orama.services.auth.namespace import NamespaceRecord

app = typer.Typer(no_args_is_help=True, help="Namespaces and who is in them.")

_PAGE: Final = 1_000
_ROLES: Final = get_args(Role)

WalletAddress = Annotated[str, typer.Argument(metavar="WALLET", help="An Ethereum or Solana address.")]


@app.command("list")
def list_namespaces(config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all namespaces with the number of their members and owners."""

    async def work(auth: Auth) -> list[NamespaceRecord]:
        found = page = await auth.namespaces.page(limit=_PAGE)
        while len(page) == _PAGE:
            page = await auth.namespaces.page(limit=_PAGE, after=page[-1].name)
            found = [*found, *page]
        return found

    records = with_identity(config, data_dir, work)
    if as_json:
        print(msgspec.json.encode([_public(record) for record in records]).decode())
        return
    table = Table("name", "kind", "members", "owners", "created")
    for record in records:
        table.add_row(*(str(value) for value in _public(record).values()))
    Console().print(table)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The namespace's name.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Make a namespace that no wallet can claim. Until one is granted it, it has no owner."""
    place = parse_namespace(name)
    with_identity(config, data_dir, lambda auth: auth.namespaces.create(place))
    print(f"created {place}")


@app.command("grant")
def grant(
    wallet: WalletAddress,
    namespace: NamespaceName,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(_ROLES)}.")] = "owner",
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Make a wallet a member in a role, whatever it was before. Nodes that are running know within five seconds."""
    place, subject = parse_namespace(namespace), parse_wallet(wallet).subject
    if role not in _ROLES:
        raise InvalidArgument(f"unknown role {role!r}: use one of {', '.join(_ROLES)}", reason="unknown_role")
    given = cast("Role", role)
    with_identity(config, data_dir, lambda auth: auth.namespaces.grant(place, subject, given))
    print(f"{subject} is now {role} of {place}")


@app.command("withdraw")
def withdraw(
    wallet: WalletAddress, namespace: NamespaceName, config: ConfigFile = None, data_dir: DataDir = None
) -> None:
    """End a membership with all of its tokens and keys. Nodes that are running refuse them within five seconds."""
    place, subject = parse_namespace(namespace), parse_wallet(wallet).subject
    with_identity(config, data_dir, lambda auth: auth.namespaces.withdraw(place, subject))
    print(f"{subject} is no member of {place} any more")


def _public(record: NamespaceRecord) -> dict[str, str | int]:
    return {
        "name": record.name,
        "kind": record.kind,
        "members": record.members,
        "owners": record.owners,
        "created_at": moment(record.created_at / 1000),
    }
