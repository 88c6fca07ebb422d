"""Keys derived from the node's root secret, and the few things that are done with them."""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orama.domain.base62 import base62
from orama.errors import Internal

ROOT_SECRET_BYTES: Final = 32

_NONCE_BYTES: Final = 12


class Sealer:
    """Authenticated encryption for values at rest: AES-256-GCM with a fresh 96-bit nonce in front of each."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt `plaintext`, bound to `context` (say, the id of its row): elsewhere it does not open."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """The plaintext.

        Raises:
            Internal: it was sealed with another root secret or for another context, or was changed.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as error:  # ValueError: too short to be anything sealed
            raise Internal(
                f"{context} does not open with this node's root secret: is its key file another cluster's?",
                reason="root_secret_mismatch",
            ) from error


class Keyring:
    """One key per purpose, derived from the root secret by HKDF-SHA-256 (RFC 5869): none reveals another.

    Every gateway of a cluster has the same root secret, hence the same keys.
    """

    def __init__(self, root_secret: bytes) -> None:
        if len(root_secret) != ROOT_SECRET_BYTES:
            raise ValueError(f"the root secret has {ROOT_SECRET_BYTES} bytes, not {len(root_secret)}")
        self._root = root_secret
        self._pepper = self._derive("api-key-pepper")
        self._refresh = self._derive("refresh-token")

    def _derive(self, purpose: str) -> bytes:
        return HKDF(SHA256(), length=32, salt=None, info=f"orama/v1/{purpose}".encode()).derive(self._root)

    def api_key_mac(self, secret: str) -> bytes:
        """What is stored of an API key's secret. The secret has full entropy, so that no slow hash is needed."""
        return hmac.digest(self._pepper, secret.encode(), "sha256")

    def successor(self, refresh_token: str) -> str:
        """The one token that replaces `refresh_token`: it can be told again without having been stored."""
        return base62(hmac.digest(self._refresh, refresh_token.encode(), "sha256"))

    def sealer(self, purpose: str) -> Sealer:
        """The sealer for one kind of values at rest; sealers of different purposes cannot open each other's."""
        return Sealer(self._derive(f"seal/{purpose}"))
