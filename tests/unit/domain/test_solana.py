"""Addresses and signatures of Solana against solders, and everything that only looks like one refused."""

from __future__ import annotations

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from orama.domain.base58 import base58
from orama.domain.solana import check_signature, parse_address
from support.solana import SolanaWallet, address_of, malleated

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def encoded(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


def root(square: int) -> int | None:
    """A square root modulo P, which is 5 modulo 8."""
    for candidate in (pow(square, (P + 3) // 8, P), pow(square, (P + 3) // 8, P) * pow(2, (P - 1) // 4, P) % P):
        if candidate * candidate % P == square % P:
            return candidate
    return None


def eighth() -> int:
    """The y of a point of order 8: its double has y = 0, which on the curve comes to d·y⁴ + 2·y² = 1."""
    for sign in (1, -1):
        y = root((sign * root(1 + D) - 1) * pow(D, -1, P))
        if y is not None:
            return y
    raise AssertionError


Y8 = eighth()
SMALL_ORDER_Y = [0, 1, P - 1, Y8, P - Y8]


def doubled(point: tuple[int, int]) -> tuple[int, int]:
    """The sum of a point with itself, by the definition of the curve's addition."""
    x, y = point
    t = D * x * x * y * y % P
    return 2 * x * y * pow(1 + t, -1, P) % P, (y * y + x * x) * pow(1 - t, -1, P) % P


def test_the_points_refused_are_those_whose_order_divides_eight():
    """Which is shown by arithmetic: doubled three times they give the neutral element; a wallet's key does not."""
    for y in SMALL_ORDER_Y:
        x = root((y * y - 1) * pow(D * y * y + 1, -1, P))
        assert x is not None
        assert doubled(doubled(doubled((x, y)))) == (0, 1)
    y = int.from_bytes(SolanaWallet().key, "little") & ((1 << 255) - 1)
    x = root((y * y - 1) * pow(D * y * y + 1, -1, P))
    assert doubled(doubled(doubled((x, y)))) != (0, 1)


@given(st.integers(1, 10**9))
def test_reads_the_address_of_every_wallet(number):
    wallet = SolanaWallet(number)
    assert parse_address(wallet.address) == wallet.key


@given(st.binary(min_size=32, max_size=32))
def test_agrees_with_solders_on_which_points_are_on_the_curve(key):
    y = int.from_bytes(key, "little") & ((1 << 255) - 1)
    if Pubkey(key).is_on_curve() and y < P and y not in SMALL_ORDER_Y:
        assert parse_address(address_of(key)) == key
    else:
        with pytest.raises(ValueError):
            parse_address(address_of(key))


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", SMALL_ORDER_Y)
def test_refuses_points_of_small_order_for_which_one_signature_fits_many_texts(y, sign):
    key = encoded(y, sign)
    forged = encoded(1) + bytes(32)
    fits = 0
    for number in range(200):
        text = f"text {number}"
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(forged, text.encode())
            fits += 1
        except Exception:
            continue
        with pytest.raises(ValueError, match="small order|no wallet"):
            check_signature(address_of(key), text, base64.b64encode(forged).decode())
    # With the wrong sign there may be no such point; else OpenSSL alone would take the forgery, which is why we look.
    assert fits > 0 or (y in {1, P - 1} and sign == 1)
    with pytest.raises(ValueError, match="no wallet"):
        parse_address(address_of(key))


@pytest.mark.parametrize("y", range(19))
def test_refuses_a_second_spelling_of_a_point(y):
    with pytest.raises(ValueError, match="no wallet"):
        parse_address(address_of(encoded(P + y)))


def test_refuses_an_address_that_a_program_derived():
    derived, _ = Pubkey.find_program_address([b"vault"], Pubkey.default())
    with pytest.raises(ValueError, match="no wallet"):
        parse_address(str(derived))


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_refuses_base58_of_another_length(length):
    with pytest.raises(ValueError):
        parse_address(base58(bytes([7] * length)))


def test_refuses_an_endless_address_at_once():
    with pytest.raises(ValueError, match="44"):
        parse_address("z" * 1_000_000)


@given(number=st.integers(1, 10**9), text=st.text(st.characters(exclude_categories=["Cs"])))
def test_accepts_what_solders_signs(number, text):
    wallet = SolanaWallet(number)
    check_signature(wallet.address, text, wallet.sign(text))


def test_accepts_the_vector_of_rfc_8032():
    """§7.1, test 2: the text is one byte, ``r``."""
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    check_signature(address_of(key), "r", base64.b64encode(signature).decode())


@given(st.data())
def test_refuses_a_signature_with_any_bit_changed(data):
    wallet = SolanaWallet(data.draw(st.integers(1, 10**6)))
    raw = bytearray(base64.b64decode(wallet.sign("text")))
    raw[data.draw(st.integers(0, 63))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError):
        check_signature(wallet.address, "text", base64.b64encode(raw).decode())


def test_refuses_another_text_another_wallet_and_the_twin():
    wallet = SolanaWallet()
    good = wallet.sign("text")
    for address, text, signature in (
        (wallet.address, "text ", good),
        (SolanaWallet(2).address, "text", good),
        (wallet.address, "text", malleated(good)),
    ):
        with pytest.raises(ValueError):
            check_signature(address, text, signature)


def test_refuses_every_other_spelling_of_a_signature():
    wallet = SolanaWallet()
    number = next(n for n in range(1000) if re.search(r"[+/]", wallet.sign(f"{n}")))
    text = str(number)
    good = wallet.sign(text)
    raw = base64.b64decode(good)
    check_signature(wallet.address, text, good)
    last = good[-3]
    following = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spare_bits = good[:-3] + following[following.index(last) + 1] + "=="
    for spelling in (
        "", good.rstrip("="), good[:-1], good + "=", good + "\n", " " + good, good[:10] + "\n" + good[10:],
        base64.urlsafe_b64encode(raw).decode(), base58(raw), raw.hex(), "0x" + raw.hex(), spare_bits,
        base64.b64encode(raw[:63]).decode(), base64.b64encode(raw + b"\0").decode(), "é" * 88, "\ud800", "A" * 100_000,
    ):  # fmt: skip
        with pytest.raises(ValueError):
            check_signature(wallet.address, text, spelling)
