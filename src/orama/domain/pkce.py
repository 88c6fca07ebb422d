"""Proof Key for Code Exchange (RFC 7636), method S256: only who began a login can finish it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

from orama.errors import InvalidArgument

METHOD: Final = "S256"

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


def parse_code_challenge(text: str, method: str) -> str:
    """The code challenge `text`, of the one method that is offered.

    Raises:
        InvalidArgument: another method, or no SHA-256 in base64url without padding.
    """
    if method != METHOD:
        raise InvalidArgument("code_challenge_method must be S256", reason="invalid_code_challenge")
    if _CHALLENGE.fullmatch(text) is None:
        raise InvalidArgument(
            "code_challenge must be the SHA-256 of the code_verifier in base64url, 43 characters without padding",
            reason="invalid_code_challenge",
        )
    return text


def fits(code_challenge: str, verifier: str) -> bool:
    """Whether `verifier` is the one that `code_challenge` was made from."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(made, code_challenge)
