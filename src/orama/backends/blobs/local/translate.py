"""From what the operating system says to what callers are told."""

from __future__ import annotations

import errno

from orama.domain.content.cid import Cid
from orama.errors import BadBackend, NotFound, OramaError, StorageFull, Unavailable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DAMAGED = (errno.EIO, errno.EUCLEAN)


def translate(error: OSError) -> OramaError:
    """The class that callers know, with a text without paths."""
    if error.errno in _FULL:
        return full("no room is left for content; nothing was stored")
    if error.errno in _DAMAGED:
        return BadBackend("the disk with the content is damaged", reason="content_damaged")
    return Unavailable("the content cannot be reached now", reason="storage_unavailable", retry_after_s=1)


def full(text: str) -> StorageFull:
    """No room on the disk."""
    return StorageFull(text, reason="storage_full")


def not_found(cid: Cid, path: tuple[str, ...] = ()) -> NotFound:
    """The content, what stands under a path in it, or a part of it, is not here."""
    return NotFound(f"content not found: {'/'.join((cid.text, *path))}", reason="content_not_found")


def damaged(cid: Cid) -> BadBackend:
    """A block's bytes are others than its identifier says."""
    return BadBackend(f"the stored content was damaged: block {cid.text}", reason="content_damaged")
