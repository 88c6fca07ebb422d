"""Operations as data: what the gateway offers, in one form that routes, OpenAPI and access tests are made from."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import Any, Final, TypeVar

import msgspec

from orama.errors import Code

PUBLIC: Final = "public"
"""The scope of operations that anybody may call. A credential, if sent, is still read; a bad one is ignored."""

CREDENTIAL: Final = "credential"
"""The scope of operations that any valid credential may call."""

WALLET: Final = "wallet"
"""The scope of operations that a wallet does for itself: any access token of a sign-in may call, no API key."""

Handler = Callable[..., Awaitable[Any]]
_F = TypeVar("_F", bound=Handler)


class RouteClass(Enum):
    """What a call costs, for the rate limiter: each class has limits of its own."""

    SYSTEM = "system"
    """Answers from memory; never limited, so that health checks always pass."""
    SIGN_IN = "sign_in"
    """Anonymous and costly: signatures, nonces, refresh tokens."""
    READ = "read"
    WRITE = "write"


class Idempotency(Enum):
    """How an operation keeps to an ``Idempotency-Key``."""

    ATOMIC = "atomic"
    """The handler passes `Call.attempt` on, and the key is stored in the transaction of the effect: exactly one."""
    RECORDED = "recorded"
    """The key is stored before the handler runs: at most one effect; after a crash nobody knows whether there was one.
    """


class Operation(msgspec.Struct, frozen=True):
    """One thing the gateway can do.

    `name` is ``group.verb`` (``cache.get``), stable, and the name of the metric label. `path` may hold ``{name}``
    segments. `scope` is `PUBLIC`, `CREDENTIAL`, `WALLET` or a scope that the credential must cover. `request` is
    decoded from the JSON body of POST and PUT, and from the query of GET and DELETE; segments of the path fill fields
    of the same name. `response` is the type of a successful reply's body, `media_type` its form. `any_method`:
    existing clients may use any method; documented is `method` alone. `body_optional`: an empty body is the same as
    ``{}``. `idempotency`: None if repeating the operation does no harm. `websocket`: the path is one;
    `response` is then what is said there. `url_credentials`: browsers call it where they cannot set headers, so a
    credential may stand in the query. `per_resource`: a grant for one resource (``pubsub:publish:news``) is enough to
    reach the service, which holds the resource at hand against it. `streaming`: served by way of ASGI,
    as those must be whose request or reply is a stream. `accepts`: the handler reads the body itself, as it comes
    (`Request.stream`); its media types, each with what it holds.
    Fields are only ever appended.
    """

    name: str
    method: str
    path: str
    scope: str
    request: type[msgspec.Struct] | None
    response: Any
    errors: tuple[Code, ...]
    summary: str
    description: str
    status: int = 200
    streaming: bool = False
    route_class: RouteClass = RouteClass.READ
    any_method: bool = False
    body_optional: bool = False
    max_body_bytes: int | None = None
    handler: Handler | None = None
    media_type: str = "application/json"
    idempotency: Idempotency | None = None
    websocket: bool = False
    url_credentials: bool = False
    per_resource: bool = False
    accepts: tuple[tuple[str, Any], ...] = ()

    @property
    def group(self) -> str:
        """The first part of the name."""
        return self.name.partition(".")[0]


def operation(
    method: str,
    path: str,
    *,
    scope: str,
    route_class: RouteClass,
    errors: tuple[Code, ...] = (),
    status: int = 200,
    any_method: bool = False,
    body_optional: bool = False,
    max_body_bytes: int | None = None,
    also: tuple[str, ...] = (),
    streaming: bool = False,
    media_type: str = "application/json",
    response: Any = None,
    idempotency: Idempotency | None = None,
    websocket: bool = False,
    url_credentials: bool = False,
    per_resource: bool = False,
    accepts: tuple[tuple[str, Any], ...] = (),
) -> Callable[[_F], _F]:
    """Declare the method below as an operation; `also` lists further paths that existing clients use.

    Request, response, summary and description come from the method's annotations and docstring; `response` says what
    the body of a finished `Reply` is.
    """

    def mark(handler: _F) -> _F:
        handler.__dict__["__operation__"] = {
            "method": method,
            "paths": (path, *also),
            "scope": scope,
            "route_class": route_class,
            "errors": errors,
            "status": status,
            "any_method": any_method,
            "body_optional": body_optional,
            "max_body_bytes": max_body_bytes,
            "streaming": streaming,
            "media_type": media_type,
            "response": response,
            "idempotency": idempotency,
            "websocket": websocket,
            "url_credentials": url_credentials,
            "per_resource": per_resource,
            "accepts": accepts,
        }
        return handler

    return mark


def operations_of(group: str, handlers: object) -> list[Operation]:
    """The operations that the class (or an instance, then bound to it) of handlers declares, in source order."""
    owner = handlers if inspect.isclass(handlers) else type(handlers)
    found: list[Operation] = []
    for verb, function in vars(owner).items():
        declared = getattr(function, "__operation__", None)
        if declared is None:
            continue
        hints = typing.get_type_hints(function)
        returned = hints.pop("return")
        request = next((kind for kind in hints.values() if issubclass(kind, msgspec.Struct)), None)
        summary, _, description = (inspect.getdoc(function) or "").partition("\n")
        if not summary:
            raise TypeError(f"operation {group}.{verb} has no docstring to take its summary from")
        facts = {key: value for key, value in declared.items() if key not in ("paths", "response")}
        found.extend(
            Operation(
                name=f"{group}.{verb}" if number == 0 else f"{group}.{verb}.{number}",
                path=path,
                request=request,
                response=declared["response"] or returned,
                summary=summary,
                description=description.partition("Raises:")[0].strip(),
                handler=None if handlers is owner else getattr(handlers, verb),
                **facts,
            )
            for number, path in enumerate(declared["paths"])
        )
    return found


def check_unique(operations: Iterable[Operation]) -> None:
    """Refuse two operations of one name or one method and path: a fault of the program, found at start."""
    seen: set[tuple[str, ...]] = set()
    for one in operations:
        for identity in ((one.name,), (one.method, one.path)):
            if identity in seen:
                raise ValueError(f"declared twice: {' '.join(identity)}")
            seen.add(identity)
