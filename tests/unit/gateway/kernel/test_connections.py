from __future__ import annotations

from orama.gateway.kernel.client_address import ClientAddress, parse_networks
from orama.gateway.kernel.connections import ConnectionTable
from orama.gateway.kernel.limits import HttpLimits
from orama.testing.clock import ManualClock


class Idle:
    """A connection that only notes when it is asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def check_deadlines(self, now: float) -> None:
        self.asked.append(now)


def table(**limits: int) -> ConnectionTable:
    return ConnectionTable(HttpLimits(**limits), ClientAddress(parse_networks(["192.0.2.0/24"])), ManualClock())


def test_an_address_holds_at_most_its_share():
    connections = table(max_connections_per_address=2)
    first = Idle()
    assert connections.admit(first, "203.0.113.9")
    assert connections.admit(Idle(), "203.0.113.9")
    assert not connections.admit(Idle(), "203.0.113.9")
    assert connections.admit(Idle(), "203.0.113.10")
    connections.release(first)
    assert connections.admit(Idle(), "203.0.113.9")


def test_an_ipv6_customer_is_one_address():
    connections = table(max_connections_per_address=1)
    assert connections.admit(Idle(), "2001:db8::1")
    assert not connections.admit(Idle(), "2001:db8::2")
    assert connections.admit(Idle(), "2001:db8:0:1::1")


def test_loopback_and_trusted_proxies_are_exempt():
    connections = table(max_connections_per_address=1)
    for peer in ("127.0.0.1", "::1", "192.0.2.7"):
        assert all(connections.admit(Idle(), peer) for _ in range(5))


def test_nobody_is_exempt_from_the_cap_of_the_node():
    connections = table(max_connections=3)
    assert [connections.admit(Idle(), "127.0.0.1") for _ in range(4)] == [True, True, True, False]


def test_release_of_a_connection_that_was_refused_changes_nothing():
    connections = table(max_connections=1)
    refused = Idle()
    assert connections.admit(Idle(), "127.0.0.1")
    assert not connections.admit(refused, "127.0.0.1")
    connections.release(refused)
    assert len(connections) == 1


def test_every_connection_is_asked_with_the_time():
    connections = table()
    idle = Idle()
    connections.admit(idle, "127.0.0.1")
    connections.check_deadlines()
    assert idle.asked == [ManualClock().monotonic()]
