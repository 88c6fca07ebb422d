"""Rate limits: nobody gets more than promised, and nobody waits longer than told."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orama.errors import RateLimited
from orama.services.limiter import Allowance, ClassLimits, Rate, RateLimiter, RateLimitSettings
from orama.testing.clock import ManualClock


def limiter(clock, *, key=None, namespace=None, address=None, **settings):
    limits = ClassLimits(key=key, namespace=namespace, address=address)
    return RateLimiter(RateLimitSettings(read=limits, **settings), clock)


def admitted(limits, **caller):
    try:
        limits.check("read", **{"address": "192.0.2.1", **caller})
    except RateLimited:
        return False
    return True


def test_burst_is_admitted_and_one_more_is_not():
    clock = ManualClock()
    limits = limiter(clock, address=Rate(2.0, 5))
    assert [admitted(limits) for _ in range(6)] == [True] * 5 + [False]
    clock.advance(0.5)
    assert [admitted(limits) for _ in range(2)] == [True, False]
    clock.advance(1000.0)
    assert [admitted(limits) for _ in range(6)] == [True] * 5 + [False], "a bucket holds its burst, no more"


def test_refusal_says_when_and_why():
    limits = limiter(ManualClock(), address=Rate(0.5, 1))
    limits.check("read", address="192.0.2.1")
    with pytest.raises(RateLimited) as refusal:
        limits.check("read", address="192.0.2.1")
    assert refusal.value.text == "too many requests: try again in 2 s"
    assert refusal.value.reason == "rate_limited"
    assert refusal.value.retry_after_s == pytest.approx(2.0)
    assert refusal.value.details == {"limited_by": "address", "limit": 1, "retry_after": 2, "reset": 2}


def test_tightest_bucket_is_reported():
    clock = ManualClock()
    limits = limiter(clock, key=Rate(10.0, 10), namespace=Rate(1.0, 5), address=Rate(100.0, 100))
    caller = {"address": "192.0.2.1", "namespace": "shop", "credential": "ak_1"}
    assert limits.check("read", **caller) == Allowance(5, 4, pytest.approx(1.0))
    assert limits.check("read", **caller, cost=3.0) == Allowance(5, 1, pytest.approx(4.0))
    clock.advance(2.5)
    assert limits.check("read", **caller) == Allowance(5, 2, pytest.approx(2.5))


def test_refused_request_takes_nothing_from_other_buckets():
    limits = limiter(ManualClock(), key=Rate(1.0, 1), namespace=Rate(1.0, 3))
    assert admitted(limits, namespace="shop", credential="ak_1")
    assert not any(admitted(limits, namespace="shop", credential="ak_1") for _ in range(10))
    assert admitted(limits, namespace="shop", credential="ak_2")
    assert admitted(limits, namespace="shop", credential="ak_3")
    assert not admitted(limits, namespace="shop", credential="ak_4")


def test_callers_and_classes_have_buckets_of_their_own():
    limits = RateLimiter(
        RateLimitSettings(read=ClassLimits(None, None, Rate(1.0, 1)), write=ClassLimits(None, None, Rate(1.0, 1))),
        ManualClock(),
    )
    for route_class in ("read", "write"):
        for address in ("192.0.2.1", "192.0.2.2"):
            limits.check(route_class, address=address)
            with pytest.raises(RateLimited):
                limits.check(route_class, address=address)


def test_what_has_no_limit_is_not_limited():
    off = RateLimiter(RateLimitSettings(enabled=False, failed_credentials=Rate(1.0, 1)), ManualClock())
    on = limiter(ManualClock(), key=Rate(1.0, 1))
    for _ in range(100):
        assert off.check("sign_in", address="192.0.2.1") is None
        off.check_credential("192.0.2.1")
        off.count_failed_credential("192.0.2.1")
        assert on.check("system", address="192.0.2.1") is None
        assert on.check("read", address="192.0.2.1") is None, "there is no credential, and the address has no limit"


def test_dear_request_takes_a_full_bucket():
    clock = ManualClock()
    limits = limiter(clock, address=Rate(1.0, 10))
    assert limits.check("read", address="192.0.2.1", cost=500.0) == Allowance(10, 0, pytest.approx(10.0))
    with pytest.raises(RateLimited) as refusal:
        limits.check("read", address="192.0.2.1", cost=500.0)
    clock.advance(refusal.value.retry_after_s)
    limits.check("read", address="192.0.2.1", cost=500.0)


def test_address_with_too_many_wrong_credentials_has_to_wait():
    clock = ManualClock()
    limits = RateLimiter(RateLimitSettings(failed_credentials=Rate(1.0, 3)), clock)
    for _ in range(3):
        limits.check_credential("192.0.2.1")
        limits.count_failed_credential("192.0.2.1")
    with pytest.raises(RateLimited) as refusal:
        limits.check_credential("192.0.2.1")
    assert refusal.value.details["limited_by"] == "failed_credentials"
    for _ in range(100):
        limits.count_failed_credential("192.0.2.1")
    limits.check_credential("192.0.2.2")
    clock.advance(1.0)
    limits.check_credential("192.0.2.1")


def test_memory_is_bounded_and_the_idle_go_first():
    limits = limiter(ManualClock(), address=Rate(1.0, 1), max_buckets=1000)
    assert admitted(limits, address="busy")
    for number in range(5000):
        assert admitted(limits, address=f"a{number}")
        if number % 50 == 0:
            assert not admitted(limits, address=f"a{number}"), "a bucket just used is remembered"
    kept = sum(not admitted(limits, address=f"a{number}") for number in range(4999, -1, -1))
    assert kept <= 1000


rates = st.builds(Rate, st.floats(0.1, 1000.0), st.integers(1, 50))
waits = st.lists(st.floats(0.0, 3.0), max_size=80)


@given(rate=rates, waits=waits)
def test_never_more_than_burst_and_rate_admit(rate, waits):
    clock = ManualClock()
    limits = limiter(clock, address=rate)
    moments = []
    for wait in waits:
        clock.advance(wait)
        while admitted(limits):
            moments.append(clock.monotonic())
            if len(moments) > 3000:
                return
    for start in range(0, len(moments), 7):
        for end in range(start, len(moments), 7):
            most = rate.burst + rate.rate_per_s * (moments[end] - moments[start] + 1e-5)
            assert end - start + 1 <= most + 1e-6


@given(key=rates, namespace=rates, address=rates, costs=st.lists(st.floats(0.1, 20.0), min_size=1, max_size=60))
def test_who_waits_as_told_is_admitted(key, namespace, address, costs):
    clock = ManualClock()
    limits = limiter(clock, key=key, namespace=namespace, address=address)
    caller = {"address": "192.0.2.1", "namespace": "shop", "credential": "ak_1"}
    longest_s = max(one.burst / one.rate_per_s for one in (key, namespace, address))
    waits = []
    for cost in costs:
        try:
            limits.check("read", **caller, cost=cost)
        except RateLimited as refusal:
            waits.append(refusal.retry_after_s)
            clock.advance(waits[-1])
            limits.check("read", **caller, cost=cost)
    assume(waits)
    assert min(waits) > 0
    assert max(waits) <= longest_s + 1e-6
