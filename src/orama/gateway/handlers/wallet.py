"""``/v1/auth/wallets``: several wallets that act for one account."""

from __future__ import annotations

from typing import Final

import msgspec

from orama.domain.timestamp import rfc3339
from orama.domain.wallet import parse_wallet
from orama.errors import Code, InvalidArgument
from orama.gateway.handlers.auth import signed_challenge
from orama.gateway.handlers.edge import provenance
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.operation import WALLET, Idempotency, RouteClass, operation
from orama.services.auth.account import AccountWallet
from orama.services.auth.assembly import Auth
from orama.wire import auth as wire

_ERRORS: Final = (Code.INVALID_ARGUMENT, Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.CONFLICT, Code.UNAVAILABLE)


class WalletHandlers:
    """The wallets of the caller's own account. An API key is no wallet and may not ask."""

    def __init__(self, auth: Auth) -> None:
        self._linking = auth.linking

    @operation(
        "GET",
        "/v1/auth/wallets",
        scope=WALLET,
        route_class=RouteClass.READ,
        errors=(Code.PERMISSION_DENIED, Code.UNAVAILABLE),
    )
    async def list(self, call: Call) -> wire.AccountWallets:
        """The wallets that act for the caller's account."""
        return _answer(call, await self._linking.wallets(call.caller))

    @operation(
        "POST",
        "/v1/auth/wallets/link",
        scope=WALLET,
        route_class=RouteClass.SIGN_IN,
        errors=_ERRORS,
        idempotency=Idempotency.ATOMIC,
    )
    async def link(self, call: Call, request: wire.SignedNonce) -> wire.AccountWallets:
        """Let another wallet act for the caller's account, by a challenge of purpose `link` that it signed.

        From then on it signs in as the account. It must have no memberships of its own, and the caller's sign-in must
        not be old.
        """
        return _answer(
            call,
            await self._linking.link(call.caller, signed_challenge(request), provenance(call), attempt=call.attempt),
        )

    @operation(
        "POST",
        "/v1/auth/wallets/unlink",
        scope=WALLET,
        route_class=RouteClass.SIGN_IN,
        errors=(*_ERRORS, Code.NOT_FOUND),
        idempotency=Idempotency.ATOMIC,
    )
    async def unlink(self, call: Call, request: wire.UnlinkWallet) -> wire.AccountWallets:
        """Let a wallet no longer act for the caller's account, and end the sign-ins that it made.

        The account keeps its name and all that it has, whichever wallet goes; the last one cannot.
        """
        if not request.wallet.strip():
            raise InvalidArgument("wallet is required", reason="missing_field")
        left = await self._linking.unlink(
            call.caller, request.wallet, provenance(call), revoke_keys=request.revoke_keys, attempt=call.attempt
        )
        return _answer(call, left)


def _answer(call: Call, wallets: list[AccountWallet]) -> wire.AccountWallets:
    described = [
        wire.LinkedWallet(
            one.wallet,
            parse_wallet(one.wallet).chain.value,
            msgspec.UNSET if one.linked_at is None else rfc3339(one.linked_at),
        )
        for one in wallets
    ]
    return wire.AccountWallets(call.caller.subject, described, len(described))
