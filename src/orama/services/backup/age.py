"""Encryption to public keys, in the format of age (https://age-encryption.org/v1): its own tool opens it too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BufferedIOBase
from typing import BinaryIO, TypeAlias, cast

import pyrage

from orama.errors import Internal, InvalidArgument, Unprocessable

Identity: TypeAlias = pyrage.x25519.Identity
"""A private key."""
Recipient: TypeAlias = pyrage.x25519.Recipient
"""A public key."""


def make_identity() -> tuple[str, str]:
    """A new private key as the text of its file, and the public key that belongs to it."""
    identity = Identity.generate()
    recipient = str(identity.to_public())
    return f"# public key: {recipient}\n{identity}\n", recipient


def parse_recipient(text: str) -> Recipient:
    """A public key.

    Raises:
        InvalidArgument: it is none; what it is is not told, as it might be a private one.
    """
    try:
        return Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise InvalidArgument(f"a recipient is no public key of age (age1…): {error}") from error


def parse_identities(text: str) -> list[Identity]:
    """The private keys in a file: one a line, with comments and blank lines, as `age-keygen` writes it.

    Raises:
        InvalidArgument: there is none, or a line is no private key; what the line says is not told.
    """
    lines = [line.strip() for line in text.splitlines()]
    try:
        identities = [Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError as error:
        raise InvalidArgument("a line is no private key of age (AGE-SECRET-KEY-1…)") from error
    if not identities:
        raise InvalidArgument("there is no private key of age (AGE-SECRET-KEY-1…)")
    return identities


def encrypt(chunks: Iterable[bytes], target: BinaryIO, recipients: Sequence[Recipient]) -> str:
    """Write `chunks` to `target` such that whoever has a key of `recipients` can read them; the SHA-256 of the result.

    Raises:
        InvalidArgument: there is no recipient.
        Exception: whatever `chunks` or `target` raised; what is in `target` then is good for nothing.
    """
    if not recipients:
        raise InvalidArgument("name at least one public key to encrypt to")
    sink = _Sink(target)
    outlet, inlet = os.pipe()
    try:
        # In a thread, where no signal arrives: pyrage makes a text of what is raised while it calls us.
        with ThreadPoolExecutor(1, "orama-encryption") as threads, os.fdopen(inlet, "wb") as pipe:
            encryption = threads.submit(_encrypt, outlet, sink, recipients)
            pipe.writelines(chunks)
    except BrokenPipeError:
        # Why nobody reads any more.
        encryption.result()  # pyright: ignore[reportPossiblyUnboundVariable] (before, there is nobody who could stop)
        raise
    encryption.result()
    return sink.sha256.hexdigest()


@contextmanager
def decrypting(encrypted: BinaryIO, identities: Sequence[Identity]) -> Generator[BinaryIO, None, None]:
    """What is in `encrypted`, to be read to its end: only then is it sure that nothing is missing.

    It is decrypted in a thread as it is read, a pipe's length ahead.

    Raises:
        Unprocessable: at the end of the block, also in the place of one that the block raised: none of `identities`
            opens it, or it was altered, or cut off. What was read before is authentic, but not all.
    """
    outlet, inlet = os.pipe()
    try:
        with ThreadPoolExecutor(1, "orama-decryption") as threads, os.fdopen(outlet, "rb") as decrypted:
            decryption = threads.submit(_decrypt, encrypted, inlet, identities)
            yield decrypted
    except Unprocessable:
        # If it did not decrypt, what was read made no sense because it ended too early.
        decryption.result()  # pyright: ignore[reportPossiblyUnboundVariable] (before, nothing is read)
        raise
    decryption.result()


def _encrypt(outlet: int, sink: _Sink, recipients: Sequence[Recipient]) -> None:
    with os.fdopen(outlet, "rb") as pipe:
        try:
            pyrage.encrypt_io(cast("BufferedIOBase", pipe), cast("BufferedIOBase", sink), recipients)
        except pyrage.EncryptError:
            raise sink.failure or Internal("the encryption failed") from None


def _decrypt(encrypted: BinaryIO, inlet: int, identities: Sequence[Identity]) -> None:
    with os.fdopen(inlet, "wb", buffering=0) as pipe:
        try:
            pyrage.decrypt_io(cast("BufferedIOBase", encrypted), cast("BufferedIOBase", pipe), identities)
        except BrokenPipeError:
            pass  # The reader has seen enough, and has its reasons.
        except pyrage.DecryptError as error:
            raise Unprocessable(
                f"this file does not open with this private key ({error}): it was made for another, or is damaged",
                reason="backup_not_opened",
            ) from error
        except OSError as error:
            if error.errno is not None:
                raise
            raise Unprocessable(
                "this file is damaged, or cut off: what is in it is not what was encrypted", reason="backup_damaged"
            ) from error


class _Sink:
    """A file to write that is hashed; `failure` is what it raised."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.sha256 = hashlib.sha256()
        self.failure: BaseException | None = None

    def write(self, data: bytes) -> int:
        try:
            self._target.write(data)
        except BaseException as error:
            self.failure = error
            raise
        self.sha256.update(data)
        return len(data)

    def flush(self) -> None:
        """Whoever owns the file flushes it."""
