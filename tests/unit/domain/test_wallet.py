"""One canonical form per wallet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.wallet import Chain, parse_chain, parse_wallet
from orama.errors import InvalidArgument
from support.wallet import Wallet


@given(
    number=st.integers(1, 10**9),
    prefix=st.sampled_from(["", "0x", "0X", " 0x"]),
    case=st.sampled_from(["lower", "upper", "checksum"]),
)
def test_letter_case_and_prefix_make_no_difference_w14(number, prefix, case):
    wallet = Wallet(number)
    digits = {"lower": wallet.bare, "upper": wallet.bare.upper(), "checksum": wallet.address[2:]}[case]
    parsed = parse_wallet(prefix + digits)
    assert (parsed.chain, parsed.subject, parsed.address, parsed.display) == (
        Chain.ETHEREUM,
        wallet.subject,
        wallet.bare,
        wallet.address,
    )


def test_says_that_solana_is_not_offered_yet():
    with pytest.raises(InvalidArgument, match="not offered yet") as refused:
        parse_wallet("9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM")
    assert refused.value.reason == "chain_not_offered"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "0x" + "1" * 39,
        "0x" + "1" * 41,
        "0x" + "g" * 40,
        "\u0661" * 40,
        "0x0x" + "1" * 38,
        "vitalik.eth",
        "0x" + "1" * 40 + "\n1",
    ],
)
def test_refuses_what_is_no_wallet(text):
    with pytest.raises(InvalidArgument) as refused:
        parse_wallet(text)
    assert refused.value.reason == "invalid_wallet"


@pytest.mark.parametrize(
    ("text", "chain"),
    [("", Chain.ETHEREUM), (" eth ", Chain.ETHEREUM), ("ETH", Chain.ETHEREUM), ("sol", Chain.SOLANA), ("BTC", None)],
)
def test_chain_types_are_read_loosely(text, chain):
    assert parse_chain(text) is chain
