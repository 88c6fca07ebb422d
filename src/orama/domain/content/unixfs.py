"""UnixFS: what a DAG-PB block says about the file or directory that it is part of (specs.ipfs.tech/unixfs)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

from orama.domain.content.protobuf import bytes_field, number_field, read_fields


class NodeKind(IntEnum):
    """What a block is part of."""

    RAW = 0
    DIRECTORY = 1
    FILE = 2
    METADATA = 3
    SYMLINK = 4
    HAMT_SHARD = 5


class UnixFs(msgspec.Struct, frozen=True, gc=False):
    """The data of a block.

    `content`: bytes of a file that stand in the block itself, a shard's bit field, or a link's target. `size_bytes`: of
    the file's part below this block, and `part_bytes` that of each link's. `hash_name` and `fanout` are a shard's.
    """

    kind: NodeKind
    content: bytes = b""
    size_bytes: int | None = None
    part_bytes: tuple[int, ...] = ()
    hash_name: int | None = None
    fanout: int | None = None


_KIND, _CONTENT, _SIZE, _PARTS, _HASH, _FANOUT, _MODE, _MTIME = range(1, 9)
EMPTY_DIRECTORY: Final = number_field(_KIND, NodeKind.DIRECTORY)
"""The data of every directory that is one block: its entries are the block's links."""


def encode_unixfs(node: UnixFs) -> bytes:
    """The data as bytes."""
    parts = [number_field(_KIND, node.kind)]
    if node.content:
        parts.append(bytes_field(_CONTENT, node.content))
    if node.size_bytes is not None:
        parts.append(number_field(_SIZE, node.size_bytes))
    parts.extend(number_field(_PARTS, size) for size in node.part_bytes)
    if node.hash_name is not None:
        parts.append(number_field(_HASH, node.hash_name))
    if node.fanout is not None:
        parts.append(number_field(_FANOUT, node.fanout))
    return b"".join(parts)


def decode_unixfs(encoded: bytes) -> UnixFs:
    """What `encoded` says. Modes and modification times, which are another profile's, are passed over.

    Raises:
        ValueError: it is not UnixFS.
    """
    kind: NodeKind | None = None
    content, size, hash_name, fanout = b"", None, None, None
    parts: list[int] = []
    for field, value in read_fields(encoded):
        match field, value:
            case 1, int():
                kind = NodeKind(value)
            case 2, bytes():
                content = value
            case 3, int():
                size = value
            case 4, int():
                parts.append(value)
            case 4, bytes():
                raise ValueError("packed sizes are not UnixFS")
            case 5, int():
                hash_name = value
            case 6, int():
                fanout = value
            case _:
                if field not in (_MODE, _MTIME):
                    raise ValueError("a field that UnixFS does not have")
    if kind is None:
        raise ValueError("it does not say what it is")
    return UnixFs(kind, content, size, tuple(parts), hash_name, fanout)
