"""The settings of identity."""

from __future__ import annotations

from typing import Literal

import msgspec

from orama.domain.namespace import Namespace

Algorithm = Literal["EdDSA", "RS256"]
SolanaChain = Literal["mainnet", "testnet", "devnet", "localnet"]


class AuthSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an operator may choose about sign-in, tokens and keys. Durations are seconds."""

    issuer: str = "debros-gateway"
    """The ``iss`` claim; the default is what existing clients know."""
    audience: str = "gateway"
    """The `aud` claim of access tokens."""
    jwt_algorithm: Algorithm = "EdDSA"
    """What access tokens are signed with."""
    access_token_s: int = 900
    """How long an access token (JWT) is valid."""
    clock_skew_s: int = 60
    """How far the clocks of two gateways may differ."""
    refresh_s: int = 30 * 24 * 3600
    """The absolute life of a sign-in, however often it is refreshed."""
    refresh_grace_s: float = 10.0
    """For so long a used refresh token still gives the same successor: its reply may have been lost."""

    public_host: str = "localhost"
    """Host, and port if unusual, under which people know this gateway: the domain of texts to sign."""
    allowed_domains: tuple[str, ...] = ()
    """Hosts (with port if unusual) of web applications whose ``Origin`` becomes the domain instead."""
    chain_id: int = 1
    """The Ethereum chain that texts to sign name (EIP-155); 1 is the main network."""
    solana_chain: SolanaChain = "mainnet"
    """The Solana network that texts to sign name."""
    challenge_s: int = 300
    """How long a text to sign may be signed."""
    max_live_challenges: int = 10
    """Per wallet and client address."""

    login_callbacks: tuple[str, ...] = ()
    """URLs (https) that the login page may hand a sign-in to, beside those on the caller's own computer. One that ends
    in `/` admits everything below it, any other itself alone."""
    login_code_s: int = 60
    """How long a one-time code of the login page may be exchanged."""

    default_namespace: Namespace = Namespace("default")
    """The namespace of requests to sign in that name none."""
    open_namespaces: tuple[Namespace, ...] = ()
    """Namespaces that admit any wallet as a member."""
    max_namespaces_per_wallet: int = 10
    """How many namespaces one wallet may claim."""
    max_wallets_per_account: int = 10
    """How many wallets may be linked to one account, the first included."""
    link_sign_in_s: int = 900
    """How old a sign-in may be that links or unlinks wallets."""
    max_memberships_per_wallet: int = 100
    """In how many namespaces a wallet may be when it accepts an invitation."""
    max_members_per_namespace: int = 1_000
    """How many members a namespace may have when somebody accepts an invitation."""
    max_invitations_per_namespace: int = 50
    """Invitations per namespace that wait to be accepted."""
    invitation_s: int = 7 * 24 * 3600
    """How long an invitation is good, unless its maker says otherwise."""
    max_invitation_s: int = 30 * 24 * 3600
    """How long an invitation may be good."""
    max_keys_per_wallet: int = 20
    """Lasting API keys per wallet and namespace."""
    max_keys_without_wallet: int = 100
    """Lasting API keys per namespace that were made by keys and are no wallet's."""
    key_overlap_s: int = 24 * 3600
    """How long a key that is rotated still works, unless the caller says otherwise."""
    max_key_overlap_s: int = 7 * 24 * 3600
    """How long a key that is rotated may still work."""
    development: bool = False
    """Offer keys without a signature for namespaces that nobody has; never on a public gateway."""

    decision_s: float = 5.0
    """How long a credential once checked is trusted: a revocation elsewhere takes effect within it."""
    outage_decision_s: float = 60.0
    """The same while the database is away."""
    outage_retry_s: float = 1.0
    """How often a credential asks for a database that is away."""
    max_decisions: int = 10_000
    """Accepted credentials that are remembered, and as many refused ones."""
    signing_key_refresh_s: float = 60.0
    """How often the set of signing keys is read again, for keys that another gateway made."""
    signing_key_pause_s: float = 0.1
    """The least time between two readings of that set, however many tokens name keys that are not in it."""
    ended_retention_s: int = 30 * 24 * 3600
    """How long sign-ins and API keys that ended, by time or by revocation, can still be listed."""
    key_use_write_s: float = 60.0
    """How often the last uses of API keys, which are kept to the hour, are written."""
    max_key_uses: int = 10_000
    """API keys whose last use waits to be written."""
    audit_retention_s: int = 90 * 24 * 3600
    """How long the audit log is kept."""
