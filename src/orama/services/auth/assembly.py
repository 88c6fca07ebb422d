"""Identity, put together."""

from __future__ import annotations

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.services.auth.access_token import AccessTokens
from orama.services.auth.account import Accounts
from orama.services.auth.api_key import ApiKeys
from orama.services.auth.authenticator import Authenticator
from orama.services.auth.challenge import Challenges
from orama.services.auth.decision import Decisions
from orama.services.auth.family import Families
from orama.services.auth.keyring import Keyring
from orama.services.auth.linking import Linking
from orama.services.auth.login import Logins
from orama.services.auth.namespace import Namespaces
from orama.services.auth.session import Sessions
from orama.services.auth.settings import AuthSettings
from orama.services.auth.sign_in import SignIn
from orama.services.auth.signing_key import SigningKeys
from orama.services.sweep import Sweep


class Auth(msgspec.Struct, frozen=True):
    """The services of identity over one platform database. They own no resource and need no closing."""

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
    sweeps: tuple[Sweep, ...]
    """What is to be removed from the tables of identity once it is over."""


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
    namespaces = Namespaces(database, clock, decisions, settings)
    accounts = Accounts(database)
    families = Families(database, clock, keyring, decisions, settings)
    challenges = Challenges(database, clock, settings)
    api_keys = ApiKeys(database, clock, keyring, decisions, settings)
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
    )
    logins = Logins(database, clock, settings, accounts=accounts, families=families, sign_in=sign_in)
    return Auth(
        settings=settings,
        authenticator=Authenticator(decisions, access_tokens, api_keys, families, settings),
        sign_in=sign_in,
        linking=Linking(database, clock, settings, accounts=accounts, challenges=challenges, decisions=decisions),
        logins=logins,
        sessions=Sessions(families, api_keys, access_tokens),
        api_keys=api_keys,
        namespaces=namespaces,
        signing_keys=signing_keys,
        decisions=decisions,
        sweeps=(challenges.sweep(), logins.sweep(), *families.sweeps(), api_keys.sweep(), signing_keys.sweep()),
    )
