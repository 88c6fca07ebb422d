"""Who is calling."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final
from urllib.parse import parse_qsl

from orama.errors import Unauthenticated
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.client_address import address_group
from orama.gateway.kernel.operation import RouteClass
from orama.services.auth.authenticator import Authenticator, Credentials, credentials_in, credentials_of
from orama.services.limiter import RateLimiter

_NO_STORE: Final = ("cache-control", "no-store")
_IN_URL: Final = frozenset({"api_key", "token", "access_token"})
_NONE: Final = Credentials()


class Authenticate:
    """Sets `call.principal` from the credentials in the headers.

    On public operations a credential that does not hold is as good as none. Credentials in the URL end up in logs and
    histories, so they are refused, except where browsers have no other place for them: on WebSocket upgrades and event
    streams.
    """

    def __init__(self, authenticator: Authenticator, limiter: RateLimiter) -> None:
        self._authenticator = authenticator
        self._limiter = limiter

    def __call__(self, call: Call) -> Awaitable[None] | None:
        """Find out who calls; operations of class `system` do not ask.

        Raises:
            Unauthenticated: no credential sent holds, or one stands in the URL.
            RateLimited: too many wrong credentials came from this address.
            Unavailable: it cannot be found out now.
        """
        route_class = call.route.operation.route_class
        if route_class is RouteClass.SYSTEM:
            return None
        if route_class is RouteClass.SIGN_IN:
            call.headers.append(_NO_STORE)  # secrets go out to callers that are not authenticated yet
        request = call.request
        headers = request.headers
        in_url = _NONE
        if request.query and not call.route.public and (named := _credentials_named(request.query)):
            if not call.route.operation.url_credentials:
                raise Unauthenticated(
                    "credentials in the URL are accepted on WebSocket upgrades and event streams only: use the header "
                    "X-API-Key or Authorization",
                    reason="credential_in_url",
                )
            in_url = _credentials_in_url(named)
        elif "x-api-key" not in headers and "authorization" not in headers:
            return None
        credentials = credentials_in(headers)
        if in_url != _NONE:
            credentials = Credentials(credentials.jwt or in_url.jwt, credentials.api_key or in_url.api_key)
        call.credentials = credentials
        call.principal = self._authenticator.recall(credentials)
        if call.principal is None:
            return self._authenticate(call, credentials)
        if route_class is not RouteClass.SIGN_IN:
            call.headers.append(_NO_STORE)
        return None

    async def _authenticate(self, call: Call, credentials: Credentials) -> None:
        try:
            call.principal = await self._authenticator.authenticate(credentials)
        except Unauthenticated:
            if call.route.public:
                return
            address = address_group(call.request.client)
            self._limiter.check_credential(address)
            self._limiter.count_failed_credential(address)
            raise
        if call.principal is not None and call.route.operation.route_class is not RouteClass.SIGN_IN:
            call.headers.append(_NO_STORE)


def _credentials_named(query: str) -> list[str]:
    return [value for name, value in parse_qsl(query, keep_blank_values=True) if name in _IN_URL]


def _credentials_in_url(texts: list[str]) -> Credentials:
    """The first token and the first key among `texts`, whatever they were called."""
    found = [credentials_of(text.strip()) for text in texts if text.strip()]
    jwt = next((one.jwt for one in found if one.jwt is not None), None)
    return Credentials(jwt, next((one.api_key for one in found if one.api_key is not None), None))
