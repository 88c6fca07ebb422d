"""What a connection that lasts owes to the rules that requests keep one by one."""

from __future__ import annotations

from orama.gateway.kernel.call import Call
from orama.gateway.kernel.client_address import address_group
from orama.gateway.kernel.operation import RouteClass
from orama.services.auth.watch import CredentialWatch, Lost, Watched
from orama.services.limiter import RateLimiter


class Admission:
    """The caller of a long connection, its rate limits and the life of its credential."""

    def __init__(self, call: Call, limiter: RateLimiter, watch: CredentialWatch) -> None:
        self.caller = call.caller
        """Whose connection it is."""
        self._credentials = call.credentials
        self._address = address_group(call.request.client)
        self._credential = self.caller.key_id or self.caller.subject
        self._limiter = limiter
        self._watch = watch

    def admit(self) -> None:
        """Count something that the client sent, as a request that writes.

        Raises:
            RateLimited: too soon.
        """
        self._limiter.check(
            RouteClass.WRITE.value,
            address=self._address,
            namespace=self.caller.namespace,
            credential=self._credential,
        )

    def hold(self, lost: Lost) -> Watched:
        """Have `lost` called when the caller's credential does not hold any more."""
        assert self._credentials is not None
        return self._watch.watch(self._credentials, self.caller, lost)
