"""`orama wallet`: a wallet in a file, for scripts and for trying things out. Not a place for anything of value."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from orama.errors import InvalidArgument
from orama.wire.auth import Challenge

if TYPE_CHECKING:
    from coincurve import PrivateKey

app = typer.Typer(no_args_is_help=True, help="A wallet in a file, for scripts and tests.")
KeyFile = Annotated[Path, typer.Option("--key", metavar="FILE", help="The file with the private key, in hexadecimal.")]


@app.command("create")
def create(key: KeyFile) -> None:
    """Make an Ethereum key, readable by you alone, and print its address."""
    from coincurve import PrivateKey

    private = PrivateKey()
    try:
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as cause:
        raise InvalidArgument(f"cannot write {key}: {cause.strerror}") from cause
    with os.fdopen(descriptor, "w") as file:
        file.write(private.to_hex() + "\n")
    address(key)


@app.command("address")
def address(key: KeyFile) -> None:
    """Print the address."""
    from orama.domain.ethereum import checksum_address, keccak256

    public = _read(key).public_key.format(compressed=False)
    print(checksum_address(keccak256(public[1:])[-20:].hex()))


@app.command("sign")
def sign(
    key: KeyFile,
    message: Annotated[str, typer.Argument(help="The text to sign.")],
) -> None:
    """Sign a text as `personal_sign` does (EIP-191) and print the signature in hexadecimal."""
    print(_signature(key, message))


@app.command("answer")
def answer(key: KeyFile) -> None:
    """Read a challenge (the reply of /v1/auth/challenge) from standard input and print the signed answer.

    It is the body that /v1/auth/verify, /v1/auth/api-key and /v1/auth/register want.
    """
    try:
        challenge = msgspec.json.decode(sys.stdin.buffer.read(), type=Challenge)
    except msgspec.DecodeError as cause:
        raise InvalidArgument(f"standard input holds no challenge: {cause}") from cause
    body = {
        "wallet": challenge.wallet,
        "namespace": challenge.namespace,
        "nonce": challenge.nonce,
        "signature": _signature(key, challenge.nonce),
    }
    print(msgspec.json.encode(body).decode())


def _signature(key: Path, text: str) -> str:
    from orama.domain.ethereum import personal_message_hash

    # The library's annotation of an argument that is not used here is incomplete.
    signature = bytearray(_read(key).sign_recoverable(personal_message_hash(text), hasher=None))  # pyright: ignore[reportUnknownMemberType]
    signature[64] += 27
    return "0x" + signature.hex()


def _read(file: Path) -> PrivateKey:
    from coincurve import PrivateKey

    try:
        return PrivateKey.from_hex(file.read_text("ascii").strip().removeprefix("0x"))
    except (OSError, ValueError) as cause:
        raise InvalidArgument(f"cannot read a private key from {file}: {cause}") from cause
