"""From the credentials of a request to the caller."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Final

import msgspec

from orama.domain.api_key import PREFIX, key_subject, parse_api_key
from orama.domain.identity import Method, Principal
from orama.domain.namespace import Namespace
from orama.domain.role import ROLE_SCOPES
from orama.domain.scope import ALL_SCOPES
from orama.errors import Unauthenticated
from orama.services.auth.access_token import AccessTokens, Claims
from orama.services.auth.api_key import ApiKeys
from orama.services.auth.decision import Accepted, Decision, Decisions, Refused
from orama.services.auth.family import Families
from orama.services.auth.key_use import KeyUses
from orama.services.auth.settings import AuthSettings

_JWT_DOTS: Final = 2

_INVALID_KEY: Final = Refused("invalid API key", "invalid_api_key")
_INVALID_TOKEN: Final = Refused("invalid or expired token", "invalid_token")


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """The credentials that a request carries, unchecked."""

    jwt: str | None = None
    api_key: str | None = None


def credentials_in(headers: Mapping[str, str]) -> Credentials:
    """Find the credentials in headers (names in lower case): ``X-API-Key``, then the forms of ``Authorization``."""
    api_key = headers.get("x-api-key", "").strip() or None
    if "authorization" not in headers:
        return Credentials(None, api_key)
    authorization = headers["authorization"].strip()
    scheme, _, value = authorization.partition(" ")
    if not value:
        bare = authorization if authorization.count(".") != _JWT_DOTS else ""
        return Credentials(None, api_key or bare or None)
    value, scheme = value.strip(), scheme.lower()
    if scheme == "bearer" and value.count(".") == _JWT_DOTS:
        return Credentials(value, api_key)
    return Credentials(None, api_key or (value if scheme in {"bearer", "apikey"} else None))


def credentials_of(text: str) -> Credentials:
    """The one credential that `text` is, as it stands in a URL: a token has exactly two dots, a key none."""
    return Credentials(jwt=text) if text.count(".") == _JWT_DOTS else Credentials(api_key=text)


class Authenticator:
    """Checks credentials; what was decided is remembered for `AuthSettings.decision_s` (see `Decisions`)."""

    def __init__(
        self,
        decisions: Decisions,
        access_tokens: AccessTokens,
        api_keys: ApiKeys,
        families: Families,
        key_uses: KeyUses,
        settings: AuthSettings,
    ) -> None:
        self._decisions = decisions
        self._access_tokens = access_tokens
        self._api_keys = api_keys
        self._families = families
        self._key_uses = key_uses
        self._settings = settings

    def recall(self, credentials: Credentials) -> Principal | None:
        """Who calls, if one credential was sent and is remembered as good; None says nothing, then `authenticate`."""
        token, key = credentials.jwt, credentials.api_key
        if token is None:
            return self._decisions.recall(key) if key is not None and key.startswith(PREFIX) else None
        return self._decisions.recall(token) if key is None else None

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Who calls; None if there is no credential. A warm call does no I/O.

        Of a token and a key for one namespace the rights add up. For different ones the token decides, and
        `Principal.disregarded` names the key's. A token that does not hold leaves the decision to the key.

        Raises:
            Unauthenticated: no credential holds (reasons ``invalid_api_key``, ``invalid_token``).
            Unavailable: it cannot be checked now.
        """
        token, key = credentials.jwt, credentials.api_key
        if token is None:
            return None if key is None else await self._holder(key)
        try:
            caller = await self._decisions.of(token, self._decide_token)
        except Unauthenticated:
            if key is None:
                raise
            return await self._holder(key)
        return caller if key is None else await self._joined(caller, key)

    def _holder(self, key: str) -> Awaitable[Principal]:
        """Whose key it is. A token in a key's place must not meet what was remembered of it as a token."""
        if not key.startswith(PREFIX):
            raise Unauthenticated(_INVALID_KEY.text, reason=_INVALID_KEY.reason)
        return self._decisions.of(key, self._decide_key)

    async def _joined(self, caller: Principal, key: str) -> Principal:
        parsed = parse_api_key(key)
        if parsed is None:
            return caller
        if parsed.namespace != caller.namespace:
            return msgspec.structs.replace(caller, disregarded=parsed.namespace)
        if caller.scopes.issuperset(ALL_SCOPES):
            return caller  # A key could add nothing.
        try:
            holder = await self._holder(key)
        except Unauthenticated:
            return caller
        return msgspec.structs.replace(caller, scopes=caller.scopes | holder.scopes, joined_key_id=holder.key_id)

    async def _decide_key(self, text: str) -> Decision:
        key = parse_api_key(text)
        record = key and await self._api_keys.authenticate(key)
        if record is None:
            return _INVALID_KEY
        self._key_uses.note(record)
        principal = Principal(
            Method.API_KEY,
            key_subject(record.id),
            record.namespace,
            record.effective_scopes,
            key_id=record.id,
            family=record.family,
            wallet=record.wallet,
        )
        return Accepted(principal, float("inf") if record.expires_at is None else record.expires_at / 1000)

    async def _decide_token(self, text: str) -> Decision:
        try:
            claims = await self._access_tokens.verify(text)
        except Unauthenticated as refusal:
            return Refused(refusal.text, "invalid_token")
        key_id = claims.sub.removeprefix(PREFIX) if claims.sub.startswith(PREFIX) else None
        standing = await self._wallets(claims) if key_id is None else await self._keys(claims, key_id)
        if standing is None:
            return _INVALID_TOKEN
        wallet, scopes = standing
        principal = Principal(
            Method.JWT,
            claims.sub,
            Namespace(claims.namespace),
            scopes,
            key_id=key_id,
            family=claims.sid,
            issued_at=claims.iat,
            expires_at=claims.exp,
            wallet=wallet,
        )
        return Accepted(principal, claims.exp + self._settings.clock_skew_s)

    async def _wallets(self, claims: Claims) -> tuple[str, frozenset[str]] | None:
        """The wallet, with the scopes of its role, while the sign-in lives that the token came from."""
        living = claims.sid and await self._families.find(claims.sid)
        if not living or (living.family.wallet, living.family.namespace) != (claims.sub, claims.namespace):
            return None
        return claims.sub, ROLE_SCOPES[living.role]

    async def _keys(self, claims: Claims, key_id: str) -> tuple[str | None, frozenset[str]] | None:
        """Whose the key is that the token came from, with its scopes, while it is good."""
        record = await self._api_keys.find(key_id)
        if record is None or (record.namespace, record.family) != (claims.namespace, claims.sid):
            return None
        self._key_uses.note(record)
        return record.wallet, record.effective_scopes
