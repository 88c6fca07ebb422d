from __future__ import annotations

import pytest

from orama.gateway.kernel.client_address import ClientAddress, address_group, parse_networks, within

TRUSTED = ClientAddress(parse_networks(["10.0.0.0/8", "::1/128"]))


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("unknown, 10.1.2.3", "10.1.2.3"),
        ("203.0.113.9, garbage", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", "10.0.0.1"),
    ],
)
def test_client_is_the_nearest_hop_that_is_not_trusted(forwarded, client):
    assert TRUSTED.behind("10.0.0.1", {"x-forwarded-for": forwarded}) == client


def test_nobody_is_trusted_unless_configured():
    assert TRUSTED.trusts("10.0.0.1")
    assert TRUSTED.trusts("::ffff:10.0.0.1")
    assert not TRUSTED.trusts("203.0.113.9")
    assert not ClientAddress(()).trusts("127.0.0.1")


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
    ],
)
def test_one_customer_counts_as_one_address(address, group):
    assert address_group(address) == group


def test_what_is_no_address_is_in_no_network():
    assert not within("", parse_networks(["0.0.0.0/0"]))
    assert not within("localhost", parse_networks(["0.0.0.0/0", "::/0"]))
