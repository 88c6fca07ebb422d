"""Keys derived from the root secret."""

from __future__ import annotations

import pytest

from orama.errors import Internal
from orama.services.auth.keyring import Keyring
from support.identity import ROOT_SECRET


def test_the_same_root_secret_gives_the_same_keys_and_another_gives_others():
    one, same, other = Keyring(ROOT_SECRET), Keyring(ROOT_SECRET), Keyring(bytes(32))
    assert one.api_key_mac("secret") == same.api_key_mac("secret") != other.api_key_mac("secret")
    assert one.successor("token") == same.successor("token") != other.successor("token")
    assert one.sealer("a").unseal(same.sealer("a").seal(b"text", "row"), "row") == b"text"


def test_derivation_is_hkdf_with_a_label_per_purpose():
    # Computed with RFC 5869 by hand: extract with an empty salt, one block of expand.
    import hmac

    extracted = hmac.digest(bytes(32), ROOT_SECRET, "sha256")
    pepper = hmac.digest(extracted, b"orama/v1/api-key-pepper\x01", "sha256")
    assert Keyring(ROOT_SECRET).api_key_mac("secret") == hmac.digest(pepper, b"secret", "sha256")


def test_sealing_is_never_the_same_twice():
    sealer = Keyring(ROOT_SECRET).sealer("a")
    assert sealer.seal(b"text", "row") != sealer.seal(b"text", "row")


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_root_secret_has_32_bytes(size):
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring(bytes(size))


def test_nothing_else_opens_what_was_sealed():
    sealer = Keyring(ROOT_SECRET).sealer("a")
    sealed = sealer.seal(b"text", "row")
    attempts = [
        (sealer, sealed, "other row"),
        (Keyring(ROOT_SECRET).sealer("b"), sealed, "row"),
        (Keyring(bytes(32)).sealer("a"), sealed, "row"),
        *((sealer, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], "row") for at in range(len(sealed))),
        *((sealer, sealed[:size], "row") for size in range(len(sealed))),
    ]
    for opener, text, context in attempts:
        with pytest.raises(Internal):
            opener.unseal(text, context)
