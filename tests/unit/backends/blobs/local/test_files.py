"""Blocks as files: private, whole or absent, checked when they are read, mended when they come again."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess

import pytest

from orama.backends.blobs.local import translate
from orama.domain.content.blob import Collected
from orama.domain.content.car import car_header
from orama.errors import BadBackend, StorageFull, Unavailable
from orama.testing.conformance.blobs import MIB, add, add_directory, roots, whole
from orama.testing.content import cid_of, file_blocks, pieces
from support.blobs import block_files, file_of, open_blobs

CONTENT = bytes(range(256)) * 4096 + b"tail"


async def test_files_are_private_and_called_after_their_hashes(tmp_path):
    async with open_blobs(tmp_path / "blobs") as blobs:
        await add(blobs, CONTENT)
    files = block_files(tmp_path / "blobs")
    assert len(files) == 3
    assert {file.read_bytes() for file in files} == {block.data for block in file_blocks(CONTENT)}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert {stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "blobs").rglob("*") if one.is_dir()} == {0o700}
    assert not list((tmp_path / "blobs" / "staging").iterdir())


async def test_what_a_killed_process_left_half_done_is_removed(tmp_path):
    async with open_blobs(tmp_path) as blobs:
        stored = await add(blobs, b"kept")
    (tmp_path / "staging" / "17").write_bytes(b"ha")
    async with open_blobs(tmp_path) as blobs:
        assert not list((tmp_path / "staging").iterdir())
        assert await whole(blobs.read(stored.cid)) == b"kept"


def damage(file, kind):
    match kind:
        case "a bit":
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(data)
        case "cut off":
            file.write_bytes(file.read_bytes()[:-1])
        case "empty":
            file.write_bytes(b"")


@pytest.mark.parametrize("kind", ["a bit", "cut off", "empty"])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["first chunk", "last chunk", "root"])
async def test_damaged_block_is_never_given_out_and_mended_by_an_upload(tmp_path, kind, which):
    async with open_blobs(tmp_path) as blobs:
        root = (await add(blobs, CONTENT)).cid
        damage(file_of(tmp_path, file_blocks(CONTENT)[which].cid), kind)
        received = []

        async def read():
            async for piece in blobs.read(root):
                received.append(piece)

        with pytest.raises(BadBackend) as refusal:
            await read()
        assert refusal.value.reason == "content_damaged"
        assert CONTENT.startswith(b"".join(received))
        with pytest.raises(BadBackend):
            await whole(blobs.export_car(root))
        await add(blobs, CONTENT)
        assert await whole(blobs.read(root)) == CONTENT


@pytest.mark.parametrize("how", ["damaged", "lost"])
async def test_nothing_is_collected_while_a_wanted_tree_is_incomplete(tmp_path, how):
    """What the lost block led to cannot be told from what nobody wants: it may come back from a backup."""
    async with open_blobs(tmp_path) as blobs:
        wanted = await add_directory(blobs, {"sub/a": b"1", "b": b"2"})
        garbage = await add(blobs, b"garbage")
        file = file_of(tmp_path, (await blobs.resolve(wanted.cid, ("sub",))).cid)
        before = file.read_bytes()
        damage(file, "a bit") if how == "damaged" else file.unlink()
        with pytest.raises(BadBackend) as refusal:
            await blobs.collect(roots(wanted.cid))
        assert refusal.value.reason == "content_damaged"
        file.write_bytes(before)
        assert await blobs.collect(roots(wanted.cid)) == Collected(1, garbage.size_bytes)
        assert await whole(blobs.read(cid_of(b"1"))) == b"1"


async def test_files_of_others_in_the_directories_are_left_alone(tmp_path):
    async with open_blobs(tmp_path) as blobs:
        await add(blobs, b"x")
        (tmp_path / "blocks" / "00" / "README").write_text("mine")
        assert await blobs.collect(roots()) == Collected(1, 1)
        assert (tmp_path / "blocks" / "00" / "README").exists()


async def test_full_disk_refuses_what_does_not_fit_and_loses_nothing(tmp_path):
    """On a real filesystem of 8 MiB, where the tests may mount one."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        async with open_blobs(tmp_path, min_free_percent=0.001) as blobs:
            contents = [os.urandom(MIB + 100) for _ in range(12)]
            outcomes = [(await asyncio.gather(add(blobs, content), return_exceptions=True))[0] for content in contents]
            refused = [one for one in outcomes if isinstance(one, BaseException)]
            assert {(type(one), one.reason) for one in refused} == {(StorageFull, "storage_full")}
            assert 3 < len(outcomes) - len(refused) < 8
            assert not list((tmp_path / "staging").iterdir())
            stored = [
                (one.cid, content)
                for one, content in zip(outcomes, contents, strict=True)
                if not isinstance(one, BaseException)
            ]
            for cid, content in stored:
                assert await whole(blobs.read(cid)) == content
            await blobs.collect(roots(*(cid for cid, _ in stored[1:])))
            assert (await add(blobs, contents[0])).cid == stored[0][0], "there is room again"
            for cid, content in stored:
                assert await whole(blobs.read(cid)) == content
            subprocess.run(["mount", "-o", "remount,size=32m", tmp_path], check=True)
            for content in contents:
                assert (await add(blobs, content)).cid == cid_of(content)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


