"""`orama backup`: a node's data in one encrypted file, and back."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer

from orama.cli.options import AsJson, ConfigFile, DataDir, load_config
from orama.errors import BadBackend, InvalidArgument

if TYPE_CHECKING:
    from orama.services.backup.manifest import Backup

app = typer.Typer(no_args_is_help=True, help="Back a node up, while it runs or not.")

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
IdentityFile = Annotated[
    Path, typer.Option("--identity", metavar="FILE", help="The file with the private key; - for standard input.")
]
Scratch = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where copies lie in clear meanwhile, one database at a time.")
]


@app.command("keygen")
def keygen(
    identity: Annotated[Path, typer.Option(metavar="FILE", help="The file to write the private key to.")],
) -> None:
    """Make a key pair: the private key goes to a file readable by you alone, the public key is printed."""
    from orama.services.backup.age import make_identity
    from orama.services.backup.unfinished import write_private

    text, recipient = make_identity()
    try:
        write_private(identity, [text.encode()])
    except OSError as cause:
        raise InvalidArgument(f"cannot write {identity}: {cause.strerror}") from cause
    print(recipient)


@app.command("create")
def create(
    file: BackupFile,
    recipients: Annotated[
        list[str], typer.Option("--recipient", metavar="AGE1…", help="Who can read it, by public key; may be repeated.")
    ],
    scratch: Scratch = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write everything that the node keeps to an encrypted file, which appears when it is whole."""
    from orama.node.backup import create

    loaded = load_config(config, node__data_dir=data_dir).config
    with _interruptible():
        made = create(loaded, recipients, file, scratch)
    _report(file, made.backup, as_json=as_json, bytes=made.bytes, sha256=made.sha256)


@app.command("verify")
def verify(file: BackupFile, identity: IdentityFile, scratch: Scratch = None, as_json: AsJson = False) -> None:
    """Decrypt the backup and check every byte, every database and every count; nothing stays on the disk."""
    from orama.node.backup import verify

    with _interruptible():
        backup = verify(file, _read(identity), scratch)
    _report(file, backup, as_json=as_json)


@app.command("restore")
def restore(
    file: BackupFile,
    identity: IdentityFile,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check the backup and lay it out in an empty data directory, on which a node can then start."""
    from orama.node.backup import restore

    loaded = load_config(config, node__data_dir=data_dir).config
    with _interruptible():
        backup = restore(loaded, file, _read(identity))
    _report(file, backup, as_json=as_json, data_dir=str(loaded.node.data_dir))


def _report(file: Path, backup: Backup, *, as_json: bool, **facts: str | int) -> None:
    """Say what is in the backup; fail if something in it was damaged before it came there."""
    contents = {
        "file": str(file),
        "created_at": datetime.fromtimestamp(backup.header.created_at / 1000, UTC).isoformat(timespec="seconds"),
        "program": backup.header.program,
        "parts": len(backup.parts),
        "rows": backup.rows,
        "damaged": backup.damaged,
        **facts,
    }
    if as_json:
        print(msgspec.json.encode(contents).decode())
    else:
        for name, value in contents.items():
            if value != {}:
                print(f"{name.replace('_', ' ')}: {value}")
    if backup.damaged:
        names = ", ".join(f"{name} ({damage})" for name, damage in backup.damaged.items())
        raise BadBackend(f"the backup is whole, but what was backed up was damaged: {names}", reason="source_damaged")


def _read(identity: Path) -> str:
    try:
        return sys.stdin.read() if str(identity) == "-" else identity.read_text("ascii")
    except (OSError, UnicodeDecodeError) as cause:
        raise InvalidArgument(f"cannot read a private key from {identity}: {cause}") from cause


@contextmanager
def _interruptible() -> Generator[None, None, None]:
    """Let SIGTERM and SIGHUP end the command as an interrupt does: what it has begun is taken away."""

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
