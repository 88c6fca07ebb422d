"""Which operation a request is for."""

from __future__ import annotations

from orama.errors import InvalidArgument
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.route import Router


class Routing:
    """Finds the route. From here on `call.route` is the operation's, or one that refuses.

    Args:
        router: all routes.
        allowed_hosts: names the ``Host`` header may carry, in lower case without port; empty admits all.
    """

    def __init__(self, router: Router, allowed_hosts: tuple[str, ...] = ()) -> None:
        self._match = router.match
        self._hosts = frozenset(host.lower() for host in allowed_hosts)

    def __call__(self, call: Call) -> None:
        """Set `call.route` and the values of its path's parameters."""
        request = call.request
        if self._hosts and _host_name(request.headers.get("host", "")) not in self._hosts:
            raise InvalidArgument("this node does not serve that host", reason="misdirected", http_status=421)
        call.route, call.path_values = self._match(request.method, request.path)


def _host_name(host: str) -> str:
    """The name without its port; an IPv6 address keeps its brackets."""
    name, colon, port = host.rpartition(":")
    return (name if colon and (port.isdigit() or not port) else host).lower()
