"""Accounts: which wallets act for which subject.

A wallet is an account of its own until it is linked to another; then it signs in as that one, and everything after
sign-in (members, keys, tokens) knows the account alone.
"""

from __future__ import annotations

from typing import Final

import msgspec

from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM
from orama.domain.sql import Consistency, Statement
from orama.errors import Conflict, PermissionDenied

_MAX_TOLD: Final = 10
"""Namespaces that a refusal names."""

_IS_OF: Final = (
    "(EXISTS (SELECT 1 FROM account_wallets WHERE wallet = ? AND account = ?) "
    "OR (? = ? AND NOT EXISTS (SELECT 1 FROM account_wallets WHERE wallet = ?)))"
)


class AccountWallet(msgspec.Struct, frozen=True):
    """A wallet (a subject) of an account, and since when, in unix milliseconds; None for one that is alone."""

    wallet: str
    linked_at: int | None


class Accounts:
    """Reads which wallet is whose."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, wallet: str) -> str:
        """The account that `wallet` acts for. Both are subjects.

        Raises:
            PermissionDenied: it was unlinked from the account that is called by it (reason ``wallet_unlinked``).
        """
        find = Statement("SELECT account FROM account_wallets WHERE wallet = ?", (wallet,))
        rows = (await self._database.query(PLATFORM, find, consistency=Consistency.LINEARIZABLE)).rows
        if not rows:
            return wallet
        if rows[0][0] is None:
            raise PermissionDenied(
                "this wallet was unlinked from its account: sign in with another wallet of the account and link it "
                "again, or link it to another account",
                reason="wallet_unlinked",
            )
        return str(rows[0][0])

    async def wallets(self, account: str) -> list[AccountWallet]:
        """The wallets that act for `account`, in the order in which they were linked; at least one."""
        find = Statement(
            "SELECT wallet, linked_at FROM account_wallets WHERE account = ? "
            "ORDER BY linked_at, wallet <> account, wallet",
            (account,),
        )
        rows = (await self._database.query(PLATFORM, find, consistency=Consistency.LINEARIZABLE)).rows
        return msgspec.convert(
            [dict(zip(AccountWallet.__struct_fields__, row, strict=True)) for row in rows], list[AccountWallet]
        ) or [AccountWallet(account, None)]

    async def check_linkable(self, wallet: str, account: str, max_wallets: int) -> None:
        """Say what stands against linking `wallet` to `account`; what is true in the end is decided as it is linked.

        Raises:
            Conflict: it acts for an account already, has memberships of its own, or the account has `max_wallets`.
        """
        mine = {one.wallet for one in await self.wallets(account)}
        if wallet in mine:
            raise Conflict("this wallet is linked to this account already", reason="already_linked")
        if len(mine) >= max_wallets:
            raise Conflict(
                f"this account has {len(mine)} wallets, which is the most: unlink one first", reason="too_many_wallets"
            )
        find = Statement("SELECT account FROM account_wallets WHERE wallet = ?", (wallet,))
        rows = (await self._database.query(PLATFORM, find)).rows
        if rows and rows[0][0] is None:
            return
        if rows:
            raise Conflict(
                "this wallet acts for an account with other wallets: sign in with it and unlink it there first",
                reason="linked_elsewhere",
            )
        find = Statement(
            f"SELECT namespace FROM members WHERE wallet = ? ORDER BY namespace LIMIT {_MAX_TOLD}",  # noqa: S608
            (wallet,),
        )
        namespaces = [str(namespace) for (namespace,) in (await self._database.query(PLATFORM, find)).rows]
        if namespaces:
            raise Conflict(
                f"this wallet is itself a member of {', '.join(namespaces)}: sign in with it and leave or transfer "
                "what it has first, as it would no longer reach it",
                reason="wallet_has_memberships",
                details={"namespaces": namespaces},
            )

    def while_of(self, statement: Statement, wallet: str, account: str) -> Statement:
        """`statement`, which ends in its WHERE, for the case only that `wallet` still acts for `account`."""
        arguments = (*statement.args, wallet, account, wallet, account, wallet)
        return msgspec.structs.replace(statement, sql=f"{statement.sql} AND {_IS_OF}", args=arguments)
