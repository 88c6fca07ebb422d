"""From a method and a path to the operation that answers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from orama.errors import InvalidArgument, MethodNotAllowed, NotFound
from orama.gateway.kernel.message import Reply
from orama.gateway.kernel.operation import PUBLIC, Handler, Operation, RouteClass, check_unique

_MAX_BODY_BYTES = 1024 * 1024

_ANY: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""What "any method" means. TRACE and CONNECT mean something else (RFC 9110 §9.3.6, §9.3.8), and nobody sends others."""


class Route:
    """An operation bound to its handler, with everything computed that a request would else compute again.

    `quiet`: its successes are of no interest to the log above level debug.
    """

    __slots__ = ("decoder", "from_body", "handler", "max_body_bytes", "name", "operation", "public", "quiet", "scope")

    def __init__(self, operation: Operation, handler: Handler, max_body_bytes: int = _MAX_BODY_BYTES) -> None:
        self.operation = operation
        self.name = operation.name
        self.handler = handler
        self.scope = operation.scope
        self.public = operation.scope == PUBLIC
        self.quiet = operation.route_class is RouteClass.SYSTEM
        self.from_body = operation.method in ("POST", "PUT", "PATCH")
        self.max_body_bytes = max_body_bytes if operation.max_body_bytes is None else operation.max_body_bytes
        self.decoder: msgspec.json.Decoder[Any] | None = None
        if operation.request is not None and self.from_body:
            self.decoder = msgspec.json.Decoder(operation.request)


def _refusing(
    name: str, error: type[NotFound | MethodNotAllowed], text: str, details: dict[str, Any] | None = None
) -> Route:
    async def refuse(_call: object) -> Reply:
        raise error(text, details=details)

    return Route(
        Operation(
            name=name,
            method="*",
            path="*",
            scope=PUBLIC,
            request=None,
            response=Reply,
            errors=(error.code,),
            summary=text,
            description="",
            route_class=RouteClass.READ,
        ),
        refuse,
    )


def _preflight() -> Route:
    async def answer(_call: object) -> Reply:
        return Reply(204, b"", headers=[])

    operation = Operation(
        name="cors.preflight",
        method="OPTIONS",
        path="*",
        scope=PUBLIC,
        request=None,
        response=Reply,
        errors=(),
        summary="Answer a browser's preflight",
        description="",
        route_class=RouteClass.SYSTEM,
    )
    return Route(operation, answer)


class _Segment:
    """One step of a path with parameters: literal names first, else the one parameter that may stand here."""

    def __init__(self) -> None:
        self.literal: dict[str, _Segment] = {}
        self.parameter: tuple[str, _Segment] | None = None
        self.methods: dict[str, Route] = {}


class Router:
    """All routes: fixed paths by one look-up, the rest segment by segment.

    Whatever the request, the answer is a route: unknown paths and methods have routes whose handlers refuse, so that
    they too are logged, counted and limited like any call.
    """

    def __init__(self, operations: Iterable[Operation], *, max_body_bytes: int = _MAX_BODY_BYTES) -> None:
        table = list(operations)
        check_unique(table)
        self.preflight = _preflight()
        self.unknown = _refusing("unknown", NotFound, "no such path")
        self._fixed: dict[tuple[str, str], Route] = {}
        self._methods: dict[str, list[str]] = {}
        self._any: dict[str, Route] = {}
        self._tree = _Segment()
        for operation in table:
            if operation.handler is None:
                raise TypeError(f"operation {operation.name} has no handler")
            self._add(operation, Route(operation, operation.handler, max_body_bytes))

    def _add(self, operation: Operation, route: Route) -> None:
        methods = (operation.method, "HEAD") if operation.method == "GET" else (operation.method,)
        if "{" not in operation.path:
            for method in methods:
                self._fixed[method, operation.path] = route
            self._methods.setdefault(operation.path, []).extend(methods)
            if operation.any_method:
                self._any[operation.path] = route
            return
        here = self._tree
        for part in operation.path.split("/")[1:]:
            if part.startswith("{"):
                if here.parameter is None:
                    here.parameter = (part[1:-1], _Segment())
                here = here.parameter[1]
            else:
                here = here.literal.setdefault(part, _Segment())
        for method in methods:
            here.methods[method] = route

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str] | None]:
        """The route for a path as sent, with the decoded values of its parameters.

        Raises:
            InvalidArgument: a parameter is not UTF-8 once decoded, or holds a NUL.
        """
        route = self._fixed.get((method, path))
        if route is not None:
            return route, None
        if method == "OPTIONS":
            return self.preflight, None
        if path in self._methods:
            takes_any = self._any.get(path) if method in _ANY else None
            return takes_any or _not_allowed(self._methods[path]), None
        values: dict[str, str] = {}
        here = self._tree
        for part in path.split("/")[1:]:
            deeper = here.literal.get(part)
            if deeper is None:
                if here.parameter is None or not part:
                    return self.unknown, None
                name, deeper = here.parameter
                values[name] = _decode_segment(part)
            here = deeper
        if not here.methods:
            return self.unknown, None
        return here.methods.get(method) or _not_allowed(list(here.methods)), values


def _not_allowed(methods: list[str]) -> Route:
    allow = list(dict.fromkeys([*methods, "OPTIONS"]))
    text = f"method not allowed: use {', '.join(allow)}"
    # RFC 9110 §15.5.6: the header is a must.
    return _refusing("method_not_allowed", MethodNotAllowed, text, {"allow": allow})


def _decode_segment(segment: str) -> str:
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as cause:
        raise InvalidArgument("the path is not UTF-8 after percent-decoding") from cause
    if "\0" in text:
        raise InvalidArgument("the path holds a NUL character")
    return text
