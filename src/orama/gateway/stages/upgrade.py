"""Whether a path that is a WebSocket was asked for one, and by a page that may."""

from __future__ import annotations

from typing import Final

from orama.errors import InvalidArgument, PermissionDenied
from orama.gateway.kernel.call import Call
from orama.gateway.websocket.handshake import VERSION

_HOW: Final = (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-version", VERSION))


class Upgrade:
    """Refuses plain requests to WebSockets, and handshakes of foreign pages.

    Browsers send the ``Origin`` of the page with each handshake and leave the judging to the server; programs send none
    and are never refused for that. No cookies exist here, so a page can do no more than it was given a credential for.

    Args:
        origins: exact origins (``https://app.example``), or ``*`` among them for all.
    """

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)
        self._any = "*" in self._origins

    def __call__(self, call: Call) -> None:
        """Return if the operation is no WebSocket, or the handshake may go on.

        Raises:
            InvalidArgument: 426, it is no handshake.
            PermissionDenied: the page's origin may not.
        """
        if not call.route.operation.websocket:
            return
        request = call.request
        if not request.websocket:
            call.headers.extend(_HOW)  # RFC 9110 §15.5.22 demands it
            raise InvalidArgument(
                f"this path is a WebSocket: connect to it by the ws scheme, version {VERSION}",
                reason="upgrade_required",
                http_status=426,
            )
        origin = request.headers.get("origin")
        if origin is not None and not self._any and origin not in self._origins:
            raise PermissionDenied(
                "pages of this origin may not connect: name it in server.cors_origins", reason="origin_not_allowed"
            )
