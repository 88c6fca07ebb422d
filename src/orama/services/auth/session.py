"""Sessions: what becomes of credentials after sign-in."""

from __future__ import annotations

import msgspec

from orama.domain.api_key import key_subject, parse_api_key
from orama.domain.audit import LOCAL, Action, Provenance
from orama.domain.identity import Method, Principal
from orama.domain.namespace import Namespace
from orama.errors import InvalidArgument, PermissionDenied, Unauthenticated
from orama.services.auth.access_token import AccessTokens, IssuedToken
from orama.services.auth.api_key import ApiKeys
from orama.services.auth.family import Families, invalid_refresh_token


class Refreshed(msgspec.Struct, frozen=True):
    """A new access token; the refresh token is None if none was presented."""

    access_token: IssuedToken
    refresh_token: str | None
    subject: str
    namespace: Namespace


class Sessions:
    """Refresh, logout, and an access token for an API key."""

    def __init__(self, families: Families, api_keys: ApiKeys, access_tokens: AccessTokens) -> None:
        self._families = families
        self._api_keys = api_keys
        self._access_tokens = access_tokens

    async def refresh(
        self, refresh_token: str, namespace: Namespace | None, provenance: Provenance = LOCAL
    ) -> Refreshed:
        """Exchange a refresh token for a new pair; `namespace`, if given, must be the token's.

        Raises:
            Unauthenticated: the token does not hold.
        """
        rotated = await self._families.rotate(refresh_token, namespace, provenance)
        family = rotated.family
        token = await self._access_tokens.issue(family.wallet, family.namespace, family.id)
        return Refreshed(token, rotated.refresh_token, family.wallet, family.namespace)

    async def renew(self, caller: Principal) -> Refreshed:
        """A new access token for a valid one, as long as its family lives: for clients that keep no refresh token.

        Raises:
            Unauthenticated: `caller` came without an access token of a family, or the family has ended.
        """
        living = await self._families.find(caller.family) if caller.family and caller.method is Method.JWT else None
        if living is None:
            raise invalid_refresh_token()
        token = await self._access_tokens.issue(caller.subject, caller.namespace, living.family.id)
        return Refreshed(token, None, caller.subject, caller.namespace)

    async def exchange(self, api_key: str | None) -> tuple[IssuedToken, Namespace]:
        """An access token for an API key: its subject is ``ak_<id>``, and it dies with the key.

        Raises:
            Unauthenticated: there is no key, or it does not hold.
        """
        if api_key is None:
            raise Unauthenticated("missing API key", reason="missing_credential")
        key = parse_api_key(api_key)
        record = key and await self._api_keys.authenticate(key)
        if record is None:
            raise Unauthenticated("invalid API key", reason="invalid_api_key")
        token = await self._access_tokens.issue(key_subject(record.id), record.namespace, record.family)
        return token, record.namespace

    async def logout(
        self,
        caller: Principal | None,
        *,
        refresh_token: str,
        namespace: Namespace | None,
        everywhere: bool,
        provenance: Provenance = LOCAL,
    ) -> None:
        """End one family, that of the refresh token or of the caller, or all of the caller's in a namespace.

        Nothing to end is no failure for a caller who is known. Lasting API keys stay.

        Raises:
            Unauthenticated: `everywhere` without an access token.
            PermissionDenied: `namespace` is not that of the access token.
            InvalidArgument: there is neither a refresh token nor a caller.
        """
        if refresh_token:
            await self._families.revoke_of_token(refresh_token, provenance)
            return
        if everywhere:
            if caller is None or caller.method is not Method.JWT:
                raise Unauthenticated("jwt required for all=true", reason="jwt_required")
            if namespace not in {None, caller.namespace}:
                raise PermissionDenied(
                    f"this token is for the namespace {caller.namespace!r}", reason="foreign_namespace"
                )
            await self._families.revoke_all(caller.subject, caller.namespace, provenance)
        elif caller is None:
            raise InvalidArgument("nothing to revoke: send a refresh_token or a credential", reason="nothing_to_revoke")
        if caller.family is not None:
            await self._families.revoke(caller.family, Action.SESSION_LOGOUT, provenance)
