"""DAG-PB: blocks that hold named links to other blocks (ipld.io/specs/codecs/dag-pb).

The form written is the canonical one: links before data, and of each link its hash, name and size, always all three.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orama.domain.content.cid import DAG_PB, Cid, read_cid
from orama.domain.content.protobuf import bytes_field, number_field, read_fields
from orama.domain.content.varint import varint_length

_DATA, _LINKS = 1, 2
_HASH, _NAME, _TREE_BYTES = 1, 2, 3


class Link(msgspec.Struct, frozen=True, gc=False):
    """A link to a block.

    `name` is bytes because nothing demands that it be text. `tree_bytes` is what all blocks below take, each counted as
    often as it is linked to; the makers of DAGs call it Tsize, and nobody vouches for it.
    """

    cid: Cid
    name: bytes
    tree_bytes: int


class Block(msgspec.Struct, frozen=True, gc=False):
    """Bytes with their identifier, which matches them. `tree_bytes` as in `Link`, with the block's own."""

    cid: Cid
    data: bytes
    tree_bytes: int

    @classmethod
    def of(cls, links: Sequence[Link], data: bytes) -> Block:
        """The DAG-PB block with `links` and `data`."""
        encoded = encode_node(links, data)
        return cls(Cid.of(DAG_PB, encoded), encoded, len(encoded) + sum(link.tree_bytes for link in links))


def encode_node(links: Sequence[Link], data: bytes) -> bytes:
    """A block's bytes. `links` stand in the order in which they are to be written."""
    return b"".join([*(bytes_field(_LINKS, _encode_link(link)) for link in links), bytes_field(_DATA, data)])


def link_bytes(link: Link) -> int:
    """What `link` adds to a block that holds it."""
    cid, name = len(link.cid.binary), len(link.name)
    inner = 3 + varint_length(cid) + cid + varint_length(name) + name + varint_length(link.tree_bytes)
    return 1 + varint_length(inner) + inner


def decode_node(encoded: bytes) -> tuple[list[Link], bytes]:
    """The links and the data of a block.

    Raises:
        ValueError: it is no DAG-PB block, or links to a block of an unknown kind.
    """
    links: list[Link] = []
    data = b""
    for field, value in read_fields(encoded):
        if field == _DATA and isinstance(value, bytes):
            data = value
        elif field == _LINKS and isinstance(value, bytes):
            links.append(_decode_link(value))
        else:
            raise ValueError("a field that DAG-PB does not have")
    return links, data


def _encode_link(link: Link) -> bytes:
    return (
        bytes_field(_HASH, link.cid.binary) + bytes_field(_NAME, link.name) + number_field(_TREE_BYTES, link.tree_bytes)
    )


def _decode_link(encoded: bytes) -> Link:
    cid: Cid | None = None
    name, tree_bytes = b"", 0
    for field, value in read_fields(encoded):
        if field == _HASH and isinstance(value, bytes):
            cid, end = read_cid(value, 0)
            if end != len(value):
                raise ValueError("a link's identifier is followed by something else")
        elif field == _NAME and isinstance(value, bytes):
            name = value
        elif field == _TREE_BYTES and isinstance(value, int):
            tree_bytes = value
        else:
            raise ValueError("a field that a link does not have")
    if cid is None:
        raise ValueError("a link without an identifier")
    return Link(cid, name, tree_bytes)
