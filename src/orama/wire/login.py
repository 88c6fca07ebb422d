"""Requests and replies of the login page, ``/v1/auth/login``."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from orama.wire.auth import BEARER, PresentSignature
from orama.wire.field import NamespaceName, Text

State: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 512, "pattern": r"^[ -~]*$"})]
"""What comes back to the program as it was."""

CodeChallenge: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": r"^([A-Za-z0-9_-]{43})?$"})]
"""The SHA-256 of the program's verifier, in base64url without padding (RFC 7636)."""


class OpenLogin(msgspec.Struct):
    """What a program asks of the login page.

    `callback` is where the browser goes afterwards. Without `code_challenge`, which only a program on the caller's own
    computer may leave out, it takes an API key there. `code_challenge_method` must be S256.
    """

    callback: Text = ""
    namespace: NamespaceName = ""
    code_challenge: CodeChallenge = ""
    code_challenge_method: str = ""
    state: State = ""


class FinishLogin(PresentSignature, kw_only=True):
    """A signed challenge, and what the program asked of the login page."""

    callback: Text = ""
    code_challenge: CodeChallenge = ""
    code_challenge_method: str = ""
    state: State = ""


class LoginFinished(msgspec.Struct):
    """Where to send the browser."""

    redirect: str


class ExchangeCode(msgspec.Struct):
    """A one-time code, the verifier that its code challenge was made from, and the callback that it was handed to."""

    code: Text = ""
    code_verifier: Text = ""
    callback: Text = ""


class CodeExchanged(msgspec.Struct, kw_only=True):
    """The credentials of a sign-in. `expires_in`: seconds. `token` and `jwt_token` repeat `access_token`.

    `wallet` signed; `subject` is the account that it acts for.
    """

    access_token: str
    token: str
    jwt_token: str
    token_type: str = BEARER
    expires_in: int
    refresh_token: str
    subject: str
    wallet: str
    namespace: str
    api_key: str
