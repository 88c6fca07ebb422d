"""What an operator may choose about content on the local disk."""

from __future__ import annotations

from pathlib import Path

import msgspec


class LocalBlobsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `LocalBlobs`; the defaults suit one node of 2 to 8 cores.

    Memory is bounded by `max_adds`, each with up to 5 MiB, and `max_reads`, each with up to 3; small files take less.
    """

    data_directory: Path
    threads: int = 4
    """Threads that hash, read and write."""
    max_adds: int = 64
    """Files and archives being stored at a time; beyond it callers are told to come back."""
    max_reads: int = 256
    """Files and archives being read at a time; beyond it callers are told to come back."""
    max_archive_blocks: int = 200_000
    """Most blocks of an archive that is imported; about 200 bytes of memory each."""
    min_free_percent: float = 5.0
    """Of the disk; when less is free, nothing is stored any more, so that the databases can still write."""
