"""Linking: several wallets act for one account.

The account asks for a challenge that names it, the other wallet signs that, and the account presents it: both agree. As
a wallet opens everything that the account has, this wants a sign-in that is not old, so that whoever finds a token or a
refresh token cannot make himself at home.
"""

from __future__ import annotations

from typing import Final

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.api_key import PREFIX
from orama.domain.audit import LOCAL, Action, Provenance
from orama.domain.identity import Principal
from orama.domain.namespace import PLATFORM
from orama.domain.purpose import LINK, Use, link_statement
from orama.domain.sign_in_message import parse_message
from orama.domain.sql import Result, Statement, Value
from orama.domain.timestamp import to_ms
from orama.domain.wallet import parse_wallet
from orama.errors import Conflict, NotFound, PermissionDenied, Precondition, Unauthenticated, Unavailable
from orama.services.auth.account import Accounts, AccountWallet
from orama.services.auth.audit import AuditLog
from orama.services.auth.challenge import Challenge, Challenges, verification_failed
from orama.services.auth.decision import Decisions
from orama.services.auth.settings import AuthSettings
from orama.services.auth.sign_in import SignedChallenge, parse_signer
from orama.services.idempotency.attempt import Attempt, carry_out_unseen, once

_ATTEMPTS: Final = 3

_COUNT: Final = "(SELECT count(*) FROM account_wallets WHERE account = ?)"
_FRESH: Final = (
    "EXISTS (SELECT 1 FROM families WHERE id = ? AND wallet = ? AND revoked_at IS NULL AND expires_at > ? "
    "AND created_at > ?)"
)
_FREE: Final = (
    "(EXISTS (SELECT 1 FROM account_wallets WHERE wallet = ? AND account IS NULL) "
    "OR NOT (EXISTS (SELECT 1 FROM members WHERE wallet = ?) "
    "OR EXISTS (SELECT 1 FROM account_wallets WHERE account = ?)))"
)
"""A wallet that was unlinked from the account that is called by it, or that is alone and has nothing."""


