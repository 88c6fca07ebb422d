"""What is known of stored content, as ports and services speak of it."""

from __future__ import annotations

from enum import Enum

import msgspec

from orama.domain.content.cid import Cid


class ContentKind(Enum):
    """What an identifier leads to."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    """A name that stands for another; it comes with archives only."""


class Content(msgspec.Struct, frozen=True, gc=False):
    """A file or a directory.

    `size_bytes`: of a file, its length; of a directory, its files' lengths together where that is known, else the same
    as `tree_bytes`. `tree_bytes`: what its blocks take, each counted as often as it is linked to.
    """

    cid: Cid
    kind: ContentKind
    size_bytes: int
    tree_bytes: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Something in a directory, by its name there."""

    name: str
    content: Content


class Entries(msgspec.Struct, frozen=True):
    """A page of a directory, in the order of the names' bytes. `more`: whether others follow."""

    entries: list[Entry]
    more: bool


class Collected(msgspec.Struct, frozen=True, gc=False):
    """What a collection gave back."""

    blocks: int
    size_bytes: int
