# ruff: noqa: D103 (a test's name says what it checks)
"""What every `contracts.Blobs` must do.

A test module binds it to an engine by importing everything and defining a fixture ``harness``, a `BlobsHarness`.
Tests skip on guarantees only, never on a class.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import pytest

from orama.contracts.blobs import Blobs, BlobsGuarantees
from orama.domain.content.blob import Collected, Content, ContentKind
from orama.domain.content.car import CarReader, car_header, car_section
from orama.domain.content.cid import DAG_PB, RAW, Cid, parse_cid
from orama.domain.content.dag_pb import Block, Link
from orama.domain.content.directory import directory_blocks
from orama.domain.content.unixfs import EMPTY_DIRECTORY, NodeKind, UnixFs, encode_unixfs
from orama.errors import InvalidArgument, NotFound, TooLarge, Unavailable, Unprocessable
from orama.testing.conformance.blobs_machine import check_against_model
from orama.testing.content import archive, cid_of, file_blocks, pieces, stream

MIB: Final = 1024 * 1024
SIZES: Final = (0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 5)
ABSENT: Final = Cid.of(RAW, b"nobody stored this")
ENOUGH: Final = 64 * MIB

Method = Callable[[Blobs], Awaitable[object]]


async def _add_late(blobs: Blobs) -> object:
    async with blobs.hold() as hold:
        return await blobs.add(hold, stream(b"late"), max_bytes=ENOUGH)


async def _add_directory_late(blobs: Blobs) -> object:
    async with blobs.hold() as hold:
        return await blobs.add_directory(hold, {})


async def _import_late(blobs: Blobs) -> object:
    async with blobs.hold() as hold:
        return await blobs.import_car(hold, pieces(archive(cid_of(b"x"), file_blocks(b"x"))), max_bytes=ENOUGH)


METHODS: Final[dict[str, Method]] = {
    "add": _add_late,
    "add_directory": _add_directory_late,
    "import_car": _import_late,
    "stat": lambda blobs: blobs.stat(ABSENT),
    "resolve": lambda blobs: blobs.resolve(ABSENT, ("a",)),
    "entries": lambda blobs: blobs.entries(ABSENT, after=None, limit=1),
    "read": lambda blobs: whole(blobs.read(ABSENT)),
    "export_car": lambda blobs: whole(blobs.export_car(ABSENT)),
    "block": lambda blobs: blobs.block(ABSENT),
    "collect": lambda blobs: blobs.collect(roots()),
    "ping": lambda blobs: blobs.ping(),
}
READING: Final = ("stat", "resolve", "entries", "read", "export_car", "block")


class BlobsHarness(Protocol):
    """What the suite needs to know about, and do to, the engine under test."""

    guarantees: BlobsGuarantees

    async def open(self) -> Blobs:
        """The content as it was left, none at first, in the running event loop. The suite closes it."""
        ...

    def outage(self) -> AbstractAsyncContextManager[None] | None:
        """A time during which the engine is away; None if it cannot be, for want of anything between."""
        ...

    def fresh(self) -> BlobsHarness:
        """A harness like this one over an empty engine."""
        ...


@pytest.fixture
async def blobs(harness: BlobsHarness) -> AsyncIterator[Blobs]:
    opened = await harness.open()
    yield opened
    await opened.close()


async def whole(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


async def roots(*cids: Cid) -> AsyncIterator[Cid]:
    for cid in cids:
        yield cid


async def add(blobs: Blobs, content: bytes, *, size: int = 1 << 16) -> Content:
    """Store a file that nothing holds afterwards."""
    async with blobs.hold() as hold:
        return await blobs.add(hold, pieces(content, size), max_bytes=ENOUGH)


async def add_directory(blobs: Blobs, files: dict[str, bytes]) -> Content:
    """Store a directory by paths with slashes."""
    async with blobs.hold() as hold:
        stored = {
            tuple(path.split("/")): await blobs.add(hold, stream(content), max_bytes=ENOUGH)
            for path, content in files.items()
        }
        return await blobs.add_directory(hold, stored)


async def names_in(blobs: Blobs, directory: Cid, *, limit: int = 1000) -> list[str]:
    """All names of a directory, page by page."""
    names: list[str] = []
    while True:
        page = await blobs.entries(directory, after=names[-1] if names else None, limit=limit)
        assert len(page.entries) <= limit
        names += [entry.name for entry in page.entries]
        if not page.more:
            return names


async def is_gone(blobs: Blobs, cid: Cid) -> bool:
    try:
        await blobs.block(cid)
    except NotFound as absence:
        return absence.reason == "content_not_found"
    return False


def _noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311  bytes that do not repeat


async def test_states_the_guarantees_of_its_harness(blobs: Blobs, harness: BlobsHarness) -> None:
    assert blobs.guarantees == harness.guarantees
    await blobs.ping()


@pytest.mark.parametrize("size", SIZES)
async def test_file_comes_back_under_the_identifier_of_its_bytes(blobs: Blobs, size: int) -> None:
    content = _noise(size)
    root = file_blocks(content)[-1]
    stored = await add(blobs, content)
    assert stored == Content(root.cid, ContentKind.FILE, size, root.tree_bytes)
    assert await blobs.stat(root.cid) == stored
    assert await whole(blobs.read(root.cid)) == content
    assert await blobs.block(root.cid) == root.data


async def test_pieces_in_which_a_file_comes_do_not_matter(blobs: Blobs) -> None:
    content = _noise(2 * MIB + 3)
    assert {(await add(blobs, content, size=size)).cid for size in (9999, MIB, 5 * MIB)} == {cid_of(content)}


async def test_same_bytes_are_one_content(blobs: Blobs) -> None:
    assert await add(blobs, b"twice") == await add(blobs, b"twice")


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 0), (0, 1), (0, MIB), (0, MIB + 1), (1, None), (MIB - 1, 2), (MIB, MIB), (MIB + 5, MIB),
        (3 * MIB, None), (3 * MIB + 4, 1), (3 * MIB + 5, None), (3 * MIB + 5, 10), (4 * MIB, None), (7, 10 * MIB),
    ],
)  # fmt: skip
async def test_part_of_a_file_is_exactly_that_part(blobs: Blobs, offset: int, length: int | None) -> None:
    content = _noise(3 * MIB + 5)
    root = (await add(blobs, content)).cid
    end = None if length is None else offset + length
    assert await whole(blobs.read(root, offset=offset, length=length)) == content[offset:end]


@pytest.mark.parametrize(("offset", "length"), [(0, 3), (2, None), (2, 2), (5, 1), (9, None)])
async def test_part_of_a_file_of_one_block_is_exactly_that_part(blobs: Blobs, offset: int, length: int | None) -> None:
    root = (await add(blobs, b"small")).cid
    end = None if length is None else offset + length
    assert await whole(blobs.read(root, offset=offset, length=length)) == b"small"[offset:end]


@pytest.mark.parametrize("method", READING)
async def test_what_is_not_here_is_not_found(blobs: Blobs, method: str) -> None:
    with pytest.raises(NotFound, match=f"content not found: {ABSENT.text}") as refusal:
        await METHODS[method](blobs)
    assert refusal.value.reason == "content_not_found"


async def test_version_0_of_an_identifier_is_the_same_content(blobs: Blobs) -> None:
    content = _noise(MIB + 1)
    root = (await add(blobs, content)).cid
    assert root.codec == DAG_PB
    assert await whole(blobs.read(Cid(0, DAG_PB, root.multihash))) == content


async def test_content_in_the_identifier_itself_needs_no_engine(blobs: Blobs) -> None:
    inline = parse_cid("bafkqabtimvwgy3yk")
    assert await whole(blobs.read(inline)) == b"hello\n"
    assert (await blobs.stat(inline)).size_bytes == 6


async def test_directory_holds_files_by_path(blobs: Blobs) -> None:
    files = {"b": b"2", "a": b"1", "sub/deep/c": b"3" * (MIB + 1), "sub/größe 🔑": b"", "sub.x": b"4"}
    stored = await add_directory(blobs, files)
    assert (stored.kind, stored.size_bytes) == (ContentKind.DIRECTORY, sum(map(len, files.values())))
    assert await names_in(blobs, stored.cid) == ["a", "b", "sub", "sub.x"]
    for path, content in files.items():
        found = await blobs.resolve(stored.cid, tuple(path.split("/")))
        assert (found.kind, found.cid) == (ContentKind.FILE, cid_of(content))
        assert await whole(blobs.read(found.cid)) == content
    sub = await blobs.resolve(stored.cid, ("sub",))
    assert (await blobs.resolve(stored.cid, ())).cid == stored.cid
    page = await blobs.entries(sub.cid, after=None, limit=10)
    assert [(entry.name, entry.content.kind.value, entry.content.size_bytes) for entry in page.entries] == [
        ("deep", "directory", (await blobs.stat(page.entries[0].content.cid)).tree_bytes),
        ("größe 🔑", "file", 0),
    ]
    assert not page.more


@pytest.mark.parametrize(
    "path", [("x",), ("a", "b"), ("sub", "x"), ("",), ("a/b",), ("..",), ("sub", "..", "a"), (".",), ("A",), ("a\0",)]
)
async def test_path_that_leads_nowhere_is_not_found(blobs: Blobs, path: tuple[str, ...]) -> None:
    directory = await add_directory(blobs, {"a": b"1", "sub/b": b"2"})
    with pytest.raises((NotFound, Unprocessable)) as refusal:
        await blobs.resolve(directory.cid, path)
    assert refusal.value.reason == ("not_a_directory" if path == ("a", "b") else "content_not_found")


async def test_directory_of_shards_is_like_any_other(blobs: Blobs) -> None:
    async with blobs.hold() as hold:
        one = await blobs.add(hold, stream(b"1"), max_bytes=ENOUGH)
        names = [f"picture-{number:04}.jpeg" for number in range(6000)]
        directory = await blobs.add_directory(hold, {(name,): one for name in names})
    *_, root = directory_blocks([Link(one.cid, name.encode(), one.tree_bytes) for name in names])
    assert directory.cid == root.cid
    assert await names_in(blobs, directory.cid, limit=2500) == names
    assert (await blobs.resolve(directory.cid, (names[4321],))).cid == one.cid
    with pytest.raises(NotFound):
        await blobs.resolve(directory.cid, ("picture-6000.jpeg",))
    await blobs.collect(roots(directory.cid))
    assert await names_in(blobs, directory.cid, limit=6000) == names


async def test_page_of_a_directory_begins_after_a_name_that_need_not_be_there(blobs: Blobs) -> None:
    directory = (await add_directory(blobs, dict.fromkeys("aceg", b""))).cid
    page = await blobs.entries(directory, after="b", limit=2)
    assert ([entry.name for entry in page.entries], page.more) == (["c", "e"], True)
    page = await blobs.entries(directory, after="e", limit=2)
    assert ([entry.name for entry in page.entries], page.more) == (["g"], False)
    page = await blobs.entries(directory, after="z", limit=2)
    assert ([entry.name for entry in page.entries], page.more) == ([], False)


async def test_empty_directory_is_the_one_that_everybody_knows(blobs: Blobs) -> None:
    directory = await add_directory(blobs, {})
    assert directory.cid.text == "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"
    assert await names_in(blobs, directory.cid) == []


@pytest.mark.parametrize("paths", [[("a",), ("a", "b")], [("a", "b"), ("a",)], [()], [("",)]])
async def test_path_through_a_file_makes_no_directory(blobs: Blobs, paths: list[tuple[str, ...]]) -> None:
    async with blobs.hold() as hold:
        one = await blobs.add(hold, stream(b"1"), max_bytes=ENOUGH)
        with pytest.raises(InvalidArgument) as refusal:
            await blobs.add_directory(hold, dict.fromkeys(paths, one))
    assert refusal.value.reason == "invalid_path"


async def test_files_and_directories_are_not_taken_for_each_other(blobs: Blobs) -> None:
    directory, file = await add_directory(blobs, {"a": b"1"}), await add(blobs, b"1")
    with pytest.raises(Unprocessable) as refusal:
        await whole(blobs.read(directory.cid))
    assert refusal.value.reason == "not_a_file"
    with pytest.raises(Unprocessable) as refusal:
        await blobs.entries(file.cid, after=None, limit=1)
    assert refusal.value.reason == "not_a_directory"


async def test_file_longer_than_allowed_is_refused_and_not_kept(blobs: Blobs, harness: BlobsHarness) -> None:
    content = _noise(2 * MIB)
    async with blobs.hold() as hold:
        assert (await blobs.add(hold, pieces(content), max_bytes=len(content))).size_bytes == len(content)
    async with blobs.hold() as hold:
        with pytest.raises(TooLarge, match=f"larger than {MIB} bytes") as refusal:
            await blobs.add(hold, pieces(_noise(MIB + 1, seed=2)), max_bytes=MIB)
    assert refusal.value.reason == "content_too_large"
    await _expect_empty(blobs, harness)


async def test_failure_of_the_source_is_passed_on_and_nothing_is_kept(blobs: Blobs, harness: BlobsHarness) -> None:
    class SourceFailed(Exception):
        pass

    async with blobs.hold() as hold:
        with pytest.raises(SourceFailed):
            await blobs.add(hold, stream(_noise(2 * MIB), SourceFailed()), max_bytes=ENOUGH)
        with pytest.raises(SourceFailed):
            await blobs.import_car(hold, stream(archive(cid_of(b"x"), []), SourceFailed()), max_bytes=ENOUGH)
    await _expect_empty(blobs, harness)


async def _expect_empty(blobs: Blobs, harness: BlobsHarness) -> None:
    """Nothing is left once nobody wants anything: a second collection finds nothing more to remove."""
    await blobs.collect(roots())
    if harness.guarantees.collects_at_once:
        assert await blobs.collect(roots()) == Collected(0, 0)


async def test_what_is_held_stays_and_what_nobody_wants_goes(blobs: Blobs, harness: BlobsHarness) -> None:
    content = _noise(2 * MIB)
    async with blobs.hold() as hold:
        root = (await blobs.add(hold, pieces(content), max_bytes=ENOUGH)).cid
        await blobs.collect(roots())
        assert await whole(blobs.read(root)) == content
    await blobs.collect(roots(root))
    assert await whole(blobs.read(root)) == content
    collected = await blobs.collect(roots())
    if harness.guarantees.collects_at_once:
        assert collected == Collected(3, sum(len(block.data) for block in file_blocks(content)))
        assert all([await is_gone(blobs, block.cid) for block in file_blocks(content)])


async def test_block_of_two_files_stays_for_the_one_that_is_wanted(blobs: Blobs, harness: BlobsHarness) -> None:
    common = _noise(MIB)
    kept, gone = await add(blobs, common + b"kept"), await add(blobs, common + b"gone")
    await blobs.collect(roots(kept.cid))
    assert await whole(blobs.read(kept.cid)) == common + b"kept"
    if harness.guarantees.collects_at_once:
        assert await is_gone(blobs, gone.cid)
        assert await is_gone(blobs, cid_of(b"gone"))


async def test_everything_in_a_wanted_directory_is_wanted(blobs: Blobs) -> None:
    files = {"a": b"1", "sub/b": _noise(MIB + 1), "sub/deep/c": b"3"}
    directory = await add_directory(blobs, files)
    await blobs.collect(roots(ABSENT, directory.cid))
    for path, content in files.items():
        found = await blobs.resolve(directory.cid, tuple(path.split("/")))
        assert await whole(blobs.read(found.cid)) == content


async def test_collection_removes_nothing_that_comes_meanwhile(blobs: Blobs) -> None:
    """Content that was there unwanted, and is added again while the collector works, is never lost."""
    content = _noise(2 * MIB)
    old = await add(blobs, content)
    added: list[Content] = []

    async def keep_while_others_add() -> AsyncIterator[Cid]:
        added.append(await add(blobs, content))
        added.append(await add(blobs, b"new"))
        yield ABSENT

    await blobs.collect(keep_while_others_add())
    assert added[0] == old
    assert await whole(blobs.read(old.cid)) == content
    assert await whole(blobs.read(added[1].cid)) == b"new"


async def test_uploads_beside_endless_collections_are_whole(blobs: Blobs) -> None:
    """Each upload writes down that it wants its content before its hold ends; the collector reads what is written."""
    wanted: list[Cid] = []
    done = asyncio.Event()

    async def read_wanted() -> AsyncIterator[Cid]:
        for cid in tuple(wanted):
            await asyncio.sleep(0)
            yield cid

    async def collect() -> None:
        while not done.is_set():
            await blobs.collect(read_wanted())

    async def upload(number: int) -> None:
        content = _noise(MIB, seed=7) + b"%d" % (number % 5)
        async with blobs.hold() as hold:
            stored = await blobs.add(hold, pieces(content), max_bytes=ENOUGH)
            wanted.append(stored.cid)
        if number % 3 == 0:
            wanted.remove(stored.cid)
        if stored.cid in wanted:
            assert await whole(blobs.read(stored.cid)) == content

    collecting = asyncio.ensure_future(collect())
    for start in range(0, 40, 8):
        await asyncio.gather(*(upload(number) for number in range(start, start + 8)))
    done.set()
    await collecting
    for cid in set(wanted):
        await whole(blobs.read(cid))


async def test_what_is_being_read_stays_until_it_was_read(blobs: Blobs, harness: BlobsHarness) -> None:
    content = _noise(6 * MIB)
    root = (await add(blobs, content)).cid
    reading, exporting = blobs.read(root), blobs.export_car(root)
    first, head = await anext(reading), await anext(exporting)
    await blobs.collect(roots())
    assert first + await whole(reading) == content
    assert head == car_header(root)
    assert len(await whole(exporting)) > len(content)
    await _expect_empty(blobs, harness)


async def test_reader_that_leaves_lets_go(blobs: Blobs, harness: BlobsHarness) -> None:
    root = (await add(blobs, _noise(6 * MIB))).cid
    for reading in (blobs.read(root), blobs.export_car(root)):
        await anext(reading)
        await reading.aclose()
    await _expect_empty(blobs, harness)
    if harness.guarantees.collects_at_once:
        assert await is_gone(blobs, root)


async def test_archive_brings_a_directory_to_another_engine(blobs: Blobs, harness: BlobsHarness) -> None:
    files = {"a": b"1", "same": b"1", "sub/b": _noise(2 * MIB + 1)}
    directory = await add_directory(blobs, files)
    exported = await whole(blobs.export_car(directory.cid))
    reader = CarReader()
    blocks = list(reader.feed(exported))
    reader.finish()
    assert reader.roots == [directory.cid]
    assert blocks[0][0] == directory.cid
    assert len({cid for cid, _ in blocks}) == len(blocks), "each block once"
    other = await harness.fresh().open()
    async with other.hold() as hold:
        imported = await other.import_car(hold, pieces(exported, 1000), max_bytes=len(exported))
        assert imported == directory
        for path, content in files.items():
            found = await other.resolve(imported.cid, tuple(path.split("/")))
            assert await whole(other.read(found.cid)) == content
    await other.close()


async def test_archive_longer_than_allowed_is_refused(blobs: Blobs) -> None:
    exported = archive(cid_of(b"x"), file_blocks(b"x"))
    async with blobs.hold() as hold:
        with pytest.raises(TooLarge) as refusal:
            await blobs.import_car(hold, pieces(exported), max_bytes=len(exported) - 1)
    assert refusal.value.reason == "content_too_large"


def _directory(*links: Link) -> Block:
    return Block.of(links, EMPTY_DIRECTORY)


def _file(*parts: tuple[Block, int], size: int | None = None) -> Block:
    sizes = tuple(length for _, length in parts)
    said = UnixFs(NodeKind.FILE, size_bytes=sum(sizes) if size is None else size, part_bytes=sizes)
    return Block.of([Link(block.cid, b"", block.tree_bytes) for block, _ in parts], encode_unixfs(said))


ONE: Final = file_blocks(b"one")[-1]
TWO: Final = file_blocks(b"two")[-1]


def _named(name: bytes, block: Block = ONE) -> Link:
    return Link(block.cid, name, block.tree_bytes)


def _whole(root: Block, *others: Block) -> bytes:
    return archive(root.cid, (root, *others))


def _deep(levels: int) -> list[Block]:
    blocks = [ONE]
    for _ in range(levels):
        blocks.append(_directory(_named(b"d", blocks[-1])))
    return blocks


BAD_ARCHIVES: Final[dict[str, tuple[bytes, str]]] = {
    "nothing": (b"", "cut off"),
    "no archive": (b"PK\x03\x04 a zip file, not a car", "no header|header is too long|cut off"),
    "cut off": (_whole(ONE)[:-1], "cut off"),
    "no root": (b"\x11\xa2\x65roots\x80\x67version\x01", "exactly one root"),
    "root is missing": (car_header(ONE.cid), f"block {ONE.cid.text} is missing"),
    "part is missing": (_whole(_file((ONE, 3), (TWO, 3)), ONE), f"block {TWO.cid.text} is missing"),
    "other bytes": (car_header(ONE.cid) + car_section(ONE.cid, b"eno"), "others than it says"),
    "other bytes besides": (_whole(ONE) + car_section(TWO.cid, b"owt"), "others than it says"),
    "part is shorter": (_whole(_file((ONE, 4)), ONE), "not as long as is said"),
    "sum is wrong": (_whole(_file((ONE, 3), size=4), ONE), "do not add up"),
    "part is a directory": (_whole(_file((_directory(), 0)), _directory()), "not as long as is said"),
    "not unixfs": (_whole(Block.of([], b"")), "does not say what it is"),
    "slash in a name": (_whole(_directory(_named(b"a/b")), ONE), "no file can have"),
    "parent as a name": (_whole(_directory(_named(b"..")), ONE), "no file can have"),
    "empty name": (_whole(_directory(_named(b"")), ONE), "no file can have"),
    "name that is no text": (_whole(_directory(_named(b"\xff")), ONE), "can't decode"),
    "name twice": (_whole(_directory(_named(b"a"), _named(b"a", TWO)), ONE, TWO), "have one name"),
    "too deep": (_whole(*reversed(_deep(300))), "deep"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ARCHIVES)
async def test_archive_that_is_not_what_it_says_is_refused(blobs: Blobs, case: str) -> None:
    content, why = BAD_ARCHIVES[case]
    async with blobs.hold() as hold:
        with pytest.raises(InvalidArgument, match=why) as refusal:
            await blobs.import_car(hold, pieces(content), max_bytes=ENOUGH)
    assert refusal.value.reason == "invalid_car"


async def test_archive_may_not_leave_out_what_somebody_else_stored(blobs: Blobs) -> None:
    """Else its root alone, with a link that was overheard, would open what the sender never had."""
    secret = await add(blobs, b"two")
    async with blobs.hold() as hold:
        with pytest.raises(InvalidArgument, match="missing"):
            await blobs.import_car(hold, pieces(_whole(_directory(_named(b"loot", TWO)))), max_bytes=ENOUGH)
    assert secret.cid == TWO.cid


async def test_archive_with_a_symbolic_link_is_kept_and_the_link_not_followed(blobs: Blobs) -> None:
    link = Block.of([], encode_unixfs(UnixFs(NodeKind.SYMLINK, b"/etc/passwd", 11)))
    async with blobs.hold() as hold:
        root = await blobs.import_car(
            hold, pieces(_whole(_directory(_named(b"a"), _named(b"l", link)), ONE, link)), max_bytes=ENOUGH
        )
        page = await blobs.entries(root.cid, after=None, limit=10)
        assert [entry.content.kind for entry in page.entries] == [ContentKind.FILE, ContentKind.SYMLINK]
        with pytest.raises(Unprocessable):
            await whole(blobs.read(link.cid))


async def test_100_tasks_get_their_own_content(blobs: Blobs) -> None:
    async def one(number: int) -> bool:
        content = b"content of %d" % number
        for _ in range(50):
            try:
                stored = await add(blobs, content)
                return await whole(blobs.read(stored.cid)) == content
            except Unavailable:  # too busy, as an engine with a bound may be
                await asyncio.sleep(0.05)
        return False

    assert all(await asyncio.gather(*(one(number) for number in range(100))))


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 20, 60])
async def test_cancelled_upload_leaves_nothing(blobs: Blobs, harness: BlobsHarness, steps: int) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield _noise(MIB // 4)

    task = asyncio.ensure_future(_upload(blobs, endless()))
    for _ in range(steps):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _expect_empty(blobs, harness)
    assert await whole(blobs.read((await add(blobs, b"after")).cid)) == b"after"


async def _upload(blobs: Blobs, content: AsyncIterator[bytes]) -> None:
    async with blobs.hold() as hold:
        await blobs.add(hold, content, max_bytes=1 << 40)


async def test_cancelled_reads_leave_the_engine_in_order(blobs: Blobs) -> None:
    content = _noise(4 * MIB)
    root = (await add(blobs, content)).cid
    tasks = [asyncio.ensure_future(whole(blobs.read(root))) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(result == content for result in results[1::2])


async def test_kept_content_is_there_after_a_restart(harness: BlobsHarness) -> None:
    if not harness.guarantees.survives_restart:
        pytest.skip("the engine does not promise survives_restart")
    content = _noise(MIB + 1)
    first = await harness.open()
    root = (await add(first, content)).cid
    await first.close()
    second = await harness.open()
    assert await whole(second.read(root)) == content
    await second.collect(roots(root))
    assert await whole(second.read(root)) == content
    await second.close()


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_during_an_outage(blobs: Blobs, harness: BlobsHarness, method: str) -> None:
    outage = harness.outage()
    if outage is None:
        pytest.skip("the engine cannot be away")
    async with outage:
        with pytest.raises(Unavailable):
            await METHODS[method](blobs)
    await blobs.ping()
    await blobs.collect(roots())


async def test_close_twice_does_nothing_more(harness: BlobsHarness) -> None:
    blobs = await harness.open()
    await add(blobs, b"x")
    await blobs.close()
    await blobs.close()
    with pytest.raises(Unavailable):
        await blobs.ping()


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_says_unavailable_after_close(harness: BlobsHarness, method: str) -> None:
    blobs = await harness.open()
    await blobs.close()
    with pytest.raises(Unavailable):
        await METHODS[method](blobs)


def test_behaves_like_a_plain_model(harness: BlobsHarness) -> None:
    check_against_model(lambda: harness.fresh().open(), harness.guarantees)
