"""Who is calling."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final
from urllib.parse import parse_qsl

from orama.errors import Unauthenticated
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.client_address import address_group
from orama.gateway.kernel.operation import RouteClass
from orama.services.auth.authenticator import Authenticator, Credentials, credentials_in
from orama.services.limiter import RateLimiter

_NO_STORE: Final = ("cache-control", "no-store")
_IN_URL: Final = frozenset({"api_key", "token", "access_token"})


class Authenticate:
    """Sets `call.principal` from the credentials in the headers.

    On public operations a credential that does not hold is as good as none. Credentials in the URL end up in logs and
    histories, so they are refused here; WebSocket upgrades, which have no other place for them, do not pass this way.
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
        if request.query and not call.route.public and _names_a_credential(request.query):
            raise Unauthenticated(
                "credentials in the URL are accepted on WebSocket upgrades only: use the header X-API-Key or "
                "Authorization",
                reason="credential_in_url",
            )
        headers = request.headers
        if "x-api-key" not in headers and "authorization" not in headers:
            return None
        credentials = credentials_in(headers)
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


def _names_a_credential(query: str) -> bool:
    return any(name in _IN_URL for name, _ in parse_qsl(query, keep_blank_values=True))