async def test_last_part_of_the_disk_is_left_to_others(tmp_path):
    disk = os.statvfs(tmp_path)
    free_percent = 100 * disk.f_bavail / disk.f_blocks
    async with open_blobs(tmp_path, min_free_percent=free_percent + 1) as blobs:
        with pytest.raises(StorageFull, match=r"less than [0-9.]+ % of the node's disk is free") as refusal:
            await add(blobs, b"x")
        assert refusal.value.reason == "storage_full"
    async with open_blobs(tmp_path, min_free_percent=free_percent - 1) as blobs:
        await add(blobs, b"x")


async def test_directory_that_cannot_be_made_stops_the_start(tmp_path):
    (tmp_path / "blobs").write_text("a file")
    with pytest.raises(Unavailable):
        async with open_blobs(tmp_path / "blobs"):
            pass


@pytest.mark.parametrize(("limit", "busy"), [("max_adds", "add"), ("max_reads", "read")])
async def test_one_more_than_may_work_at_a_time_is_told_to_come_back(tmp_path, limit, busy):
    async with open_blobs(tmp_path, **{limit: 2}) as blobs:
        root = (await add(blobs, CONTENT)).cid
        release = asyncio.Event()

        async def slow():
            yield b"x"
            await release.wait()

        async def one():
            if busy == "add":
                async with blobs.hold() as hold:
                    return await blobs.add(hold, slow(), max_bytes=10)
            reading = blobs.read(root)
            await anext(reading)
            await release.wait()
            return await whole(reading)

        two = [asyncio.ensure_future(one()) for _ in range(2)]
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable) as refusal:
            await one()
        assert (refusal.value.reason, refusal.value.retry_after_s) == ("too_busy", 1)
        release.set()
        await asyncio.gather(*two)
        assert await one()


@pytest.mark.parametrize("blocks", [10, 20])
async def test_archive_of_more_blocks_than_allowed_is_refused(tmp_path, blocks):
    content = {str(number): b"%d" % number for number in range(blocks - 1)}
    async with open_blobs(tmp_path / "one") as one, open_blobs(tmp_path / "two", max_archive_blocks=10) as two:
        exported = await whole(one.export_car((await add_directory(one, content)).cid))
        async with two.hold() as hold:
            if blocks <= 10:
                await two.import_car(hold, pieces(exported), max_bytes=MIB)
                return
            with pytest.raises(Exception, match="more than 10 blocks"):
                await two.import_car(hold, pieces(exported), max_bytes=MIB)


async def test_work_under_a_hold_that_has_ended_is_a_fault(tmp_path):
    async with open_blobs(tmp_path) as blobs:
        async with blobs.hold() as hold:
            pass
        with pytest.raises(Exception, match="a hold that has ended"):
            await blobs.add(hold, pieces(b"x"), max_bytes=10)


def test_failures_of_the_disk_have_their_classes():
    import errno

    for number, kind in (
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, BadBackend),
        (errno.EACCES, Unavailable),
    ):
        assert type(translate.translate(OSError(number, "secret path"))) is kind
        assert "secret" not in translate.translate(OSError(number, "secret path")).text


async def test_gigabytes_need_a_few_megabytes_of_memory(tmp_path):
    def memory_bytes():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def source():
        for number in range(256 * 16):
            yield number.to_bytes(8) * 8192

    async with open_blobs(tmp_path) as blobs:
        await add(blobs, CONTENT)
        before = memory_bytes()
        async with blobs.hold() as hold:
            root = (await blobs.add(hold, source(), max_bytes=1 << 30)).cid
            size = 0
            async for piece in blobs.read(root):
                size += len(piece)
            assert size == 256 * MIB
            exported = 0
            async for section in blobs.export_car(root):
                exported += len(section)
            assert exported > size + len(car_header(root))
        assert memory_bytes() < before + 24 * MIB
