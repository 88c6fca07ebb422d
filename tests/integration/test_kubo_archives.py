"""Content goes from the embedded engine to the real Kubo and back as archives, and is the same there."""

from __future__ import annotations

import os
import random

import pytest

from orama.domain.content.blob import ContentKind
from orama.testing.conformance.blobs import MIB, add, add_directory, names_in, whole
from orama.testing.content import pieces
from support.blobs import open_blobs

CONTENT = random.Random(20261125).randbytes(3 * MIB + 7)
FILES = {"a.txt": b"1", "same.txt": b"1", "sub/b": CONTENT, "sub/deep/größe 🔑": b"", "sub/deep/c": b"3"}


@pytest.fixture
async def blobs(tmp_path):
    async with open_blobs(tmp_path / "blobs") as opened:
        yield opened


async def exported(blobs, cid, place):
    place.write_bytes(await whole(blobs.export_car(cid)))
    return place


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 3 * MIB + 7])
async def test_file_goes_to_kubo(kubo, blobs, tmp_path, size):
    root = (await add(blobs, CONTENT[:size])).cid
    archive = await exported(blobs, root, tmp_path / "file.car")
    kubo.run("dag", "import", archive)
    assert kubo.run("cat", root.text) == CONTENT[:size]
    assert kubo.run("dag", "export", root.text) == archive.read_bytes(), "the archive is byte for byte the same"


async def test_directory_goes_to_kubo(kubo, blobs, tmp_path):
    root = (await add_directory(blobs, FILES)).cid
    archive = await exported(blobs, root, tmp_path / "directory.car")
    kubo.run("dag", "import", archive)
    kubo.run("get", "-o", tmp_path / "got", root.text)
    got = {
        str(file.relative_to(tmp_path / "got")): file.read_bytes()
        for file in (tmp_path / "got").rglob("*")
        if file.is_file()
    }
    assert got == FILES
    assert kubo.run("dag", "export", root.text) == archive.read_bytes()


def make(place, files):
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    return place


async def brought(kubo, blobs, hold, cid):
    return await blobs.import_car(hold, pieces(kubo.run("dag", "export", cid)), max_bytes=64 * MIB)


async def test_directory_comes_from_kubo_with_the_identifier_that_we_give_it(kubo, blobs, tmp_path):
    cid = kubo.add(make(tmp_path / "source", FILES))
    async with blobs.hold() as hold:
        content = await brought(kubo, blobs, hold, cid)
        assert (content.cid.text, content.size_bytes) == (cid, sum(map(len, FILES.values())))
        for path, expected in FILES.items():
            found = await blobs.resolve(content.cid, tuple(path.split("/")))
            assert await whole(blobs.read(found.cid)) == expected
    assert (await add_directory(blobs, FILES)).cid == content.cid


async def test_directory_of_shards_comes_and_goes(kubo, blobs, tmp_path):
    names = [f"picture-{number:05}.jpeg" for number in range(6000)]
    cid = kubo.add(make(tmp_path / "source", dict.fromkeys(names, b"jpeg")))
    async with blobs.hold() as hold:
        content = await brought(kubo, blobs, hold, cid)
        assert await names_in(blobs, content.cid) == names
        assert (await blobs.resolve(content.cid, (names[77],))).size_bytes == 4
        assert (await exported(blobs, content.cid, tmp_path / "shards.car")).read_bytes() == kubo.run(
            "dag", "export", cid
        )


@pytest.mark.parametrize(
    "profile",
    [
        ["--cid-version=0", "--raw-leaves=false", "--chunker=size-262144", "--max-file-links=174"],
        ["--cid-version=1", "--raw-leaves=false"],
        ["--trickle"],
        ["--chunker=rabin-1000-4000-9000"],
        ["--hash=sha2-512"],
        ["--inline", "--inline-limit=128"],
        ["--preserve-mode", "--preserve-mtime", "--raw-leaves=false"],
    ],
    ids=" ".join,
)
async def test_content_of_other_profiles_is_understood(kubo, blobs, tmp_path, profile):
    make(tmp_path / "source", FILES)
    cid = kubo.run("add", "-Q", "-r", *profile, tmp_path / "source").decode().strip()
    async with blobs.hold() as hold:
        content = await brought(kubo, blobs, hold, cid)
        assert content.size_bytes == sum(map(len, FILES.values()))
        for path, expected in FILES.items():
            found = await blobs.resolve(content.cid, tuple(path.split("/")))
            assert await whole(blobs.read(found.cid)) == expected
        big = await blobs.resolve(content.cid, ("sub", "b"))
        for offset, length in ((0, 1), (262_143, 2), (MIB - 3, MIB), (3 * MIB, None)):
            end = None if length is None else offset + length
            assert await whole(blobs.read(big.cid, offset=offset, length=length)) == CONTENT[offset:end]
        again = await exported(blobs, content.cid, tmp_path / "again.car")
        assert again.read_bytes() == kubo.run("dag", "export", cid)


async def test_symbolic_link_comes_and_is_not_followed(kubo, blobs, tmp_path):
    make(tmp_path / "source", {"a": b"1"})
    os.symlink("/etc/passwd", tmp_path / "source" / "link")
    async with blobs.hold() as hold:
        content = await brought(kubo, blobs, hold, kubo.add(tmp_path / "source"))
        assert (await blobs.resolve(content.cid, ("link",))).kind is ContentKind.SYMLINK
