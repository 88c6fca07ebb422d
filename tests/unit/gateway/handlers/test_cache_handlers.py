"""Bodies of ``/v1/cache`` as bytes in and bytes out."""

from __future__ import annotations

import msgspec
import pytest

from orama.backends.cache.memory import MemoryCache, MemoryCacheSettings
from orama.domain.cache import CacheLimits
from orama.domain.identity import Method, Principal
from orama.domain.namespace import Namespace
from orama.errors import Conflict, InvalidArgument, NotFound, Unauthenticated
from orama.gateway.handlers.cache import CacheHandlers
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Request
from orama.gateway.kernel.operation import CREDENTIAL, operations_of
from orama.gateway.kernel.route import Router
from orama.services.cache.service import CacheService
from orama.testing.clock import ManualClock


class Client:
    """Posts JSON to the handlers, by way of the routes' own decoders."""

    def __init__(self):
        self.clock = ManualClock()
        self.cache = MemoryCache(MemoryCacheSettings(), self.clock)
        self.operations = operations_of("cache", CacheHandlers(CacheService(self.cache, CacheLimits())))
        self._router = Router(self.operations)

    async def post(self, verb, body, *, namespace="shop"):
        route, _ = self._router.match("POST", f"/v1/cache/{verb}")
        call = Call(Request("POST", f"/v1/cache/{verb}", "", {}, body, "192.0.2.1", "192.0.2.1"), 0.0, route)
        if namespace is not None:
            call.principal = Principal(Method.API_KEY, "ak_1", Namespace(namespace), frozenset(["*"]))
        if route.decoder is None:
            return msgspec.json.encode(await route.handler(call))
        return msgspec.json.encode(await route.handler(call, route.decoder.decode(body)))


@pytest.fixture
def client():
    return Client()


@pytest.mark.parametrize("value", ['"123"', "123", "12345678901234567890123", "true", "1.50", "[]", '{"a":{"b":"ü"}}'])
async def test_value_is_json_exactly_as_sent(client, value):
    put = await client.post("put", f'{{"dmap":"d","key":"k","value": {value} ,"ttl":"30s"}}'.encode())
    assert put == b'{"key":"k","dmap":"d","status":"ok"}'
    assert await client.post("get", b'{"dmap":"d","key":"k"}') == f'{{"key":"k","value":{value},"dmap":"d"}}'.encode()


@pytest.mark.parametrize(
    "body",
    [b'{"dmap":"d","key":"k"}', b'{"dmap":"d","key":"k","value":null}', b'{"dmap":"d","key":"k","value": null }'],
)
async def test_value_that_is_missing_or_null_is_refused(client, body):
    for verb in ("put", "getput"):
        with pytest.raises(InvalidArgument, match=r"^value is required$"):
            await client.post(verb, body)


@pytest.mark.parametrize("verb", ["get", "put", "getput", "incr", "expire", "delete"])
async def test_names_are_required(client, verb):
    with pytest.raises(InvalidArgument, match=r"^dmap and key are required$"):
        await client.post(verb, b'{"key":"k","value":1}')


@pytest.mark.parametrize("ttl", ["1.5", "true", "[]", "{}"])
async def test_ttl_of_another_kind_is_malformed(client, ttl):
    with pytest.raises(msgspec.ValidationError):
        await client.post("put", f'{{"dmap":"d","key":"k","value":1,"ttl":{ttl}}}'.encode())


async def test_mget_has_hits_only_in_the_order_asked_for(client):
    assert await client.post("mget", b'{"dmap":"d","keys":["x"]}') == b'{"results":[],"dmap":"d"}'
    await client.post("put", b'{"dmap":"d","key":"a","value":"1"}')
    await client.post("put", b'{"dmap":"d","key":"b","value":[2]}')
    assert await client.post("mget", b'{"dmap":"d","keys":["b","x","a"]}') == (
        b'{"results":[{"key":"b","value":[2]},{"key":"a","value":"1"}],"dmap":"d"}'
    )


async def test_conditional_puts(client):
    with pytest.raises(NotFound):
        await client.post("put", b'{"dmap":"d","key":"k","value":1,"xx":true}')
    await client.post("put", b'{"dmap":"d","key":"k","value":1,"nx":true,"ttl":5}')
    with pytest.raises(Conflict):
        await client.post("put", b'{"dmap":"d","key":"k","value":2,"nx":true}')
    client.clock.advance(5.0)
    await client.post("put", b'{"dmap":"d","key":"k","value":3,"nx":true}')
    await client.cache.close()


async def test_getput_answers_with_what_stood_before(client):
    assert (
        await client.post("getput", b'{"dmap":"d","key":"k","value":{"a":1}}') == b'{"key":"k","value":null,"dmap":"d"}'
    )
    assert await client.post("getput", b'{"dmap":"d","key":"k","value":2}') == b'{"key":"k","value":{"a":1},"dmap":"d"}'


async def test_incr_answers_with_the_sum(client):
    assert await client.post("incr", b'{"dmap":"d","key":"n"}') == b'{"key":"n","value":1,"dmap":"d"}'
    assert await client.post("incr", b'{"dmap":"d","key":"n","delta":-3}') == b'{"key":"n","value":-2,"dmap":"d"}'
    assert await client.post("get", b'{"dmap":"d","key":"n"}') == b'{"key":"n","value":-2,"dmap":"d"}'
    with pytest.raises(msgspec.ValidationError):
        await client.post("incr", b'{"dmap":"d","key":"n","delta":9223372036854775808}')


async def test_expire_delete_and_scan(client):
    for key in (b"user-1", b"user-2", b"cart-1"):
        await client.post("put", b'{"dmap":"d","key":"%s","value":1}' % key)
    assert (
        await client.post("expire", b'{"dmap":"d","key":"user-1","ttl":"10s"}')
        == b'{"key":"user-1","dmap":"d","status":"ok"}'
    )
    assert await client.post("delete", b'{"dmap":"d","key":"cart-1"}') == b'{"key":"cart-1","dmap":"d","status":"ok"}'
    assert await client.post("delete", b'{"dmap":"d","key":"cart-1"}') == b'{"key":"cart-1","dmap":"d","status":"ok"}'
    client.clock.advance(10.0)
    assert await client.post("scan", b'{"dmap":"d","match":"^user-"}') == b'{"keys":["user-2"],"count":1,"dmap":"d"}'
    assert await client.post("scan", b'{"dmap":"empty"}') == b'{"keys":[],"count":0,"dmap":"empty"}'
    await client.cache.close()


async def test_namespace_comes_from_the_credential_alone(client):
    await client.post("put", b'{"dmap":"d","key":"k","value":1,"namespace":"bank"}', namespace="shop")
    with pytest.raises(NotFound):
        await client.post("get", b'{"dmap":"d","key":"k","namespace":"shop"}', namespace="bank")
    with pytest.raises(Unauthenticated):
        await client.post("get", b'{"dmap":"d","key":"k"}', namespace=None)


async def test_health_names_the_service_clients_look_for(client):
    assert await client.post("health", b"") == b'{"status":"ok","service":"olric"}'


def test_each_operation_has_the_scope_of_what_it_does(client):
    scopes = {one.name.partition(".")[2]: one.scope for one in client.operations}
    assert scopes == {
        "health": CREDENTIAL,
        **dict.fromkeys(["get", "mget", "scan"], "cache:read"),
        **dict.fromkeys(["put", "getput", "incr", "expire", "delete"], "cache:write"),
    }
