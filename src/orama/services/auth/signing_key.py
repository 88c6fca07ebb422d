"""The keys that sign access tokens: made once, sealed, in the platform's database, the same for all gateways."""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import suppress
from typing import Final, TypeAlias

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
from orama.services.sweep import Sweep, platform_sweep

PrivateKey: TypeAlias = Ed25519PrivateKey | RSAPrivateKey

_KID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_REMOVE_ENDED: Final = (
    "DELETE FROM signing_keys WHERE kid IN (SELECT kid FROM signing_keys WHERE retired_at <= ? LIMIT ?)"
)


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


class Rotation(msgspec.Struct, frozen=True):
    """What a rotation did. Times are unix seconds.

    `kid`: the new key, which takes over at `signs_from`. `old_verify_until`: when no token of an old key is good any
    more.
    """

    kid: str
    algorithm: Algorithm
    signs_from: float
    old_verify_until: float


class SigningKeys:
    """The set of keys in use: one that signs, its successor if there is one, and those it replaced.

    Whichever gateway first finds no key without an end makes one; the database admits one per algorithm. A successor is
    published for `AuthSettings.signing_key_refresh_s` before it signs: by then all gateways know it. Should one not
    (another algorithm was configured elsewhere, and its key signs from the start), then the first token that names the
    key makes it look: see `find`.
    """

    def __init__(self, database: Database, clock: Clock, sealer: Sealer, settings: AuthSettings) -> None:
        self._database = database
        self._clock = clock
        self._sealer = sealer
        self._settings = settings
        self._keys: dict[str, SigningKey] = {}
        self._read_at = self._began_at = float("-inf")
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self.public: list[dict[str, str]] = []
        """What `published` gave last."""

    async def open(self) -> None:
        """Read the keys; make the first one if there is none.

        Raises:
            Internal: the keys in the database were sealed with another root secret.
        """
        await self._read_now()
        await self._ensure_successor()

    async def current(self) -> SigningKey:
        """The key to sign with; in an outage, the one last known."""
        try:
            await self._refresh()
            await self._ensure_successor()
        except Unavailable:
            if self._current() is None:
                raise
        key = self._current()
        if key is None:
            raise Internal(f"there is no signing key for {self._settings.jwt_algorithm}")
        return key

    async def published(self) -> list[dict[str, str]]:
        """The public keys, newest first, as the members of a JSON Web Key Set; another list when they change.

        In an outage, those last known.
        """
        with suppress(Unavailable):
            await self._refresh()
        return self.public

    async def find(self, kid: str) -> SigningKey | None:
        """The key called `kid`, which may have been made by another gateway a moment ago.

        Anybody can make up a kid. The database is read for unknown ones, once for all who wait, and not again before
        `AuthSettings.signing_key_pause_s` have passed; whoever asks meanwhile waits for the next reading. So a key that
        is in the database is always found, and how often the database is read does not depend on who asks.

        Raises:
            Unavailable: it is not among those known, and the database is away.
        """
        if kid not in self._keys and _KID.fullmatch(kid):
            await self._read_in_turn()
        return self._keys.get(kid)

    async def rotate(self) -> Rotation:
        """Publish a new key, which takes over in a moment; tokens signed with the old ones stay good until they end.

        Keys of other algorithms retire too. A gateway that is configured for one of them makes its successor itself.
        """
        successor = await self._generate()
        signs_from = self._clock.now() + self._settings.signing_key_refresh_s
        retire = Statement("UPDATE signing_keys SET retired_at = ? WHERE retired_at IS NULL", (to_ms(signs_from),))
        await self._database.execute(PLATFORM, [retire, self._creation(successor)])
        await self._read_now()
        return Rotation(successor.kid, successor.algorithm, signs_from, signs_from + self._overlap_s)

    def sweep(self) -> Sweep:
        """The removal of keys whose tokens have all ended."""
        return platform_sweep(self._database, "signing_keys", _REMOVE_ENDED, lambda: (self._ended_before(),))

    @property
    def _overlap_s(self) -> float:
        """How long a retired key verifies. Gateways may sign with it until they have read that it is retired."""
        return self._settings.access_token_s + self._settings.signing_key_refresh_s + self._settings.clock_skew_s

    def _ended_before(self) -> int:
        """The tokens of a key that retired by then (unix milliseconds) have all ended."""
        return to_ms(self._clock.now() - self._overlap_s)

    def _current(self) -> SigningKey | None:
        """The oldest that has not ended: keys stand newest first."""
        wanted, now = self._settings.jwt_algorithm, to_ms(self._clock.now())
        usable = (
            key
            for key in reversed(self._keys.values())
            if key.algorithm == wanted and (key.retired_at is None or key.retired_at > now)
        )
        return next(usable, None)

    async def _ensure_successor(self) -> None:
        """Make a key if all that this gateway could sign with have an end."""
        wanted = self._settings.jwt_algorithm
        if not any(key.algorithm == wanted and key.retired_at is None for key in self._keys.values()):
            with suppress(Precondition):  # Another gateway was faster; its key is ours too.
                await self._database.execute(PLATFORM, [self._creation(await self._generate())])
            await self._read_now()

    async def _refresh(self) -> None:
        if self._clock.monotonic() - self._read_at >= self._settings.signing_key_refresh_s:
            await self._read_in_turn()

    async def _read_in_turn(self) -> None:
        """Wait for a reading that begins after this call; it is shared by all who call before it begins."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._take_turn())
            self._next.add_done_callback(_seen)
        # It belongs to all who wait for it: one caller's cancellation must not fail the others.
        await asyncio.shield(self._next)

    async def _take_turn(self) -> None:
        pause_s = self._began_at + self._settings.signing_key_pause_s - self._clock.monotonic()
        if pause_s > 0:
            await self._clock.sleep(pause_s)
        async with self._turn:
            self._next = None  # What is written from now on, this reading may miss.
            self._began_at = self._clock.monotonic()
            await self._read()

    async def _read_now(self) -> None:
        async with self._turn:
            await self._read()

    async def _read(self) -> None:
        statement = Statement(
            "SELECT kid, algorithm, sealed, retired_at FROM signing_keys "
            "WHERE retired_at IS NULL OR retired_at > ? ORDER BY created_at DESC, kid",
            (self._ended_before(),),
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


def _seen(task: asyncio.Task[None]) -> None:
    """Look at how `task` ended: if all who waited for it have left, a failure is no news."""
    if not task.cancelled():
        task.exception()
