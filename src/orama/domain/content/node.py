"""What a block is part of: a file, a directory, a shard of one, or a symbolic link."""

from __future__ import annotations

import msgspec

from orama.domain.content.blob import Content, ContentKind
from orama.domain.content.cid import DAG_PB, RAW, Cid
from orama.domain.content.dag_pb import Link, decode_node
from orama.domain.content.directory import FANOUT, MURMUR3_64, PREFIX_LENGTH
from orama.domain.content.murmur3 import murmur3_64
from orama.domain.content.unixfs import NodeKind, UnixFs, decode_unixfs


class FileNode(msgspec.Struct, frozen=True):
    """A file or a part of one: first `content`, then what the links lead to, each with its length in bytes."""

    content: bytes
    parts: tuple[tuple[Link, int], ...]
    size_bytes: int
    tree_bytes: int

    @property
    def links(self) -> list[Link]:
        """What the block leads to."""
        return [link for link, _ in self.parts]


class DirectoryNode(msgspec.Struct, frozen=True):
    """A directory that is one block: a link for each entry, by its name."""

    links: list[Link]
    tree_bytes: int


class ShardNode(msgspec.Struct, frozen=True):
    """A shard of a directory."""

    links: list[Link]
    tree_bytes: int

    def entries(self) -> list[Link]:
        """The entries that stand in this shard, by their names."""
        return [
            Link(link.cid, link.name[PREFIX_LENGTH:], link.tree_bytes)
            for link in self.links
            if len(link.name) > PREFIX_LENGTH
        ]

    def shards(self) -> list[Cid]:
        """The shards below this one."""
        return [link.cid for link in self.links if len(link.name) == PREFIX_LENGTH]

    def find(self, name: bytes, depth: int) -> Link | None:
        """The link to the entry called `name`, or to the shard below (its name is empty) in which that would stand.

        `depth` is how many shards are above this one.
        """
        place = murmur3_64(name)
        if depth == len(place):
            return None
        prefix = b"%02X" % place[depth]
        for link in self.links:
            if link.name in (prefix, prefix + name):
                return Link(link.cid, link.name[PREFIX_LENGTH:], link.tree_bytes)
        return None


class SymlinkNode(msgspec.Struct, frozen=True):
    """A symbolic link, whose target nobody follows here."""

    target: bytes
    tree_bytes: int
    links: tuple[()] = ()


Node = FileNode | DirectoryNode | ShardNode | SymlinkNode


def read_node(cid: Cid, data: bytes) -> Node:
    """What the block `cid`, whose bytes are `data`, is part of.

    Raises:
        ValueError: it is not UnixFS, or of a form that is not in use.
    """
    if cid.codec == RAW:
        return FileNode(data, (), len(data), len(data))
    if cid.codec != DAG_PB:
        raise ValueError("a block of another format than UnixFS")
    links, inner = decode_node(data)
    said = decode_unixfs(inner)
    tree_bytes = len(data) + sum(link.tree_bytes for link in links)
    match said.kind:
        case NodeKind.FILE | NodeKind.RAW:
            return _file(links, said, tree_bytes)
        case NodeKind.DIRECTORY:
            return DirectoryNode(links, tree_bytes)
        case NodeKind.HAMT_SHARD:
            if said.fanout != FANOUT or said.hash_name != MURMUR3_64:
                raise ValueError("a directory of shards of another kind")
            if any(len(link.name) < PREFIX_LENGTH for link in links):
                raise ValueError("a shard's link without its number")
            return ShardNode(links, tree_bytes)
        case NodeKind.SYMLINK:
            return SymlinkNode(said.content, tree_bytes)
        case NodeKind.METADATA:
            raise ValueError("a block of metadata alone")


def _file(links: list[Link], said: UnixFs, tree_bytes: int) -> FileNode:
    if len(links) != len(said.part_bytes):
        raise ValueError("a file that does not state the sizes of its parts")
    size = len(said.content) + sum(said.part_bytes)
    if said.size_bytes not in (None, size):
        raise ValueError("a file whose sizes do not add up")
    return FileNode(said.content, tuple(zip(links, said.part_bytes, strict=True)), size, tree_bytes)


def content_of(cid: Cid, node: Node) -> Content:
    """What is known of the content whose root is `node`."""
    match node:
        case FileNode():
            return Content(cid, ContentKind.FILE, node.size_bytes, node.tree_bytes)
        case SymlinkNode():
            return Content(cid, ContentKind.SYMLINK, len(node.target), node.tree_bytes)
        case DirectoryNode() | ShardNode():
            return Content(cid, ContentKind.DIRECTORY, node.tree_bytes, node.tree_bytes)
