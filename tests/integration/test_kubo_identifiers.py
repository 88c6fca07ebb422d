"""Files and directories have the identifiers that the real Kubo gives them, byte for byte."""

from __future__ import annotations

import random

import pytest

from orama.domain.content.cid import parse_cid
from orama.testing.content import file_blocks
from support.content import directory_root, link_to, names_that_fill, zeros_root

MIB = 1024 * 1024
SEED = 20261125


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 1024 * MIB - 1, 1024 * MIB, 1024 * MIB + 1])
def test_file_of_zeros(kubo, tmp_path, size):
    file = tmp_path / "zeros"
    with file.open("wb") as sparse:
        sparse.truncate(size)
    assert zeros_root(size) == kubo.hash_of(file)


@pytest.mark.parametrize("size", [50 * MIB, *random.Random(SEED).choices(range(9 * MIB), k=8)])
def test_file_of_random_bytes(kubo, tmp_path, size):
    content = random.Random(SEED + size).randbytes(size)
    (tmp_path / "random").write_bytes(content)
    assert file_blocks(content)[-1].cid.text == kubo.hash_of(tmp_path / "random")


def _directory(place, names, content=None):
    place.mkdir()
    for name in names:
        (place / name).write_bytes(name.encode() if content is None else content)
    return [link_to(name, name.encode() if content is None else content) for name in names]


NAMES = {
    "one": ["a.txt"],
    "a hundred": [f"{number}.txt" for number in range(100)],
    "twenty thousand": [f"picture-{number}.jpeg" for number in range(20_000)],
    "unicode": ["größe", "ключ", "🔑", "e\u0301", "\u00e9", " ", "~", "a" * 255, "A", "a", "a.b", "a-b"],
    "hidden": [".hidden", "-dash", "..."],
}  # fmt: skip


@pytest.mark.parametrize("case", NAMES)
def test_directory_of_files(kubo, tmp_path, case):
    links = _directory(tmp_path / "entries", NAMES[case])
    random.Random(SEED).shuffle(links)
    assert directory_root(links) == kubo.hash_of(tmp_path / "entries", "--hidden")


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_directory_around_the_size_at_which_it_becomes_shards(kubo, tmp_path, over):
    links = _directory(tmp_path / "entries", names_that_fill(over), b"orama!")
    assert directory_root(links) == kubo.hash_of(tmp_path / "entries")


@pytest.mark.parametrize("base", ["base16", "base32", "base32upper", "base36", "base36upper", "base58btc", "base64url"])
def test_identifier_in_each_alphabet_is_read_as_kubo_wrote_it(kubo, base):
    for content in (b"", b"x", b"y" * 1000):
        cid = file_blocks(content)[-1].cid
        assert parse_cid(kubo.run("cid", "format", "-b", base, cid.text).decode().strip()) == cid


def test_version_0_is_the_same_block(kubo):
    cid = parse_cid(directory_root([]))
    old = kubo.run("cid", "format", "-v", "0", "-b", "base58btc", cid.text).decode().strip()
    assert parse_cid(old).text == old
    assert parse_cid(old).as_v1() == cid


def test_two_names_of_one_hash_are_refused_by_kubo_too(kubo, tmp_path):
    names = [
        b"first of a pair!and its second..",
        bytes.fromhex("6f74686572206f662061207061697221c31ec9c8f0e4b06b572c83a2ebf6c632"),
    ]
    directory = tmp_path / "entries"
    _directory(directory, names_that_fill(1), b"orama!")
    assert kubo.hash_of(directory)
    for name in names:
        with open(bytes(directory) + b"/" + name, "wb"):
            pass
    with pytest.raises(AssertionError, match="too deep"):
        kubo.hash_of(directory)
