"""Whose request it is when proxies stand between: forwarded headers count from configured proxies only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses or CIDR blocks as networks.

    Raises:
        ValueError: a text is neither.
    """
    return tuple(ipaddress.ip_network(text) for text in texts)


def within(address: str, networks: Iterable[Network]) -> bool:
    """Whether `address` is one, and lies in one of `networks`. An IPv4 address mapped into IPv6 counts as itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)


def address_group(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one IPv6 customer usually has."""
    if ":" not in address:
        return address
    parsed = ipaddress.IPv6Address(address)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))


class ClientAddress:
    """Finds the caller's address behind `trusted` proxies."""

    def __init__(self, trusted: tuple[Network, ...]) -> None:
        self._trusted = trusted

    def trusts(self, peer: str) -> bool:
        """Whether `peer` is a configured proxy."""
        return bool(self._trusted) and within(peer, self._trusted)

    def behind(self, peer: str, headers: Mapping[str, str]) -> str:
        """The address that the nearest untrusted hop spoke from, for a `peer` that is trusted.

        Read from the right: each trusted proxy appended who spoke to it; what stands further left is hearsay.
        """
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",")]
        client = peer
        for hop in reversed(hops):
            try:
                client = str(ipaddress.ip_address(hop))
            except ValueError:
                return client
            if not within(client, self._trusted):
                return client
        return client
