"""Content as DAGs, in memory: what the tests of the pure rules and of the adapters share."""

from __future__ import annotations

from collections.abc import Iterable

from orama.domain.content.cid import RAW, Cid
from orama.domain.content.dag_pb import Link, link_bytes
from orama.domain.content.directory import MAX_BLOCK_BYTES, directory_blocks
from orama.domain.content.file import Chunker, FileTree, Part

EMPTY_FILE = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


def zeros_root(size: int) -> str:
    """The identifier of a file of zeros, of which each chunk is hashed once."""
    chunker, tree, known = Chunker(), FileTree(), {}
    zeros = bytes(1 << 20)
    pieces = [zeros] * (size >> 20) + [zeros[: size & (1 << 20) - 1]]
    for chunks in (*map(chunker.feed, pieces), chunker.rest()):
        for chunk in chunks:
            cid = known.setdefault(len(chunk), Cid.of(RAW, chunk))
            for _ in tree.add(Part(cid, len(chunk), len(chunk))):
                pass
    for _ in tree.finish():
        pass
    return tree.root.cid.text


def link_to(name: str, content: bytes) -> Link:
    """A link to a file of one chunk."""
    return Link(Cid.of(RAW, content), name.encode(), len(content))


def directory_root(links: Iterable[Link]) -> str:
    *_, root = directory_blocks(list(links))
    return root.cid.text


def named_after_content(count: int) -> list[Link]:
    """Links to files that hold their own names."""
    names = [f"f{number:05d}" for number in range(count)]
    return [link_to(name, name.encode()) for name in names]


def names_that_fill(over: int) -> list[str]:
    """Names of files that hold "orama!", whose directory in one block passes the limit by `over` bytes, or misses it."""
    names = [f"f{number:05d}" for number in range(5238)]
    used = 4 + sum(link_bytes(link_to(name, b"orama!")) for name in names)
    (last,) = [
        name for name in map("l".ljust, range(1, 256), "l" * 255)
        if used + link_bytes(link_to(name, b"orama!")) == MAX_BLOCK_BYTES + over
    ]  # fmt: skip
    return [*names, last]
