"""One canonical form per wallet."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.base58 import base58
from orama.domain.wallet import Chain, parse_chain, parse_wallet
from orama.errors import InvalidArgument
from support.solana import SolanaWallet
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


@given(number=st.integers(1, 10**9), padding=st.sampled_from(["", " ", "\n"]))
def test_a_solana_wallet_is_its_address_in_its_exact_case_w14(number, padding):
    wallet = SolanaWallet(number)
    parsed = parse_wallet(padding + wallet.address + padding)
    assert (parsed.chain, parsed.subject, parsed.address, parsed.display) == (
        Chain.SOLANA,
        wallet.address,
        wallet.address,
        wallet.address,
    )
    with suppress(InvalidArgument):
        assert parse_wallet(wallet.address.lower()).subject != wallet.subject


def test_a_text_that_could_be_both_names_an_ethereum_wallet():
    text = "1" * 10 + "a" * 30
    assert len(text) == 40
    assert base58(bytes(10)) == "1" * 10
    assert parse_wallet(text).chain is Chain.ETHEREUM


@pytest.mark.parametrize("wallet", [Wallet(), SolanaWallet()])
def test_a_wallet_knows_its_own_signature(wallet):
    parsed = parse_wallet(wallet.address)
    parsed.check_signature("text", wallet.sign("text"))
    for other in (Wallet(2), SolanaWallet(2)):
        with pytest.raises(ValueError):
            parsed.check_signature("text", other.sign("text"))


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
        "11111111111111111111111111111111",
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA0",
        "z" * 44,
        "z" * 100_000,
        "0x" + "1" * 40 + "\n1",
    ],
)
def test_refuses_what_is_no_wallet(text):
    with pytest.raises(InvalidArgument) as refused:
        parse_wallet(text)
    assert refused.value.reason == "invalid_wallet"


@pytest.mark.parametrize(
    ("text", "chain"),
    [("", None), (" eth ", Chain.ETHEREUM), ("ETH", Chain.ETHEREUM), ("sol", Chain.SOLANA), ("BTC", None)],
)
def test_chain_types_are_read_loosely(text, chain):
    assert parse_chain(text) is chain
