"""The depth check takes time linear in the body, whatever the body holds."""

from __future__ import annotations

import time

import msgspec
import pytest

from orama.errors import InvalidArgument
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Reply, Request
from orama.gateway.kernel.operation import PUBLIC, Operation, RouteClass
from orama.gateway.kernel.route import Route
from orama.gateway.stages.decode import Decode


class Anything(msgspec.Struct):
    value: msgspec.Raw


async def _unused(_call: object) -> Reply:
    raise AssertionError


ROUTE = Route(
    Operation("probe.any", "POST", "/any", PUBLIC, Anything, Reply, (), "Any", "", route_class=RouteClass.READ), _unused
)


def decode(body: bytes) -> Call:
    call = Call(Request("POST", "/any", "", {}, body, "", ""), 0.0, ROUTE)
    Decode(64)(call)
    return call


HOSTILE = {
    "escaped quotes without an end": b"{" * 65 + b'"' + b'\\"' * 500_000,
    "backslashes without an end": b"[" * 64 + b'"' + b"\\" * 1_000_000,
    "quotes": b"{" + b'"' * 1_000_000 + b"[" * 64,
    "open strings": b"[" * 65 + b'"a' * 500_000,
    "brackets in strings": b"[" * 64 + b'"' + b"[{" * 500_000 + b'"',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_depth_check_is_linear_when_the_body_is_hostile(name):
    body = HOSTILE[name]
    started = time.process_time()
    with pytest.raises(InvalidArgument):
        decode(body)
    # Linear takes some 20 ms; the quadratic form took minutes.
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "value",
    [b'"' + b"[" * 100 + b'"', rb'"\"' + b"{" * 100 + b'"', rb'"\\"', b"[" * 63 + b"]" * 63, rb'["\\\"", "]"]'],
)
def test_marks_in_strings_are_not_depth(value):
    body = b'{"value": ' + value + b', "other": [' + b'"{",' * 70 + b"1]}"
    assert bytes(decode(body).arguments.value) == value


def test_depth_beyond_the_limit_is_refused():
    with pytest.raises(InvalidArgument, match="nested deeper than 64"):
        decode(b'{"value": ' + b"[" * 64 + b"]" * 64 + b"}")
