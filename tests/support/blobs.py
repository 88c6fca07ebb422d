"""The embedded content store in a temporary directory."""

from __future__ import annotations

from contextlib import asynccontextmanager

from orama.backends.blobs.local.blobs import LocalBlobs
from orama.backends.blobs.local.settings import LocalBlobsSettings
from orama.domain.content.multibase import encode_base32


@asynccontextmanager
async def open_blobs(directory, **settings):
    blobs = await LocalBlobs.open(LocalBlobsSettings(data_directory=directory, **settings))
    try:
        yield blobs
    finally:
        await blobs.close()


def block_files(directory):
    """All files of blocks."""
    return sorted(file for file in (directory / "blocks").rglob("*") if file.is_file())


def file_of(directory, cid):
    """The file of one block."""
    (file,) = [one for one in block_files(directory) if one.name == encode_base32(cid.multihash)]
    return file
