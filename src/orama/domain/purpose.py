"""What a wallet agrees to when it signs a challenge."""

from __future__ import annotations

from enum import Enum
from typing import Final

from orama.domain.namespace import Namespace


class Use(Enum):
    """Where a signed challenge may be presented; the value is what its text says."""

    VERIFY = "sign in to"
    API_KEY = "create an API key for"
    REGISTER = "register an application in"
    LINK = "link this wallet to"
    LOGIN = "sign in through the login page to"


LINK: Final = "link"
"""The purpose of a challenge by which a wallet agrees to act for an account."""

LOGIN_PAGE: Final = "login_page"
"""The purpose of a challenge that the login page exchanges for a one-time code."""

KEY_GENERATION: Final = "api_key_generation"
"""The purpose of a challenge for an API key, as the Go gateway's login page calls it."""

_USES: Final[dict[str, tuple[Use, ...]]] = {
    # Clients that name no purpose present the signature wherever they need it; the text says so.
    "": (Use.VERIFY, Use.API_KEY, Use.REGISTER),
    # The TypeScript client sends this one before both of the calls that it knows.
    "authentication": (Use.VERIFY, Use.API_KEY),
    "api_key": (Use.API_KEY,),
    KEY_GENERATION: (Use.API_KEY,),
    "register": (Use.REGISTER,),
    LINK: (Use.LINK,),
    LOGIN_PAGE: (Use.LOGIN,),
}


def uses_of(purpose: str) -> tuple[Use, ...]:
    """What a challenge asked for with `purpose` may be used for. An unknown purpose is a plain sign-in."""
    return _USES.get(purpose, (Use.VERIFY,))


def statement_of(purpose: str, namespace: Namespace) -> str:
    """The sentence in the text to sign that says what the signature is good for."""
    sentence = ", or ".join(use.value for use in uses_of(purpose))
    return f"{sentence[0].upper()}{sentence[1:]} the namespace {namespace}."


def link_statement(account: str) -> str:
    """The sentence in the text by which a wallet agrees to act for `account`, and for no other."""
    return f"Link this wallet to the account {account}, which it will sign in as."
