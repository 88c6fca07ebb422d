"""Directories as DAGs: one block while it is small, a hash array mapped trie of blocks when it is not.

As the profile ``unixfs-v1-2025`` (IPIP-0499) has it: the limit is what the one block would take in bytes, exactly; a
shard has up to 256 children, and a name's place follows from its MurmurHash3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from orama.domain.content.dag_pb import Block, Link, link_bytes
from orama.domain.content.murmur3 import murmur3_64
from orama.domain.content.protobuf import bytes_field
from orama.domain.content.unixfs import EMPTY_DIRECTORY, NodeKind, UnixFs, encode_unixfs

MAX_BLOCK_BYTES: Final = 256 * 1024
"""Largest directory that is one block; one byte more, and it becomes shards."""
FANOUT: Final = 256
"""Children of a shard."""
MURMUR3_64: Final = 0x22
"""The multiformats' code of the hash that places names in shards."""
PREFIX_LENGTH: Final = 2
"""Letters in front of a name in a shard's link: the child's number in base16. A link with no more leads to a shard."""

_Tree: TypeAlias = "dict[str, Link | _Tree]"


def directory_blocks(links: Sequence[Link]) -> Iterator[Block]:
    """The blocks of a directory, its root last. The links' names are its entries', each there once.

    20,000 entries take 0.3 s: not for an event loop.

    Raises:
        ValueError: two names in shards have one hash, which only happens on purpose; Kubo refuses them, too.
    """
    ordered = sorted(links, key=_by_name)
    if len(bytes_field(1, EMPTY_DIRECTORY)) + sum(map(link_bytes, ordered)) <= MAX_BLOCK_BYTES:
        yield Block.of(ordered, EMPTY_DIRECTORY)
    else:
        yield from _shard([(murmur3_64(link.name), link) for link in ordered], depth=0)


def nested_directory(files: Mapping[tuple[str, ...], Link]) -> Iterator[Block]:
    """The blocks of a directory of `files` by their paths, with the directories between; its root last.

    The links' own names do not matter. Time as `directory_blocks`.

    Raises:
        ValueError: a path is empty, or leads through a file.
    """
    root: _Tree = {}
    for path, link in files.items():
        here = root
        for name in path[:-1]:
            here = _below(here, name)
        if not path or not all(path):
            raise ValueError("a name is empty")
        if path[-1] in here:
            raise ValueError(f"{path[-1]!r} is a file and a directory")
        here[path[-1]] = link
    yield from _nested(root)


def _below(tree: _Tree, name: str) -> _Tree:
    match tree.get(name):
        case None:
            below = tree[name] = {}
            return below
        case Link():
            raise ValueError(f"{name!r} is a file and a directory")
        case below:
            return below


def _nested(tree: _Tree) -> Iterator[Block]:
    links: list[Link] = []
    for name, below in tree.items():
        if isinstance(below, Link):
            links.append(Link(below.cid, name.encode(), below.tree_bytes))
            continue
        block: Block | None = None
        for block in _nested(below):
            yield block
        assert block is not None
        links.append(Link(block.cid, name.encode(), block.tree_bytes))
    yield from directory_blocks(links)


def _by_name(link: Link) -> bytes:
    return link.name


def _shard(entries: Sequence[tuple[bytes, Link]], depth: int) -> Iterator[Block]:
    """The shards of `entries`, which have `depth` bytes of their hashes in common; the topmost last."""
    children: dict[int, list[tuple[bytes, Link]]] = {}
    for place, link in entries:
        if depth == len(place):
            raise ValueError("two names have the same hash: rename one")
        children.setdefault(place[depth], []).append((place, link))
    links: list[Link] = []
    for number in sorted(children):
        below = children[number]
        if len(below) == 1:
            link = below[0][1]
            links.append(Link(link.cid, b"%02X%b" % (number, link.name), link.tree_bytes))
            continue
        block: Block | None = None
        for block in _shard(below, depth + 1):
            yield block
        assert block is not None
        links.append(Link(block.cid, b"%02X" % number, block.tree_bytes))
    yield Block.of(links, _shard_data(children))


def _shard_data(children: Mapping[int, object]) -> bytes:
    """A shard's data: one bit for each child that is there, the highest number first, without leading zeros."""
    bits = sum(1 << number for number in children)
    field = bits.to_bytes((bits.bit_length() + 7) // 8)
    return encode_unixfs(UnixFs(NodeKind.HAMT_SHARD, content=field, hash_name=MURMUR3_64, fanout=FANOUT))
