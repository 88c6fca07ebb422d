"""Requests and replies of ``/v1/auth``.

Fields that must be there are checked by the handlers, so that the messages are the ones that clients know. A blank
namespace is the gateway's default one.
"""

from __future__ import annotations

from typing import Final

import msgspec

from orama.wire.field import Name, NamespaceName, Text, Wallet

BEARER: Final = "Bearer"
"""The ``token_type`` of access tokens (RFC 6750)."""


class RequestChallenge(msgspec.Struct):
    """Who wants to sign in, where and what for."""

    wallet: Wallet = ""
    purpose: Name = ""
    namespace: NamespaceName = ""


class Challenge(msgspec.Struct):
    """The text to sign is `nonce`, verbatim; the rest repeats the request. `expires_at` is RFC 3339 in UTC."""

    wallet: str
    namespace: str
    nonce: str
    purpose: str
    expires_at: str


class SignedNonce(msgspec.Struct, kw_only=True):
    """A signed challenge: its `nonce` as received and the wallet's signature of it.

    For Ethereum (`chain_type` ETH) that is EIP-191's in hexadecimal, for Solana (SOL) Ed25519's in standard base64.
    Without `chain_type` the form of the wallet decides.
    """

    wallet: Wallet = ""
    nonce: Text = ""
    signature: Text = ""
    chain_type: str = ""


class PresentSignature(SignedNonce, kw_only=True):
    """A signed challenge, for the namespace that it was asked for."""

    namespace: NamespaceName = ""


class CreateApiKey(PresentSignature, kw_only=True):
    """A signed challenge, in exchange for an API key."""

    plan: str = ""


class RegisterApp(PresentSignature, kw_only=True):
    """A signed challenge, and the name of an application."""

    name: Name = ""


class CreateSimpleKey(msgspec.Struct):
    """For whom a development node should make a key."""

    wallet: Wallet = ""
    namespace: NamespaceName = ""


class Refresh(msgspec.Struct):
    """A refresh token; or nothing, together with an access token that is still good."""

    refresh_token: str = ""
    namespace: NamespaceName = ""


class Logout(msgspec.Struct):
    """Which sign-in to end: that of a refresh token, else the caller's own, or `all` of the caller's."""

    refresh_token: str = ""
    namespace: NamespaceName = ""
    all: bool = False


class SignedIn(msgspec.Struct, kw_only=True):
    """The credentials of a sign-in. `expires_in`: seconds. `token` and `jwt_token` repeat `access_token`."""

    access_token: str
    token: str
    jwt_token: str
    token_type: str = BEARER
    expires_in: int
    refresh_token: str
    subject: str
    namespace: str
    api_key: str
    nonce: str
    signature_verified: bool = True


class ApiKeyCreated(msgspec.Struct):
    """A new API key, shown this once. `wallet`: of Ethereum in lower case, without ``0x``; of Solana as it is."""

    api_key: str
    namespace: str
    plan: str
    wallet: str


class SimpleKeyCreated(msgspec.Struct):
    """A new API key, shown this once. `created` is RFC 3339."""

    api_key: str
    namespace: str
    wallet: str
    created: str


class App(msgspec.Struct):
    """An application. `wallet`: of Ethereum in lower case; of Solana as it is."""

    app_id: str
    name: str
    namespace: str
    wallet: str


class AppRegistered(msgspec.Struct):
    """A new application; `client_id` repeats its id."""

    client_id: str
    app: App
    signature_verified: bool = True


class AccessToken(msgspec.Struct, kw_only=True):
    """An access token for an API key. `expires_in`: seconds."""

    access_token: str
    token_type: str = BEARER
    expires_in: int
    namespace: str


class Refreshed(msgspec.Struct, kw_only=True):
    """New tokens. `refresh_token` replaces the one sent, and is absent if none was."""

    access_token: str
    token: str
    jwt_token: str
    token_type: str = BEARER
    expires_in: int
    refresh_token: str | msgspec.UnsetType = msgspec.UNSET
    subject: str
    namespace: str


class LoggedOut(msgspec.Struct):
    """The sign-in has ended, if there was one."""

    status: str = "ok"
    message: str = "logged out"


class Identity(msgspec.Struct, kw_only=True):
    """The caller, by `method`.

    By ``jwt``: its claims, times in unix seconds, and `address` if it is a wallet. By ``api_key``: the key as
    ``ak_<id>``, without its secret. `scopes`: what the credentials sent reach now.
    """

    authenticated: bool = True
    method: str
    namespace: str
    subject: str | msgspec.UnsetType = msgspec.UNSET
    address: str | msgspec.UnsetType = msgspec.UNSET
    issuer: str | msgspec.UnsetType = msgspec.UNSET
    audience: str | msgspec.UnsetType = msgspec.UNSET
    issued_at: int | msgspec.UnsetType = msgspec.UNSET
    not_before: int | msgspec.UnsetType = msgspec.UNSET
    expires_at: int | msgspec.UnsetType = msgspec.UNSET
    api_key: str | msgspec.UnsetType = msgspec.UNSET
    scopes: list[str] = []


class UnlinkWallet(msgspec.Struct):
    """Which wallet shall no longer act for the account; `revoke_keys`: end all its lasting API keys, too."""

    wallet: Wallet = ""
    revoke_keys: bool = False


class LinkedWallet(msgspec.Struct):
    """A wallet of the account. `linked_at` is RFC 3339; absent for a wallet that is the only one."""

    wallet: str
    chain_type: str
    linked_at: str | msgspec.UnsetType = msgspec.UNSET


class AccountWallets(msgspec.Struct):
    """The wallets that sign in as `account`, in the order in which they were linked."""

    account: str
    wallets: list[LinkedWallet]
    count: int


class KeySet(msgspec.Struct):
    """A JSON Web Key Set (RFC 7517): the public keys that access tokens are verified with."""

    keys: list[dict[str, str]]
