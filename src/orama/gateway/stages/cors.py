"""Cross-origin resource sharing, and the other headers that browsers heed."""

from __future__ import annotations

from typing import Final

from orama.gateway.kernel.call import Call

_ALLOW_METHODS: Final = "GET, HEAD, PUT, POST, DELETE, OPTIONS"
_ALLOW_HEADERS: Final = "Content-Type, Authorization, X-API-Key, X-Request-ID, Idempotency-Key, traceparent"
_EXPOSE: Final = (
    "X-Request-ID, X-Duration-Ms, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "Retry-After, Content-Disposition, ETag, Idempotency-Replayed"
)


class Cors:
    """Says which origins' scripts may read replies. No cookies exist here, so credentials are never allowed.

    Args:
        origins: exact origins (``https://app.example``), or ``*`` among them for all.
        max_age_s: how long a browser may keep the answer to a preflight.
    """

    def __init__(self, origins: tuple[str, ...], *, max_age_s: int = 600) -> None:
        self._origins = frozenset(origins)
        self._any = "*" in self._origins
        self.constant = [("x-content-type-options", "nosniff"), ("access-control-expose-headers", _EXPOSE)]
        """Headers for every reply whatever the request; drivers encode them once."""
        self._preflight = [
            ("access-control-allow-methods", _ALLOW_METHODS),
            ("access-control-allow-headers", _ALLOW_HEADERS),
            ("access-control-max-age", str(max_age_s)),
        ]
        if self._any:
            self.constant.append(("access-control-allow-origin", "*"))

    def __call__(self, call: Call) -> None:
        """Add what depends on the request; a refused origin gets nothing, and its browser does the rest."""
        request = call.request
        if request.method == "OPTIONS":
            call.headers.extend(self._preflight)
        if not self._any:
            call.headers.append(("vary", "Origin"))
            origin = request.headers.get("origin")
            if origin is not None and origin in self._origins:
                call.headers.append(("access-control-allow-origin", origin))
