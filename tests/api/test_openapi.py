"""The document is valid and says of every operation what the gateway does."""

from __future__ import annotations

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from orama.gateway.kernel.operation import PUBLIC, RouteClass

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def documented(node):
    return (await node.client.get("/v1/openapi.json")).json()


async def test_document_is_valid_openapi(node):
    OpenAPIV31SpecValidator(await documented(node)).validate()


async def test_document_and_operations_are_the_same_set(node):
    described = {
        (details["operationId"], method.upper(), path)
        for path, methods in (await documented(node))["paths"].items()
        for method, details in methods.items()
    }
    assert described == {(one.name, one.method, one.path) for one in node.node.operations}


async def test_document_states_scope_status_body_and_limits_of_each_operation(node):
    document = await documented(node)
    for one in node.node.operations:
        described = document["paths"][one.path][one.method.lower()]
        responses = described["responses"]
        assert described["x-scope"] == one.scope
        assert bool(described["security"]) is (one.scope != PUBLIC)
        assert ("401" in responses) >= (one.scope != PUBLIC)
        assert ("429" in responses) is (one.route_class is not RouteClass.SYSTEM)
        assert one.media_type in responses[str(one.status)]["content"]
        assert {str(code.http_status) for code in one.errors} <= set(responses)
        assert described.get("x-any-method", False) is one.any_method
        if one.request is not None and one.method == "POST":
            assert described["requestBody"]["required"] is not one.body_optional
        assert described["summary"].endswith(".")


async def test_no_mark_of_ours_is_left_in_the_document(node):
    assert "x-required" not in (await node.client.get("/v1/openapi.json")).text


async def test_each_path_takes_its_methods_and_refuses_others_with_allow(node):
    paths: dict[str, set[str]] = {}
    for one in node.node.operations:
        paths.setdefault(one.path, set()).update({"GET", "HEAD"} if one.method == "GET" else {one.method})
    takes_any = {one.path for one in node.node.operations if one.any_method}
    for path, own in paths.items():
        for method in (*METHODS, "TRACE", "PROPFIND"):
            reply = await node.client.request(method, path)
            if method in own or (path in takes_any and method in METHODS):
                assert reply.status_code != 405, (method, path)
                continue
            assert reply.status_code == 405, (method, path)
            assert set(reply.headers["allow"].split(", ")) == {*own, "OPTIONS"}
