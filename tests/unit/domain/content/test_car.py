"""Archives: what is written can be read, in whatever pieces it comes; what is none is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.content.car import MAX_BLOCK_BYTES, MAX_HEADER_BYTES, CarReader, car_header, car_section
from orama.domain.content.cid import RAW, Cid, parse_cid
from orama.domain.content.varint import encode_varint

ROOT = Cid.of(RAW, b"hello\n")
# `echo hello`, added and exported by Kubo 0.43.1.
KUBO = bytes.fromhex(
    "3aa265726f6f747381d82a5825000155122058" "91b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    "6776657273696f6e01" "2a01551220" "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" "68656c6c6f0a"
)  # fmt: skip


def read(archive, piece_bytes=1 << 16):
    reader = CarReader()
    pieces = (archive[at : at + piece_bytes] for at in range(0, len(archive), piece_bytes))
    blocks = [block for piece in pieces for block in reader.feed(piece)]
    reader.finish()
    return reader.roots, blocks


def test_archive_is_byte_for_byte_that_of_kubo():
    assert car_header(ROOT) + car_section(ROOT, b"hello\n") == KUBO
    assert read(KUBO) == ([ROOT], [(ROOT, b"hello\n")])


@given(st.lists(st.binary(max_size=400), max_size=6), st.integers(1, 300))
def test_blocks_come_back_in_whatever_pieces(contents, piece_bytes):
    blocks = [(Cid.of(RAW, data), data) for data in contents]
    archive = car_header(ROOT) + b"".join(car_section(*block) for block in blocks)
    assert read(archive, piece_bytes) == ([ROOT], blocks)


@pytest.mark.parametrize(
    "root", ["QmWtYDVe1Ubv65HVTgrYjbGEwTWzhAT3HBpq9y4dy1SoYv", "bafkqabtimvwgy3yk", ROOT.text]
)  # fmt: skip
def test_root_of_any_kind_comes_back(root):
    assert read(car_header(parse_cid(root)))[0] == [parse_cid(root)]


def test_keys_of_the_header_may_stand_in_either_order():
    roots = car_header(ROOT)[2:-9]
    header = b"\xa2\x67version\x01" + roots
    assert read(encode_varint(len(header)) + header) == ([ROOT], [])


def _section(content):
    return encode_varint(len(content)) + content


HEADER = car_header(ROOT)
BAD = {
    "nothing": (b"", "cut off"),
    "a zip file": (b"PK\x03\x04" + bytes(100), "no header"),
    "version 2": (bytes.fromhex("0aa16776657273696f6e02"), "only version 1"),
    "no version": (_section(b"\xa0"), "only version 1"),
    "other fields": (_section(b"\xa1\x63abc\x01"), "does not have"),
    "roots that are none": (_section(b"\xa1\x65roots\x81\x01"), "no header"),
    "root without its zero": (HEADER.replace(b"\x58\x25\x00", b"\x58\x25\x01"), "no identifier"),
    "too many roots": (_section(b"\xa1\x65roots\x99\x04\x01"), "more than 1024 roots"),
    "bytes behind the header": (_section(HEADER[1:] + b"!"), "behind the header"),
    "long header": (encode_varint(MAX_HEADER_BYTES + 1), "header is too long"),
    "header cut off": (HEADER[:-3], "cut off"),
    "empty section": (HEADER + b"\0", "empty section"),
    "section cut off": (HEADER + car_section(ROOT, b"hello\n")[:-1], "cut off"),
    "no identifier": (HEADER + _section(b"hello"), "version 104"),
    "identifier cut off": (HEADER + _section(ROOT.binary[:-1]), "cut off"),
    "huge block": (HEADER + encode_varint(MAX_BLOCK_BYTES + 1024), "larger than 2 MiB"),
    "endless length": (HEADER + b"\xff" * 10, "too many bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_archive_is_refused(case):
    archive, why = BAD[case]
    for piece_bytes in (1, 1 << 16):
        with pytest.raises(ValueError, match=why):
            read(archive, piece_bytes)


def test_reader_holds_no_more_than_a_block():
    reader = CarReader()
    block = car_section(Cid.of(RAW, bytes(1000)), bytes(1000))
    count = len(list(reader.feed(HEADER + block * 100 + block[:500])))
    assert (count, len(reader._buffer)) == (100, 500)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    for archive in (data, HEADER + data):
        try:
            read(archive)
        except ValueError:
            continue
