"""``/v1/auth/login``: the page for browser wallets, and what becomes of a login."""

from __future__ import annotations

from typing import Any, Final

from orama.errors import Code, InvalidArgument
from orama.gateway.handlers.auth import signed_challenge
from orama.gateway.handlers.edge import provenance
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Reply
from orama.gateway.kernel.operation import PUBLIC, Idempotency, RouteClass, operation
from orama.gateway.pages.page import Page
from orama.services.auth.assembly import Auth
from orama.services.auth.login import LoginRequest
from orama.wire import login as wire

_ALWAYS: Final = (Code.INVALID_ARGUMENT, Code.UNAVAILABLE)
_ERRORS: Final = (*_ALWAYS, Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.CONFLICT)


class LoginHandlers:
    """Sign-in for programs that have no wallet but can open a browser."""

    def __init__(self, auth: Auth) -> None:
        self._logins = auth.logins
        self._chain_id = auth.settings.chain_id
        self._page = Page("login")

    @operation(
        "GET",
        "/v1/auth/login",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=_ALWAYS,
        media_type="text/html",
        response=str,
    )
    async def page(self, _call: Call, request: wire.OpenLogin) -> Reply:
        """The page on which a browser wallet signs in for a program.

        Afterwards the browser goes to `callback`: with a one-time `code` for the program to exchange, or, for a program
        on the same computer that sent no `code_challenge`, with `api_key`, `namespace`, `wallet` and `plan`. If the
        person declines, with `error`. A `state` comes back in each case.
        """
        asked = self._request(request)
        data: dict[str, Any] = {
            "callback": asked.callback.url,
            "asker": asked.callback.asker,
            "is_loopback": asked.callback.is_loopback,
            "cancel": asked.answered(error="access_denied"),
            "namespace": asked.namespace,
            "code_challenge": request.code_challenge,
            "code_challenge_method": request.code_challenge_method,
            "state": request.state,
            "purpose": asked.purpose,
            "chain_id": self._chain_id,
        }
        return self._page.reply(data)

    @operation(
        "POST",
        "/v1/auth/login",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=_ERRORS,
        idempotency=Idempotency.ATOMIC,
    )
    async def finish(self, call: Call, request: wire.FinishLogin) -> wire.LoginFinished:
        """Finish a login with a signed challenge; for the login page.

        The challenge is one of purpose `login_page`, or `api_key_generation` where there is no `code_challenge`.
        """
        asked = self._request(request)
        redirect = await self._logins.finish(asked, signed_challenge(request), provenance(call), attempt=call.attempt)
        return wire.LoginFinished(redirect)

    @operation(
        "POST",
        "/v1/auth/login/exchange",
        scope=PUBLIC,
        route_class=RouteClass.SIGN_IN,
        errors=_ERRORS,
        idempotency=Idempotency.ATOMIC,
    )
    async def exchange(self, call: Call, request: wire.ExchangeCode) -> wire.CodeExchanged:
        """Exchange a one-time code for the credentials of a sign-in.

        A code is good once, for a minute, with the verifier of its `code_challenge` and its `callback`.
        """
        if not (request.code and request.code_verifier and request.callback):
            raise InvalidArgument("code, code_verifier and callback are required", reason="missing_field")
        login = await self._logins.exchange(
            request.code, request.code_verifier, request.callback, provenance(call), attempt=call.attempt
        )
        token = login.credentials.access_token
        return wire.CodeExchanged(
            access_token=token.text,
            token=token.text,
            jwt_token=token.text,
            expires_in=token.expires_in,
            refresh_token=login.credentials.refresh_token,
            subject=login.account,
            wallet=login.wallet.address,
            namespace=login.credentials.api_key.namespace,
            api_key=login.credentials.api_key.text,
        )

    def _request(self, request: wire.OpenLogin | wire.FinishLogin) -> LoginRequest:
        return self._logins.request(
            callback=request.callback,
            namespace=request.namespace,
            code_challenge=request.code_challenge,
            code_challenge_method=request.code_challenge_method,
            state=request.state,
        )
