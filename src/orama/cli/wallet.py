"""`orama wallet`: a wallet in a file, for scripts and for trying things out. Not a place for anything of value."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from orama.errors import InvalidArgument
from orama.wire.auth import Challenge

if TYPE_CHECKING:
    from orama.cli.wallet_key import WalletKey

app = typer.Typer(no_args_is_help=True, help="A wallet in a file, for scripts and tests.")
KeyFile = Annotated[
    Path,
    typer.Option(
        "--key",
        metavar="FILE",
        help="The file with the private key: hexadecimal for Ethereum, a JSON array as of solana-keygen for Solana.",
    ),
]


class ChainName(StrEnum):
    """The chains by the names that people type."""

    ETH = "eth"
    SOL = "sol"


@app.command("create")
def create(
    key: KeyFile,
    chain: Annotated[ChainName, typer.Option("--chain", help="Whose wallet: Ethereum's or Solana's.")] = ChainName.ETH,
) -> None:
    """Make a key, readable by you alone, and print its address."""
    from orama.cli.wallet_key import EthereumKey, SolanaKey

    made = SolanaKey.create() if chain is ChainName.SOL else EthereumKey.create()
    try:
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as cause:
        raise InvalidArgument(f"cannot write {key}: {cause.strerror}") from cause
    with os.fdopen(descriptor, "w") as file:
        file.write(made.text + "\n")
    print(made.address)


@app.command("address")
def address(key: KeyFile) -> None:
    """Print the address."""
    print(_read(key).address)


@app.command("sign")
def sign(
    key: KeyFile,
    message: Annotated[str, typer.Argument(help="The text to sign.")],
) -> None:
    """Sign a text and print the signature: EIP-191 in hexadecimal, or for Solana Ed25519 in base64."""
    print(_read(key).sign(message))


@app.command("answer")
def answer(key: KeyFile) -> None:
    """Read a challenge (the reply of /v1/auth/challenge) from standard input and print the signed answer.

    It is the body that /v1/auth/verify, /v1/auth/api-key and /v1/auth/register want.
    """
    try:
        challenge = msgspec.json.decode(sys.stdin.buffer.read(), type=Challenge)
    except msgspec.DecodeError as cause:
        raise InvalidArgument(f"standard input holds no challenge: {cause}") from cause
    wallet = _read(key)
    body = {
        "wallet": challenge.wallet,
        "chain_type": wallet.chain.value,
        "namespace": challenge.namespace,
        "nonce": challenge.nonce,
        "signature": wallet.sign(challenge.nonce),
    }
    print(msgspec.json.encode(body).decode())


def _read(file: Path) -> WalletKey:
    from orama.cli.wallet_key import parse_key

    try:
        return parse_key(file.read_text("ascii").strip())
    except (OSError, ValueError) as cause:
        raise InvalidArgument(f"cannot read a private key from {file}: {cause}") from cause
