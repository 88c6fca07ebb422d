"""Whether now is a good time."""

from __future__ import annotations

import math

from orama.gateway.kernel.call import Call
from orama.gateway.kernel.client_address import address_group
from orama.services.limiter import RateLimiter


class RateLimit:
    """Takes a token for the credential, the namespace and the address, and tells the caller what is left."""

    def __init__(self, limiter: RateLimiter) -> None:
        self._check = limiter.check

    def __call__(self, call: Call) -> None:
        """Count the call.

        Raises:
            RateLimited: one of the buckets is empty.
        """
        principal = call.principal
        allowance = self._check(
            call.route.operation.route_class.value,
            address=address_group(call.request.client),
            namespace=None if principal is None else principal.namespace,
            credential=None if principal is None else principal.key_id or principal.subject,
        )
        if allowance is not None:
            call.headers.append(("x-ratelimit-limit", str(allowance.limit)))
            call.headers.append(("x-ratelimit-remaining", str(allowance.remaining)))
            call.headers.append(("x-ratelimit-reset", str(math.ceil(allowance.reset_s))))
