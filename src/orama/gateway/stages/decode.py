"""From bytes to the operation's request struct: parsed here once, trusted from here on."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from orama.errors import InvalidArgument
from orama.gateway.kernel.call import Call

# Possessive, and an unterminated string ends with the text: the time is linear in the body, whatever it holds.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_MAX_QUERY_FIELDS: Final = 100


class Decode:
    """Decodes the body of POST and PUT, the query of the others, and the path's parameters.

    Args:
        max_json_depth: how deep objects and arrays may nest.
    """

    def __init__(self, max_json_depth: int) -> None:
        self._max_depth = max_json_depth

    def __call__(self, call: Call) -> None:
        """Set `call.arguments` if the operation takes any.

        Raises:
            InvalidArgument: malformed JSON or UTF-8, a field of the wrong type or missing, nesting too deep. The
                message has the path of the field.
        """
        route = call.route
        request = route.operation.request
        if request is None:
            return
        if route.decoder is None:
            call.arguments = _from_text(request, call)
            return
        body = call.request.body
        if not body and route.operation.body_optional:
            body = b"{}"
        if body.count(b"{") + body.count(b"[") > self._max_depth:
            self._check_depth(body)
        try:
            arguments: msgspec.Struct = route.decoder.decode(body)
        except msgspec.ValidationError as cause:
            raise InvalidArgument(f"invalid body: {cause}", reason="invalid_body") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
            raise InvalidArgument(f"invalid json body: {_public_text(cause)}", reason="invalid_json") from None
        if call.path_values:  # The path wins: it is what the request was authorised and logged by.
            arguments = msgspec.structs.replace(arguments, **call.path_values)
        call.arguments = arguments

    def _check_depth(self, body: bytes) -> None:
        depth = 0
        for mark in _STRINGS.sub(b"", body):
            if mark in b"{[":
                depth += 1
                if depth > self._max_depth:
                    raise InvalidArgument(
                        f"invalid json body: nested deeper than {self._max_depth} levels", reason="json_too_deep"
                    )
            elif mark in b"}]":
                depth -= 1


def _from_text(request: type[msgspec.Struct], call: Call) -> msgspec.Struct:
    try:
        pairs = parse_qsl(call.request.query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS, errors="strict")
    except ValueError as cause:
        raise InvalidArgument(
            f"invalid query: not UTF-8, or more than {_MAX_QUERY_FIELDS} fields", reason="invalid_query"
        ) from cause
    values: dict[str, Any] = dict(pairs)
    values.update(call.path_values or {})
    try:
        return msgspec.convert(values, request, strict=False)
    except msgspec.ValidationError as cause:
        raise InvalidArgument(f"invalid query: {cause}", reason="invalid_query") from None


def _public_text(cause: Exception) -> str:
    return "too deep" if isinstance(cause, RecursionError) else str(cause)
