"""Identity, put together."""

from __future__ import annotations

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.services.auth.access_token import AccessTokens
from orama.services.auth.account import Accounts
from orama.services.auth.api_key import ApiKeys
from orama.services.auth.audit import AuditLog
from orama.services.auth.authenticator import Authenticator
from orama.services.auth.challenge import Challenges
from orama.services.auth.decision import Decisions
from orama.services.auth.family import Families
from orama.services.auth.invitation import Invitations
from orama.services.auth.key_issuer import KeyIssuer
from orama.services.auth.key_use import KeyUses
from orama.services.auth.keyring import Keyring
from orama.services.auth.linking import Linking
from orama.services.auth.login import Logins
from orama.services.auth.member import Members
from orama.services.auth.membership import Memberships
from orama.services.auth.namespace import Namespaces
from orama.services.auth.own_namespace import OwnNamespaces
from orama.services.auth.session import Sessions
from orama.services.auth.settings import AuthSettings
from orama.services.auth.sign_in import SignIn
from orama.services.auth.signing_key import SigningKeys
from orama.services.auth.standing import Acts
from orama.services.auth.watch import CredentialWatch
from orama.services.sweep import Sweep


class Auth(msgspec.Struct, frozen=True):
    """The services of identity over one platform database. They own no resource and need no closing.

    `key_uses` wants its `run` to run, and a last write at the end.
    """

    settings: AuthSettings
    authenticator: Authenticator
    sign_in: SignIn
    linking: Linking
    logins: Logins
    sessions: Sessions
    api_keys: ApiKeys
    namespaces: Namespaces
    signing_keys: SigningKeys
    decisions: Decisions
    watch: CredentialWatch
    sweeps: tuple[Sweep, ...]
    """What is to be removed from the tables of identity once it is over."""
    own_namespaces: OwnNamespaces
    members: Members
    invitations: Invitations
    keys: KeyIssuer
    key_uses: KeyUses
    audit: AuditLog


async def open_auth(*, database: Database, clock: Clock, root_secret: bytes, settings: AuthSettings) -> Auth:
    """Build the services and read, or make, the signing keys. The platform's migrations have been applied.

    Raises:
        Internal: the signing keys were sealed with another root secret (reason ``root_secret_mismatch``).
        Unavailable: the database is away.
    """
    keyring = Keyring(root_secret)
    decisions = Decisions(clock, settings)
    signing_keys = SigningKeys(database, clock, keyring.sealer("signing-keys"), settings)
    await signing_keys.open()
    access_tokens = AccessTokens(signing_keys, clock, settings)
    audit = AuditLog(database, clock, settings)
    accounts = Accounts(database)
    memberships = Memberships(database, clock)
    namespaces = Namespaces(database, clock, decisions, accounts, memberships, audit, settings)
    families = Families(database, clock, keyring, decisions, audit, settings)
    api_keys = ApiKeys(database, clock, keyring, decisions, audit, settings)
    key_uses = KeyUses(database, clock, settings)
    acts = Acts(database, clock, families, api_keys)
    invitations = Invitations(database, clock, accounts, memberships, acts, audit, settings)
    challenges = Challenges(database, clock, settings)
    sign_in = SignIn(
        database=database,
        clock=clock,
        settings=settings,
        challenges=challenges,
        accounts=accounts,
        namespaces=namespaces,
        families=families,
        api_keys=api_keys,
        access_tokens=access_tokens,
        audit=audit,
    )
    logins = Logins(database, clock, settings, accounts=accounts, families=families, sign_in=sign_in)
    authenticator = Authenticator(decisions, access_tokens, api_keys, families, key_uses, settings)
    return Auth(
        settings=settings,
        authenticator=authenticator,
        sign_in=sign_in,
        linking=Linking(
            database, clock, settings, accounts=accounts, challenges=challenges, decisions=decisions, audit=audit
        ),
        logins=logins,
        sessions=Sessions(families, api_keys, access_tokens),
        api_keys=api_keys,
        namespaces=namespaces,
        signing_keys=signing_keys,
        decisions=decisions,
        watch=CredentialWatch(authenticator, clock),
        own_namespaces=OwnNamespaces(database, clock, decisions, namespaces, memberships, acts, audit),
        members=Members(database, decisions, memberships, acts, audit),
        invitations=invitations,
        keys=KeyIssuer(database, clock, api_keys, decisions, acts, audit, settings),
        key_uses=key_uses,
        audit=audit,
        sweeps=(
            challenges.sweep(),
            logins.sweep(),
            *families.sweeps(),
            api_keys.sweep(),
            invitations.sweep(),
            audit.sweep(),
            signing_keys.sweep(),
        ),
    )
