"""Content as blocks, made by the pure rules: what tests compare an engine with, and feed it with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from orama.domain.content.car import car_header, car_section
from orama.domain.content.cid import RAW, Cid
from orama.domain.content.dag_pb import Block
from orama.domain.content.file import Chunker, FileTree, Part


def file_blocks(content: bytes, *, piece_bytes: int = 1 << 16) -> list[Block]:
    """The blocks of a file, its root last. The file comes in pieces of `piece_bytes`, which must not matter."""
    chunker, tree, blocks = Chunker(), FileTree(), list[Block]()

    def take(chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            blocks.append(Block(Cid.of(RAW, chunk), chunk, len(chunk)))
            blocks.extend(tree.add(Part(blocks[-1].cid, len(chunk), len(chunk))))

    for at in range(0, len(content), piece_bytes):
        take(chunker.feed(content[at : at + piece_bytes]))
    take(chunker.rest())
    blocks.extend(tree.finish())
    assert blocks[-1].cid == tree.root.cid
    return blocks


def cid_of(content: bytes) -> Cid:
    """The identifier of a file."""
    return file_blocks(content)[-1].cid


def archive(root: Cid, blocks: Iterable[Block]) -> bytes:
    """A CAR of `blocks`."""
    return car_header(root) + b"".join(car_section(block.cid, block.data) for block in blocks)


async def pieces(content: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    """`content` as a stream."""
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def stream(*parts: bytes | BaseException) -> AsyncIterator[bytes]:
    """A stream of `parts`, which fails where one is an exception."""
    for part in parts:
        if isinstance(part, BaseException):
            raise part
        yield part
