"""Whether the caller may."""

from __future__ import annotations

from functools import lru_cache

from orama.domain.scope import allows, covers
from orama.errors import PermissionDenied, Unauthenticated
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.operation import CREDENTIAL, WALLET


class Authorize:
    """Holds the operation's scope against the caller's. What is not granted is refused."""

    def __call__(self, call: Call) -> None:
        """Return if the caller may.

        Raises:
            Unauthenticated: the operation is not public and nobody was authenticated.
            PermissionDenied: the credential's scopes do not reach the operation's (reason ``scope_missing``), or no
                wallet is calling where one must (reason ``wallet_required``).
        """
        route = call.route
        if route.public:
            return
        principal = call.principal
        if principal is None:
            raise Unauthenticated("missing API key", reason="missing_credential")
        if route.scope == WALLET:
            if principal.is_wallet:
                return
            raise PermissionDenied(
                "this is for a wallet itself: send the access token of a sign-in, no API key", reason="wallet_required"
            )
        if route.scope == CREDENTIAL or _reach(principal.scopes, route.scope):
            return
        if route.operation.per_resource and _reach_some(principal.scopes, route.scope):
            return
        text = f"this credential does not have the scope {route.scope!r}"
        if principal.disregarded is not None:
            text += (
                f"; the API key sent beside the token is for another namespace ({principal.disregarded}) and was not "
                "considered: send one of the two"
            )
        raise PermissionDenied(text, reason="scope_missing")


@lru_cache(maxsize=1024)
def _reach_some(scopes: frozenset[str], wanted: str) -> bool:
    """Whether a scope is for some resource of `wanted`; for which is known to the service."""
    return any(covers(":".join(granted.split(":")[:2]), wanted) for granted in scopes)


@lru_cache(maxsize=1024)
def _reach(scopes: frozenset[str], wanted: str) -> bool:
    """Callers share few sets of scopes: the answer is computed once for each."""
    return allows(scopes, wanted)
