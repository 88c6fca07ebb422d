"""Reading a backup: everything in it is checked as it comes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from orama.contracts.backup import Section
from orama.services.backup import tar
from orama.services.backup.age import Identity, decrypting
from orama.services.backup.manifest import (
    HEADER_NAME,
    MANIFEST_NAME,
    MAX_JSON_BYTES,
    Backup,
    Header,
    Manifest,
    Part,
    check_format,
    decode,
    not_whole,
)
from orama.services.backup.unfinished import write_private


def read_backup(
    encrypted: BinaryIO, identities: Sequence[Identity], sections: Sequence[Section], directory: Path, *, keep: bool
) -> Backup:
    """Decrypt and check the whole backup; what returns, every byte of it is what was written.

    Args:
        encrypted: the file.
        identities: private keys, one of which opens it.
        sections: who knows what may be in it.
        directory: where its parts are laid in clear: all of them if they are to be kept, else one at a time.
        keep: whether they are.

    Raises:
        Unprocessable: it does not open with these keys, was altered, or is not whole.
        Conflict: a newer program wrote it.
        OSError: the disk does not take the parts.
    """
    with decrypting(encrypted, identities) as source:
        members = tar.entries(source)
        header = decode(_text(next(members, None), HEADER_NAME), Header)
        check_format(header)
        parts: list[Part] = []
        for entry in members:
            if entry.name == MANIFEST_NAME:
                break
            parts.append(_receive(entry, sections, directory, keep=keep))
        else:
            raise not_whole("it has no manifest")
        manifest = decode(entry.read(MAX_JSON_BYTES), Manifest)
        if next(members, None) is not None:
            raise not_whole("something follows its manifest")
    _compare(manifest, parts)
    return Backup(header, parts)


def _text(entry: tar.Entry | None, name: str) -> bytes:
    if entry is None or entry.name != name:
        raise not_whole(f"it does not begin with {name}")
    return entry.read(MAX_JSON_BYTES)


def _receive(entry: tar.Entry, sections: Sequence[Section], directory: Path, *, keep: bool) -> Part:
    """Lay a part in its place, look through it, and take it away again unless it is to be kept."""
    section = next((one for one in sections if one.owns(entry.name)), None)
    if section is None:
        raise not_whole(f"{entry.name!r} is nothing that a node keeps")
    file = directory / entry.name
    file.parent.mkdir(mode=0o700, exist_ok=True)
    sha256 = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for chunk in entry.chunks():
            sha256.update(chunk)
            yield chunk

    try:
        write_private(file, hashed())
    except FileExistsError as error:
        raise not_whole(f"{entry.name!r} stands in it twice") from error
    content = section.examine(entry.name, file)
    if not keep:
        file.unlink()
    return Part(entry.name, entry.size, sha256.hexdigest(), content)


def _compare(manifest: Manifest, parts: list[Part]) -> None:
    """Refuse what is not as the manifest says.

    Raises:
        Unprocessable: it is not; the text names the first difference.
    """
    if [one.name for one in manifest.parts] != [one.name for one in parts]:
        raise not_whole("it does not hold the parts that its manifest names")
    for wanted, found in zip(manifest.parts, parts, strict=True):
        if wanted != found:
            raise not_whole(f"{found.name} is not what its manifest says")
