"""The OpenAPI 3.1 document, generated from the operations: what it says is what the gateway does."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from orama.errors import Code
from orama.gateway.kernel.operation import CREDENTIAL, PUBLIC, Operation, RouteClass
from orama.wire.field import REQUIRED
from orama.wire.problem import Problem

_REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")

# What any request can meet on its way, before its handler.
_ALWAYS: Final = (Code.INVALID_ARGUMENT, Code.INTERNAL, Code.DEADLINE)
_WITH_BODY: Final = (Code.TOO_LARGE,)
_WITH_KEY: Final = (Code.CONFLICT, Code.UNAVAILABLE, Code.STORAGE_FULL)
_WITH_CREDENTIAL: Final = (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.UNAVAILABLE)

_IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names this request, say by a UUID: sent again with the same key, it takes effect once, and is "
    "answered as the first time.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def openapi_document(operations: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """The document as JSON values."""
    table = list(operations)
    kinds: list[Any] = [Problem]
    for one in table:
        kinds.extend(_alternatives(one.response))
        if one.request is not None:
            kinds.append(one.request)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    for component in components.values():
        _state_required(component)
    schema_of = {repr(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for one in table:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schema_of, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orama",
            "version": version,
            "summary": "SQL, cache, storage, pub/sub, functions and wallet sign-in behind one gateway.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer", "description": "A JWT or an API key."},
            },
        },
    }


def _state_required(schema: Any) -> None:
    """Move the mark of required fields to where JSON Schema states it; their defaults mean nothing to a caller."""
    if isinstance(schema, list):
        for part in typing.cast("list[Any]", schema):
            _state_required(part)
    elif isinstance(schema, dict):
        one = typing.cast("dict[str, Any]", schema)
        for name, field in one.get("properties", {}).items():
            if field.pop(REQUIRED, False):
                field.pop("default", None)
                one["required"].append(name)
        one.pop(REQUIRED, None)
        for part in one.values():
            _state_required(part)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """The members of a union, which msgspec encodes but does not describe if two are objects."""
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def _operation(one: Operation, schema_of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    alternatives = [schema_of[repr(kind)] for kind in _alternatives(one.response)]
    schema = alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
    document: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.group],
        "summary": one.summary,
        "responses": _responses(one, schema),
        "security": [] if one.scope == PUBLIC else [{"apiKey": []}, {"bearer": []}],
        "x-scope": one.scope,
    }
    if one.description:
        document["description"] = one.description
    if one.any_method:
        document["x-any-method"] = True
    names = _PARAMETER.findall(one.path)
    if one.idempotency is not None:
        document["parameters"] = [_IDEMPOTENCY_KEY]
    if one.request is None:
        return document
    parameters = _parameters(components[one.request.__name__], names)
    if one.method in ("POST", "PUT", "PATCH"):
        document["requestBody"] = {
            "required": not one.body_optional,
            "content": {"application/json": {"schema": _body_schema(one, names, schema_of, components)}},
        }
        parameters = [parameter for parameter in parameters if parameter["in"] == "path"]
    if parameters:
        document.setdefault("parameters", []).extend(parameters)
    return document


def _body_schema(
    one: Operation, in_path: list[str], schema_of: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    """The request without the fields that stand in the path."""
    assert one.request is not None
    if not in_path:
        return schema_of[repr(one.request)]
    schema = components[one.request.__name__]
    fields = {name: field for name, field in schema["properties"].items() if name not in in_path}
    return {**schema, "properties": fields, "required": [name for name in schema["required"] if name in fields]}


def _parameters(schema: dict[str, Any], in_path: list[str]) -> list[dict[str, Any]]:
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path or name in required,
            "schema": field,
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _responses(one: Operation, schema: Any) -> dict[str, Any]:
    codes = dict.fromkeys((*one.errors, *_ALWAYS))
    if one.method in ("POST", "PUT", "PATCH"):
        codes.update(dict.fromkeys(_WITH_BODY))
    if one.scope != PUBLIC:
        codes.update(dict.fromkeys(_WITH_CREDENTIAL))
    if one.scope == CREDENTIAL and Code.PERMISSION_DENIED not in one.errors:
        del codes[Code.PERMISSION_DENIED]
    if one.route_class is not RouteClass.SYSTEM:
        codes[Code.RATE_LIMITED] = None
    headers: dict[str, Any] = {
        "X-Request-ID": {"schema": {"type": "string"}, "description": "Finds the request in the log."}
    }
    if one.idempotency is not None:
        codes.update(dict.fromkeys(_WITH_KEY))
        headers["Idempotency-Replayed"] = {
            "schema": {"const": "true"},
            "description": "There if the request took effect before; the reply is the first one's.",
        }
    problem = {"application/json": {"schema": {"$ref": _REF.format(name="Problem")}}}
    responses: dict[str, Any] = {
        str(one.status): {
            "description": HTTPStatus(one.status).phrase,
            "content": {one.media_type: {"schema": schema}},
            "headers": headers,
        }
    }
    if one.websocket:
        upgrade = HTTPStatus.UPGRADE_REQUIRED
        responses[str(upgrade.value)] = {"description": upgrade.phrase, "content": problem}
    for code in sorted(codes, key=lambda code: code.http_status):
        responses[str(code.http_status)] = {"description": code.label, "content": problem}
    return responses
