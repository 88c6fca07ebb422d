"""One gateway over HTTP: JSON there and back, within bounds, and its errors as our own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from orama.client.failure import failure_answered, failure_on_the_way
from orama.client.settings import ClientSettings
from orama.errors import BadBackend, InvalidArgument, OramaError, TooLarge

_T = TypeVar("_T")
_JITTER: Final = 0.25


class Transport:
    """Sends requests to one gateway. Nothing is read from the environment, and no redirect is followed.

    Common to `read` and `write`:

    Raises:
        OramaError: what the gateway answered, as the class that it raised; `request_id` names it in the gateway's log.
        Unavailable: the gateway cannot be reached (reason ``gateway_unreachable``: nothing was sent), or did not answer
            a request that only reads (``connection_lost``).
        Deadline: it did not answer a request that writes, which may or may not have happened (``outcome_unknown``).
        BadBackend: the answer is not what was announced.
        TooLarge: it passes `ClientSettings.max_reply_bytes`.

    Args:
        url: where the gateway is, such as ``https://api.example.org``.
        api_key: who calls; None for nobody.
        settings: bounds on time and size.
        sleep: how to wait between attempts.
        over: what carries the requests; by default connections of its own.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        settings: ClientSettings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        over: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = _checked_url(url)
        self._settings = settings
        self._sleep = sleep
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if api_key is not None:
            headers["x-api-key"] = _checked_key(api_key)
        self._http = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(
                settings.timeout_s, connect=settings.connect_timeout_s, pool=settings.connect_timeout_s
            ),
            limits=httpx2.Limits(max_connections=settings.max_connections),
            transport=over,
            trust_env=False,
        )

    async def read(self, method: str, path: str, reply_type: type[_T], request: msgspec.Struct | None = None) -> _T:
        """Send a request that only reads; again if the gateway was away or busy.

        Raises:
            OramaError: see above, after the last attempt.
        """
        settings = self._settings
        for attempt in range(1, settings.read_attempts + 1):
            try:
                return await self._exchange(method, path, reply_type, request, writes=False)
            except OramaError as error:
                delay_s = max(settings.retry_delay_s * 2 ** (attempt - 1), error.retry_after_s or 0)
                if attempt == settings.read_attempts or not error.code.retryable:
                    raise
                if delay_s > settings.max_retry_delay_s:
                    raise
                await self._sleep(delay_s * random.uniform(1, 1 + _JITTER))  # noqa: S311 (so that clients spread)
        raise InvalidArgument("read_attempts must be at least 1", reason="client_settings")

    async def write(self, method: str, path: str, reply_type: type[_T], request: msgspec.Struct | None = None) -> _T:
        """Send a request that writes, once.

        Raises:
            OramaError: see above.
        """
        return await self._exchange(method, path, reply_type, request, writes=True)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    async def _exchange(
        self, method: str, path: str, reply_type: type[_T], request: msgspec.Struct | None, *, writes: bool
    ) -> _T:
        url = f"{self._url}{path}"
        content, headers = None, {}
        if request is not None:
            content, headers = msgspec.json.encode(request), {"content-type": "application/json"}
        try:
            async with (
                asyncio.timeout(self._settings.connect_timeout_s + self._settings.timeout_s),
                self._http.stream(method, url, content=content, headers=headers) as reply,
            ):
                body = await self._body(reply)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise failure_on_the_way(error, self._url, may_have_written=writes) from error
        if reply.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise failure_answered(reply.status_code, reply.headers, body, self._url)
        try:
            return msgspec.json.decode(body, type=reply_type)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadBackend(
                f"{self._url} answered {path} not as an Orama gateway does: is the address right?", reason="no_gateway"
            ) from error

    async def _body(self, reply: httpx2.Response) -> bytes:
        body = bytearray()
        async for chunk in reply.aiter_bytes():
            body += chunk
            if len(body) > self._settings.max_reply_bytes:
                raise TooLarge(
                    f"the reply of {self._url} passes {self._settings.max_reply_bytes} bytes (max_reply_bytes)",
                    reason="reply_too_large",
                    details={"limit": self._settings.max_reply_bytes},
                )
        return bytes(body)


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    else:
        sound = sound and not (parts.username or parts.password or parts.query or parts.fragment)
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidArgument("a gateway's address looks like http://127.0.0.1:6001", reason="client_url")
    return url.rstrip("/")


def _checked_key(api_key: str) -> str:
    if not api_key.isascii() or not api_key.isprintable() or not api_key.strip():
        raise InvalidArgument("an API key looks like ak_…:namespace", reason="client_key")
    return api_key.strip()