class Linking:
    """Links wallets to accounts and unlinks them. The caller is always a wallet with its own access token."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: AuthSettings,
        *,
        accounts: Accounts,
        challenges: Challenges,
        decisions: Decisions,
        audit: AuditLog,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._accounts = accounts
        self._challenges = challenges
        self._decisions = decisions
        self._audit = audit

    async def wallets(self, caller: Principal) -> list[AccountWallet]:
        """The wallets of the caller's account.

        Raises:
            PermissionDenied: the caller is no wallet.
        """
        return await self._accounts.wallets(_account(caller))

    async def challenge(
        self,
        caller: Principal | None,
        wallet: str,
        *,
        origin: str | None,
        client: str,
        attempt: Attempt | None = None,
    ) -> Challenge:
        """A text by which `wallet` agrees to act for the caller's account; see `SignIn.challenge`.

        Raises:
            Unauthenticated: there is no caller.
            PermissionDenied: the caller is no wallet.
            InvalidArgument: the wallet is malformed.
            RateLimited: as for every challenge.
        """
        if caller is None:
            raise Unauthenticated(
                "a challenge to link a wallet is for an account: send its access token", reason="missing_credential"
            )
        statement = link_statement(_account(caller))
        return await self._challenges.create(
            parse_wallet(wallet),
            caller.namespace,
            LINK,
            statement=statement,
            origin=origin,
            client=client,
            attempt=attempt,
        )

    async def link(
        self,
        caller: Principal,
        signed: SignedChallenge,
        provenance: Provenance = LOCAL,
        *,
        attempt: Attempt | None = None,
    ) -> list[AccountWallet]:
        """Let the wallet that signed act for the caller's account; returns the wallets that now do.

        Raises:
            Unauthenticated: the signature or the challenge does not count, or the caller's sign-in is old (reason
                ``sign_in_again``).
            PermissionDenied: the caller is no wallet.
            Conflict: the wallet acts for an account already, has memberships of its own, or the account has as many
                wallets as it may.
        """
        await once(attempt, bool, lambda: self._link(caller, signed, provenance, attempt))
        return await self._accounts.wallets(_account(caller))

    async def _link(
        self, caller: Principal, signed: SignedChallenge, provenance: Provenance, attempt: Attempt | None
    ) -> bool:
        account, wallet = _account(caller), parse_signer(signed)
        record = self._audit.entry_everywhere(account, Action.WALLET_LINK, wallet.subject, provenance=provenance)
        for _ in range(_ATTEMPTS):
            consume = await self._challenges.prove(signed.text, signed.signature, wallet, caller.namespace, Use.LINK)
            if parse_message(signed.text).statement != link_statement(account):
                raise verification_failed("challenge_for_another_use")
            await self._check_fresh(caller)
            await self._accounts.check_linkable(wallet.subject, account, self._settings.max_wallets_per_account)
            now = to_ms(self._clock.now())
            begin = Statement(
                "INSERT INTO account_wallets (wallet, account, linked_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (account, account, now),
            )
            link = Statement(
                "INSERT INTO account_wallets (wallet, account, linked_at) SELECT ?, ?, ? "
                f"WHERE {_COUNT} < ? AND {_FREE} AND {_FRESH} "
                "ON CONFLICT (wallet) DO UPDATE SET account = excluded.account, linked_at = excluded.linked_at "
                "WHERE account_wallets.account IS NULL",
                (
                    *(wallet.subject, account, now),
                    *(account, self._settings.max_wallets_per_account),
                    *(wallet.subject, wallet.subject, wallet.subject),
                    *self._fresh(caller),
                ),
                expect_rows=1,
            )
            try:
                await carry_out_unseen(self._database, [consume, begin, link, record], attempt)
            except Precondition:
                continue  # The world changed between reading and writing: look again.
            return True
        raise _busy()

    async def unlink(
        self,
        caller: Principal,
        wallet: str,
        provenance: Provenance = LOCAL,
        *,
        revoke_keys: bool,
        attempt: Attempt | None = None,
    ) -> list[AccountWallet]:
        """Let `wallet` no longer act for the caller's account, and end the sign-ins that it made.

        Args:
            caller: who asks.
            wallet: one of the account's, as people write it.
            provenance: for the audit log.
            revoke_keys: end all lasting API keys of the account, too, as a thief may have made some.
            attempt: the key of the request, if it has one.

        Returns:
            The wallets that are left.

        Raises:
            Unauthenticated: the caller's sign-in is old (reason ``sign_in_again``).
            PermissionDenied: the caller is no wallet.
            NotFound: the wallet is not one of the account's.
            Conflict: it is the last one (reason ``last_wallet``).
        """
        subject = parse_wallet(wallet).subject
        record = self._audit.entry_everywhere(
            *(_account(caller), Action.WALLET_UNLINK, subject),
            provenance=provenance,
            details={"revoke_keys": revoke_keys},
        )

        async def unlink_now() -> bool:
            return await self._unlink(caller, subject, record, revoke_keys=revoke_keys, attempt=attempt)

        await once(attempt, bool, unlink_now)
        return await self._accounts.wallets(_account(caller))

    async def _unlink(
        self, caller: Principal, subject: str, record: Statement, *, revoke_keys: bool, attempt: Attempt | None
    ) -> bool:
        account = _account(caller)
        for _ in range(_ATTEMPTS):
            await self._check_fresh(caller)
            mine = await self._accounts.wallets(account)
            if subject not in {one.wallet for one in mine}:
                raise NotFound(f"{subject} is no wallet of this account", reason="unknown_wallet")
            if len(mine) == 1:
                raise Conflict("this is the account's last wallet: link another one first", reason="last_wallet")
            try:
                batch = self._unlinking(caller, account, subject, revoke_keys=revoke_keys)
                results = await carry_out_unseen(self._database, [*batch, record], attempt)
            except Precondition:
                continue
            _, families, keys, *_ = (_ids(result) for result in results)
            self._decisions.forget(families=families, key_ids=keys)
            return True
        raise _busy()

    def _unlinking(self, caller: Principal, account: str, wallet: str, *, revoke_keys: bool) -> list[Statement]:
        now = to_ms(self._clock.now())
        return [
            Statement(
                "UPDATE account_wallets SET account = NULL "  # noqa: S608
                f"WHERE wallet = ? AND account = ? AND {_COUNT} > 1 AND {_FRESH}",
                (wallet, account, account, *self._fresh(caller)),
                expect_rows=1,
            ),
            Statement(
                "UPDATE families SET revoked_at = ? WHERE wallet = ? AND coalesce(signer, wallet) = ? "
                "AND revoked_at IS NULL RETURNING id",
                (now, account, wallet),
            ),
            Statement(
                "UPDATE api_keys SET revoked_at = ? WHERE ? AND wallet = ? AND family IS NULL "
                "AND revoked_at IS NULL RETURNING id",
                (now, int(revoke_keys), account),
            ),
            # Without a row a wallet is an account of its own again, unless others act for the one called by it.
            Statement(
                "DELETE FROM account_wallets WHERE wallet = ? AND account IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM account_wallets WHERE account = ?)",
                (wallet, wallet),
            ),
            Statement(
                f"DELETE FROM account_wallets WHERE wallet = ? AND account = ? AND {_COUNT} = 1",  # noqa: S608
                (account, account, account),
            ),
        ]

    def _fresh(self, caller: Principal) -> tuple[Value, ...]:
        """The arguments of `_FRESH`."""
        now = to_ms(self._clock.now())
        return caller.family, caller.subject, now, now - self._settings.link_sign_in_s * 1000

    async def _check_fresh(self, caller: Principal) -> None:
        ((fresh,),) = (await self._database.query(PLATFORM, Statement(f"SELECT {_FRESH}", self._fresh(caller)))).rows
        if not fresh:
            raise Unauthenticated(
                f"this sign-in is older than {self._settings.link_sign_in_s} s: sign in again with a wallet of the "
                "account, then change its wallets",
                reason="sign_in_again",
            )


def _account(caller: Principal) -> str:
    if caller.subject.startswith(PREFIX):
        raise PermissionDenied(
            "only a wallet may see or change the wallets of its account: send the access token of its sign-in",
            reason="wallet_required",
        )
    return caller.subject


def _ids(result: Result) -> set[str]:
    return {str(row[0]) for row in result.rows.rows} if result.rows else set()


def _busy() -> Unavailable:
    return Unavailable("the account is being changed elsewhere; try again", retry_after_s=1)
