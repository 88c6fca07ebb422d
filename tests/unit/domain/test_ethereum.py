"""EIP-55, EIP-191 and signature recovery, against the EIPs' own examples and against eth-account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.ethereum import checksum_address, keccak256, personal_message_hash, recover_address
from support.wallet import ORDER, Wallet, malleated, with_v


def test_keccak_is_ethereums_and_not_sha3():
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize(
    "address",
    [  # The test cases of EIP-55.
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_checksum_address_matches_eip_55(address):
    assert checksum_address(address[2:].lower()) == address


def test_personal_message_hash_matches_a_published_vector():
    # The example of the web3.js documentation for accounts.hashMessage("Hello World").
    assert (
        personal_message_hash("Hello World").hex() == "a1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2"
    )


@given(number=st.integers(1, ORDER - 1), text=st.text(st.characters(exclude_categories=["Cs"])))
def test_recovers_what_eth_account_signs(number, text):
    wallet = Wallet(number)
    assert recover_address(text, wallet.sign(text)) == wallet.bare


def test_takes_every_spelling_of_v_and_of_hex():
    wallet = Wallet()
    signature = wallet.sign("text")
    v = int(signature[-2:], 16)
    for spelling in (signature, signature[2:], signature.upper().replace("0X", "0x"), with_v(signature, v - 27)):
        assert recover_address("text", spelling) == wallet.bare


@pytest.mark.parametrize("v", [2, 3, 26, 29, 30, 35, 36, 128, 255])
def test_refuses_every_other_v(v):
    with pytest.raises(ValueError):
        recover_address("text", with_v(Wallet().sign("text"), v))


@pytest.mark.parametrize("number", range(1, 11))
def test_refuses_the_malleated_twin(number):
    twin = malleated(Wallet(number).sign("text"))
    with pytest.raises(ValueError, match="upper half"):
        recover_address("text", twin)


def test_the_wrong_recovery_id_gives_another_address():
    wallet = Wallet()
    signature = wallet.sign("text")
    other = with_v(signature, 55 - int(signature[-2:], 16))
    assert recover_address("text", other) != wallet.bare


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "0x",
        "00",
        "zz" * 65,
        "0x" + "00" * 64,
        "0x" + "00" * 66,
        "0x" + "00" * 64 + "1b",
        "0x" + "00" * 32 + "01" * 32 + "1b",  # r is 0
        "0x" + "01" * 32 + "00" * 32 + "1b",  # s is 0
        "0x" + "ff" * 32 + "01" * 32 + "1b",  # r is above the order
        "0x" + f"{ORDER:064x}" + "01" * 32 + "1b",
        "0x" + "01" * 32 + f"{ORDER // 2 + 1:064x}" + "1b",
        " " * 130,
        "0x" + "0 " * 65,
        "١" * 130,
    ],
)
def test_refuses_what_is_no_signature(signature):
    with pytest.raises(ValueError):
        recover_address("text", signature)
