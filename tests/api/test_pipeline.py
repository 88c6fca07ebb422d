"""What every operation gets from the pipeline, through both drivers alike."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import httpx2
import pytest

from orama.domain.sql import MAX_INTEGER
from orama.gateway.kernel.limits import HttpLimits
from support.kernel import running_kernel


@pytest.fixture(params=["http1", "asgi"])
def connect(request):
    """A client of a kernel, over a socket or straight through ASGI."""

    @asynccontextmanager
    async def open_client(limits=None, **options):
        async with running_kernel(limits, **options) as kernel:
            over = {} if request.param == "http1" else {"transport": httpx2.ASGITransport(kernel.asgi)}
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{kernel.port}", **over) as client:
                yield client, kernel

    return open_client


async def test_operation_answers_with_its_struct(connect):
    async with connect() as (client, kernel):
        reply = await client.post("/echo", json={"text": "grüße \u0000", "unknown": 1})
        assert (reply.status_code, reply.json()) == (200, {"text": "grüße \u0000", "number": 0})
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert kernel.seen.calls == [("probe.echo", 200, None)]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "invalid json body"),
        (b"{", "invalid json body"),
        (b"nonsense", "invalid json body"),
        (b'{"text": "a"} {}', "invalid json body"),
        (b'{"text": "\xff"}', "invalid json body"),
        (b'{"text": 1}', "Expected `str`, got `int` - at `$.text`"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `text`"),
        (b'{"text": "a", "number": "1"}', "$.number"),
        (b'{"text": "a", "number": 1.5}', "$.number"),
        (b'{"text": "a", "x": ' + b"[" * 65 + b"]" * 65 + b"}", "nested deeper than 64"),
        (b"[" * 100_000, "nested deeper than 64"),
    ],
)
async def test_bad_body_is_400_and_says_where(connect, body, text):
    async with connect() as (client, _):
        reply = await client.post("/echo", content=body)
        assert reply.status_code == 400
        assert text in reply.json()["error"]
        assert reply.json()["code"] == "INVALID_ARGUMENT"


async def test_brackets_in_strings_are_no_nesting(connect):
    async with connect() as (client, _):
        text = '[{"\\' * 200
        assert (await client.post("/echo", json={"text": text})).json()["text"] == text


async def test_body_over_the_limit_is_413(connect):
    async with connect(HttpLimits(max_body_bytes=100)) as (client, _):
        assert (await client.post("/echo", json={"text": "x" * 101})).status_code == 413
        reply = await client.post("/echo", content=(chunk for chunk in ()) if False else _chunks(b"x" * 60, b"y" * 60))
        assert (reply.status_code, reply.json()["code"]) == (413, "TOO_LARGE")


async def _chunks(*parts):
    for part in parts:
        yield part


async def test_path_and_query_fill_the_request(connect):
    async with connect() as (client, _):
        assert (await client.get("/items/a%2Fb%C3%A9/parts?limit=5")).json() == {"id": "a/bé", "limit": 5}
        assert (await client.get("/items/a/parts?limit=x")).status_code == 400
        assert (await client.get("/items/a/parts?id=b")).json()["id"] == "a", "the path wins"
        assert (await client.get("/items/%ff/parts")).status_code == 400
        assert (await client.get("/items/a%00b/parts")).status_code == 400
        assert (await client.get("/items//parts")).status_code == 404


async def test_unknown_path_is_404_and_wrong_method_405(connect):
    async with connect() as (client, kernel):
        for path in ("/nothing", "/", "//echo", "/echo/", "/items", "/items/a", "/items/a/parts/b"):
            assert (await client.get(path)).status_code == 404, path
        reply = await client.delete("/echo")
        assert (reply.status_code, reply.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert "method not allowed" in reply.json()["error"]
        assert kernel.seen.calls[-1] == ("method_not_allowed", 405, "METHOD_NOT_ALLOWED")


async def test_options_answers_a_preflight_on_any_path(connect):
    async with connect() as (client, _):
        reply = await client.options("/any/path", headers={"Origin": "https://a.example"})
        assert (reply.status_code, reply.content) == (204, b"")
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "PUT" in reply.headers["access-control-allow-methods"]
        assert "X-API-Key" in reply.headers["access-control-allow-headers"]


async def test_request_id_is_kept_when_harmless_and_made_when_not(connect):
    async with connect() as (client, _):
        kept = await client.get("/who", headers={"X-Request-ID": "abc-1.2:3"})
        assert kept.headers["x-request-id"] == "abc-1.2:3"
        first = (await client.get("/who", headers={"X-Request-ID": "a" * 129})).headers["x-request-id"]
        second = (await client.get("/who")).headers["x-request-id"]
        assert first != second
        assert len(first) < 64


async def test_error_carries_the_whole_envelope(connect):
    async with connect() as (client, kernel):
        reply = await client.get("/failing")
        assert reply.status_code == 422
        assert reply.headers["retry-after"] == "3"
        assert json.loads(reply.content) == {
            "error": "it cannot be",
            "code": "UNPROCESSABLE",
            "reason": "cannot",
            "message": "it cannot be",
            "request_id": reply.headers["x-request-id"],
            "retryable": False,
            "details": {"max": MAX_INTEGER},
        }
        assert kernel.seen.causes == []


@pytest.mark.parametrize("path", ["/fault", "/internal"])
async def test_fault_of_ours_is_hidden_from_the_caller_and_told_to_observers(connect, path):
    async with connect() as (client, kernel):
        reply = await client.get(path)
        assert (reply.status_code, reply.json()["error"]) == (500, "internal error")
        assert "secret" not in reply.text
        assert len(kernel.seen.causes) == 1
        assert "secret detail" in kernel.seen.causes[0]


async def test_foreign_host_is_421_when_hosts_are_configured(connect):
    async with connect(hosts=("api.example", "[::1]")) as (client, _):
        assert (await client.get("/who", headers={"Host": "API.example:6001"})).status_code == 200
        assert (await client.get("/who", headers={"Host": "[::1]:6001"})).status_code == 200
        assert (await client.get("/who", headers={"Host": "evil.example"})).status_code == 421
