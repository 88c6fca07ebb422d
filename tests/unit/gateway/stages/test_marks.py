"""Correlation and CORS."""

from __future__ import annotations

import pytest

from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Request
from orama.gateway.kernel.route import Router
from orama.gateway.stages.correlation import Correlation
from orama.gateway.stages.cors import Cors


def call(method: str = "GET", **headers: str) -> Call:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(Request(method, "/", "", names, b"", "127.0.0.1", "127.0.0.1"), 0.0, Router([]).unknown)


GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("traceparent", "trace_id"),
    [
        (GOOD, "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("cc" + GOOD[2:] + "-what-the-future-will-be", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("ff" + GOOD[2:], None),
        (GOOD.upper(), None),
        (GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), None),
        (GOOD.replace("00f067aa0ba902b7", "0" * 16), None),
        (GOOD[:-1], None),
        ("", None),
    ],
)
def test_trace_id_is_taken_from_a_valid_traceparent_only(traceparent, trace_id):
    one = call(traceparent=traceparent)
    Correlation()(one)
    assert one.trace_id == trace_id


@pytest.mark.parametrize("given", ["", "a b", "a\nb", "é", "a" * 129, "<script>"])
def test_request_id_that_could_do_harm_is_replaced(given):
    one = call(x_request_id=given)
    Correlation()(one)
    assert one.request_id != given
    assert ("x-request-id", one.request_id) in one.headers


def test_listed_origins_are_told_so_and_others_are_not():
    cors = Cors(("https://app.example",))
    assert "access-control-allow-origin" not in dict(cors.constant)
    listed, other = call(origin="https://app.example"), call(origin="https://app.example.evil")
    cors(listed)
    cors(other)
    assert ("access-control-allow-origin", "https://app.example") in listed.headers
    assert "access-control-allow-origin" not in dict(other.headers)
    assert ("vary", "Origin") in listed.headers
    assert ("vary", "Origin") in other.headers


def test_any_origin_needs_no_vary():
    cors = Cors(("*",))
    one = call(origin="https://app.example")
    cors(one)
    assert dict(cors.constant)["access-control-allow-origin"] == "*"
    assert one.headers == []


def test_no_origin_is_ever_allowed_credentials():
    for origins in (("*",), ("https://app.example",)):
        cors = Cors(origins)
        preflight = call("OPTIONS", origin="https://app.example")
        cors(preflight)
        assert "access-control-allow-credentials" not in dict([*cors.constant, *preflight.headers])
