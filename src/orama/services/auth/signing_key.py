"""The keys that sign access tokens: made once, sealed, in the platform's database, the same for all gateways."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM
from orama.domain.sql import Consistency, Statement
from orama.domain.timestamp import to_ms
from orama.errors import Internal, Precondition, Unavailable
from orama.services.auth.keyring import Sealer
from orama.services.auth.settings import Algorithm, AuthSettings

PrivateKey: TypeAlias = Ed25519PrivateKey | RSAPrivateKey


class SigningKey(msgspec.Struct, frozen=True):
    """One key.

    `kid`: the first 8 bytes, in hex, of the SHA-256 over the public key (SubjectPublicKeyInfo). `retired_at`: unix
    milliseconds from which it signs no more; it verifies for as long as its tokens may live.
    """

    kid: str
    algorithm: Algorithm
    private: PrivateKey
    retired_at: int | None = None

    @property
    def jwk(self) -> dict[str, str]:
        """The public half as a JSON Web Key (RFC 7517)."""
        if isinstance(self.private, RSAPrivateKey):
            fields = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        else:
            fields = OKPAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        public = {name: str(fields[name]) for name in ("kty", "crv", "x", "n", "e") if name in fields}
        return {**public, "use": "sig", "alg": self.algorithm, "kid": self.kid}


class SigningKeys:
    """The set of keys in use: one that signs, its successor if there is one, and those it replaced.

    Whichever gateway first finds no key makes one; the database admits one key per algorithm without an end. A
    successor is published for `AuthSettings.signing_key_refresh_s` before it signs: by then all gateways know it.
    """

    def __init__(self, database: Database, clock: Clock, sealer: Sealer, settings: AuthSettings) -> None:
        self._database = database
        self._clock = clock
        self._sealer = sealer
        self._settings = settings
        self._keys: dict[str, SigningKey] = {}
        self._read_at = float("-inf")
        self.public: list[dict[str, str]] = []
        """The public keys, newest first, as the members of a JSON Web Key Set; another list when they change."""

    async def open(self) -> None:
        """Read the keys; make the first one if there is none.

        Raises:
            Internal: the keys in the database were sealed with another root secret.
        """
        await self._read()
        if self._current() is None:
            await self._execute([self._creation(await self._generate())])
            await self._read()

    async def current(self) -> SigningKey:
        """The key to sign with; in an outage, the one last known."""
        try:
            await self._refresh(self._settings.signing_key_refresh_s)
        except Unavailable:
            if self._current() is None:
                raise
        key = self._current()
        if key is None:
            raise Internal(f"there is no signing key for {self._settings.jwt_algorithm}")
        return key

    async def find(self, kid: str) -> SigningKey | None:
        """The key called `kid`, which may have been made by another gateway a moment ago.

        Raises:
            Unavailable: it is not among those known, and the database is away.
        """
        if kid not in self._keys:
            # Anybody can make up a kid: the database is asked as often as decisions are renewed, not more.
            await self._refresh(self._settings.decision_s)
        return self._keys.get(kid)

    async def rotate(self) -> None:
        """Publish a new key, which takes over in a moment; tokens signed with the old one stay good."""
        successor = await self._generate()
        retire = Statement(
            "UPDATE signing_keys SET retired_at = ? WHERE algorithm = ? AND retired_at IS NULL",
            (to_ms(self._clock.now() + self._settings.signing_key_refresh_s), successor.algorithm),
        )
        await self._execute([retire, self._creation(successor)])
        await self._read()

    def _current(self) -> SigningKey | None:
        """The oldest that has not ended: keys stand newest first."""
        wanted, now = self._settings.jwt_algorithm, to_ms(self._clock.now())
        usable = (
            key
            for key in reversed(self._keys.values())
            if key.algorithm == wanted and (key.retired_at is None or key.retired_at > now)
        )
        return next(usable, None)

    async def _refresh(self, max_age_s: float) -> None:
        if self._clock.monotonic() - self._read_at >= max_age_s:
            await self._read()

    async def _read(self) -> None:
        # Another gateway may sign with a retired key until it reads the set again.
        overlap_s = self._settings.access_token_s + self._settings.signing_key_refresh_s + self._settings.clock_skew_s
        statement = Statement(
            "SELECT kid, algorithm, sealed, retired_at FROM signing_keys "
            "WHERE retired_at IS NULL OR retired_at > ? ORDER BY created_at DESC, kid",
            (to_ms(self._clock.now() - overlap_s),),
        )
        read = await self._database.query(PLATFORM, statement, consistency=Consistency.LINEARIZABLE)
        rows = msgspec.convert(read.rows, list[tuple[str, Algorithm, bytes, int | None]])
        self._keys = {kid: self._opened(kid, algorithm, sealed, retired) for kid, algorithm, sealed, retired in rows}
        self._read_at = self._clock.monotonic()
        public = [key.jwk for key in self._keys.values()]
        if public != self.public:
            self.public = public

    def _opened(self, kid: str, algorithm: Algorithm, sealed: bytes, retired_at: int | None) -> SigningKey:
        known = self._keys.get(kid)
        private = known.private if known else load_der_private_key(self._sealer.unseal(sealed, kid), password=None)
        if not isinstance(private, PrivateKey):
            raise Internal(f"signing key {kid} is of a kind that nobody made here")
        return SigningKey(kid, algorithm, private, retired_at)

    async def _generate(self) -> SigningKey:
        algorithm = self._settings.jwt_algorithm
        private: PrivateKey
        if algorithm == "RS256":  # Searching for primes takes a tenth of a second: not on the event loop.
            private = await asyncio.to_thread(generate_private_key, public_exponent=65537, key_size=2048)
        else:
            private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return SigningKey(hashlib.sha256(public).digest()[:8].hex(), algorithm, private)

    def _creation(self, key: SigningKey) -> Statement:
        plain = key.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return Statement(
            "INSERT INTO signing_keys (kid, algorithm, sealed, created_at) SELECT ?, ?, ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE algorithm = ? AND retired_at IS NULL)",
            (key.kid, key.algorithm, self._sealer.seal(plain, key.kid), to_ms(self._clock.now()), key.algorithm),
            expect_rows=1,
        )

    async def _execute(self, batch: list[Statement]) -> None:
        try:
            await self._database.execute(PLATFORM, batch)
        except Precondition:
            return  # Another gateway was faster; its key is ours too.
