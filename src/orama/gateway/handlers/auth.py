"""``/v1/auth``: sign-in, tokens and who is calling."""

from __future__ import annotations

from typing import Final

import msgspec

from orama.domain.api_key import PREFIX
from orama.domain.identity import Method
from orama.domain.namespace import Namespace, parse_namespace
from orama.domain.purpose import LINK
from orama.domain.timestamp import rfc3339
from orama.domain.wallet import Chain
from orama.errors import Code, InvalidArgument, Unauthenticated
from orama.gateway.handlers.edge import provenance
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.client_address import address_group
from orama.gateway.kernel.message import Reply
from orama.gateway.kernel.operation import CREDENTIAL, PUBLIC, Idempotency, RouteClass, operation
from orama.services.auth.assembly import Auth
from orama.services.auth.authenticator import credentials_in
from orama.services.auth.sign_in import SignedChallenge
from orama.wire import auth as wire

_ALWAYS: Final = (Code.INVALID_ARGUMENT, Code.UNAVAILABLE)
_TOKEN_ERRORS: Final = (*_ALWAYS, Code.UNAUTHENTICATED)
_SIGNATURE_ERRORS: Final = (*_TOKEN_ERRORS, Code.PERMISSION_DENIED, Code.CONFLICT)


class AuthHandlers:
    """Sign-in with a wallet and what becomes of it."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._key_set: tuple[list[dict[str, str]] | None, bytes] = (None, b"")

    @operation(
        "POST",
        "/v1/auth/challenge",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=(*_TOKEN_ERRORS, Code.PERMISSION_DENIED, Code.RATE_LIMITED),
        idempotency=Idempotency.ATOMIC,
    )
    async def challenge(self, call: Call, request: wire.RequestChallenge) -> wire.Challenge:
        """Ask for a text to sign.

        Sign `nonce` exactly as it is (Ethereum: EIP-191, `personal_sign`; Solana: Ed25519, `signMessage`). It is good
        once, for five minutes, for this wallet, namespace and purpose. With purpose `link` it is for linking the wallet
        to the account whose access token was sent.
        """
        if not request.wallet.strip():
            raise InvalidArgument("wallet is required", reason="missing_field")
        origin, client = call.request.headers.get("origin"), address_group(call.request.client)
        if request.purpose == LINK:
            challenge = await self._auth.linking.challenge(
                call.principal, request.wallet, origin=origin, client=client, attempt=call.attempt
            )
        else:
            challenge = await self._auth.sign_in.challenge(
                request.wallet,
                request.namespace,
                request.purpose,
                origin=origin,
                client=client,
                attempt=call.attempt,
            )
        return wire.Challenge(
            wallet=request.wallet,
            namespace=request.namespace,
            nonce=challenge.text,
            purpose=request.purpose,
            expires_at=rfc3339(challenge.expires_at),
        )

    @operation(
        "POST",
        "/v1/auth/verify",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=_SIGNATURE_ERRORS,
        idempotency=Idempotency.ATOMIC,
    )
    async def verify(self, call: Call, request: wire.PresentSignature) -> wire.SignedIn:
        """Sign in with a signed challenge.

        The first wallet to sign in for a namespace claims it. The API key belongs to this sign-in and ends with it.
        """
        signed_in = await self._auth.sign_in.verify(signed_challenge(request), provenance(call), attempt=call.attempt)
        return wire.SignedIn(
            access_token=signed_in.access_token.text,
            token=signed_in.access_token.text,
            jwt_token=signed_in.access_token.text,
            expires_in=signed_in.access_token.expires_in,
            refresh_token=signed_in.refresh_token,
            subject=request.wallet,
            namespace=request.namespace,
            api_key=signed_in.api_key.text,
            nonce=request.nonce,
        )

    @operation(
        "POST",
        "/v1/auth/api-key",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=_SIGNATURE_ERRORS,
        idempotency=Idempotency.ATOMIC,
    )
    async def api_key(self, call: Call, request: wire.CreateApiKey) -> wire.ApiKeyCreated:
        """Make an API key that lasts until it is revoked, for a signed challenge.

        Its secret is shown this once.
        """
        made = await self._auth.sign_in.create_api_key(
            signed_challenge(request), provenance(call), attempt=call.attempt
        )
        return wire.ApiKeyCreated(
            made.key.text, made.key.namespace, request.plan.strip() or "free", made.wallet.address
        )

    @operation(
        "POST",
        "/v1/auth/simple-key",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=(*_ALWAYS, Code.PERMISSION_DENIED, Code.CONFLICT),
        idempotency=Idempotency.ATOMIC,
    )
    async def simple_key(self, call: Call, request: wire.CreateSimpleKey) -> wire.SimpleKeyCreated:
        """Make an API key without a signature: on development nodes only, for a namespace that nobody has."""
        if not request.wallet.strip():
            raise InvalidArgument("wallet is required", reason="missing_field")
        made = await self._auth.sign_in.create_unclaimed_key(
            request.wallet, request.namespace, provenance(call), attempt=call.attempt
        )
        return wire.SimpleKeyCreated(
            made.key.text, made.key.namespace, made.wallet.address, created=rfc3339(made.created_at)
        )

    @operation(
        "POST",
        "/v1/auth/register",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=_SIGNATURE_ERRORS,
        status=201,
        idempotency=Idempotency.ATOMIC,
    )
    async def register(self, call: Call, request: wire.RegisterApp) -> wire.AppRegistered:
        """Register an application with a signed challenge."""
        app = await self._auth.sign_in.register(
            signed_challenge(request), request.name, provenance(call), attempt=call.attempt
        )
        wallet = request.wallet.strip()
        echo = wallet.lower() if app.wallet.chain is Chain.ETHEREUM else wallet
        return wire.AppRegistered(app.id, wire.App(app.id, app.name, app.namespace, echo))

    @operation("POST", "/v1/auth/token", scope=CREDENTIAL, route_class=RouteClass.SIGN_IN, errors=_TOKEN_ERRORS)
    async def token(self, call: Call) -> wire.AccessToken:
        """Exchange an API key for an access token, which dies with the key."""
        token, namespace = await self._auth.sessions.exchange(credentials_in(call.request.headers).api_key)
        return wire.AccessToken(access_token=token.text, expires_in=token.expires_in, namespace=namespace)

    @operation(
        "POST",
        "/v1/auth/refresh",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=_TOKEN_ERRORS,
        body_optional=True,
    )
    async def refresh(self, call: Call, request: wire.Refresh) -> wire.Refreshed:
        """Exchange a refresh token for new tokens; each is good once.

        For ten seconds a token that was used gives the same successor again; after that its reuse ends the sign-in.
        Without a body, an access token that is still good gives a new one while its sign-in lives.
        """
        if request.refresh_token:
            refreshed = await self._auth.sessions.refresh(
                request.refresh_token, _optional(request.namespace), provenance(call)
            )
        elif call.principal is not None:
            refreshed = await self._auth.sessions.renew(call.principal)
        elif credentials_in(call.request.headers).jwt is not None:
            # Public operations disregard a credential that does not hold; here it was all there was.
            raise Unauthenticated("invalid or expired refresh token", reason="invalid_token")
        else:
            raise InvalidArgument("refresh_token is required", reason="missing_field")
        return wire.Refreshed(
            access_token=refreshed.access_token.text,
            token=refreshed.access_token.text,
            jwt_token=refreshed.access_token.text,
            expires_in=refreshed.access_token.expires_in,
            refresh_token=refreshed.refresh_token or msgspec.UNSET,
            subject=refreshed.subject,
            namespace=refreshed.namespace,
        )

    @operation(
        "POST",
        "/v1/auth/logout",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=(*_TOKEN_ERRORS, Code.PERMISSION_DENIED),
        body_optional=True,
    )
    async def logout(self, call: Call, request: wire.Logout) -> wire.LoggedOut:
        """End a sign-in with its tokens and its API key, or with `all` every one of the caller's in the namespace."""
        await self._auth.sessions.logout(
            call.principal,
            refresh_token=request.refresh_token,
            namespace=_optional(request.namespace),
            everywhere=request.all,
            provenance=provenance(call),
        )
        return wire.LoggedOut()

    @operation("GET", "/v1/auth/whoami", scope=CREDENTIAL, route_class=RouteClass.READ, any_method=True)
    async def whoami(self, call: Call) -> wire.Identity:
        """Who the credential stands for. A secret is never shown again."""
        caller = call.caller
        if caller.method is Method.API_KEY:
            return wire.Identity(
                method="api_key",
                namespace=caller.namespace,
                api_key=caller.subject,
                scopes=sorted(caller.scopes),
            )
        issued_at, expires_at = caller.issued_at or msgspec.UNSET, caller.expires_at or msgspec.UNSET
        return wire.Identity(
            method="jwt",
            namespace=caller.namespace,
            subject=caller.subject,
            address=msgspec.UNSET if caller.subject.startswith(PREFIX) else caller.subject,
            issuer=self._auth.settings.issuer,
            audience=self._auth.settings.audience,
            issued_at=issued_at,
            not_before=issued_at,
            expires_at=expires_at,
            scopes=sorted(caller.scopes),
        )

    @operation(
        "GET",
        "/v1/auth/jwks",
        also=("/.well-known/jwks.json",),
        scope=PUBLIC,
        route_class=RouteClass.SYSTEM,
        any_method=True,
        response=wire.KeySet,
    )
    async def jwks(self, _call: Call) -> Reply:
        """The public keys of access tokens, old ones as long as their tokens may live."""
        public = await self._auth.signing_keys.published()
        if self._key_set[0] is not public:
            self._key_set = (public, msgspec.json.encode(wire.KeySet(public)))
        return Reply(200, self._key_set[1], headers=[])


def signed_challenge(request: wire.SignedNonce) -> SignedChallenge:
    """What the body of any request that presents a signature holds.

    Raises:
        InvalidArgument: one of the three fields that must be there is not.
    """
    if not (request.wallet.strip() and request.nonce and request.signature):
        raise InvalidArgument("wallet, nonce and signature are required", reason="missing_field")
    namespace = request.namespace if isinstance(request, wire.PresentSignature) else ""
    return SignedChallenge(request.wallet, request.nonce, request.signature.strip(), namespace, request.chain_type)


def _optional(namespace: str) -> Namespace | None:
    return parse_namespace(namespace) if namespace else None
