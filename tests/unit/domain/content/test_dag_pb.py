"""DAG-PB and UnixFS: what is written can be read, and nothing else than that can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.content.cid import RAW, Cid
from orama.domain.content.dag_pb import Block, Link, decode_node, encode_node, link_bytes
from orama.domain.content.protobuf import bytes_field, number_field, read_fields
from orama.domain.content.unixfs import EMPTY_DIRECTORY, NodeKind, UnixFs, decode_unixfs, encode_unixfs

_numbers = st.integers(0, 2**63 - 1)
_links = st.builds(Link, st.builds(Cid.of, st.just(RAW), st.binary(max_size=3)), st.binary(max_size=300), _numbers)
_nodes = st.builds(
    UnixFs,
    st.sampled_from(NodeKind), st.binary(max_size=40), st.none() | _numbers, st.lists(_numbers, max_size=5).map(tuple),
    st.none() | _numbers, st.none() | _numbers,
)  # fmt: skip


@given(st.lists(_links, max_size=5), st.binary(max_size=300))
def test_block_comes_back_from_its_bytes(links, data):
    encoded = encode_node(links, data)
    assert decode_node(encoded) == (links, data)
    assert len(encoded) == len(bytes_field(1, data)) + sum(map(link_bytes, links))


@given(_nodes)
def test_data_of_a_block_comes_back_from_its_bytes(node):
    assert decode_unixfs(encode_unixfs(node)) == node


def test_empty_directory_is_the_one_that_everybody_knows():
    assert Block.of([], EMPTY_DIRECTORY).cid.text == "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"


def test_modes_and_times_of_other_profiles_are_passed_over():
    node = encode_unixfs(UnixFs(NodeKind.FILE, b"x", 1))
    assert decode_unixfs(node + number_field(7, 0o644) + bytes_field(8, b"\x08\x01")) == UnixFs(NodeKind.FILE, b"x", 1)


def test_block_with_data_in_front_is_read():
    link = Link(Cid.of(RAW, b"x"), b"n", 1)
    assert decode_node(bytes_field(1, b"data") + encode_node([link], b"")[:-2]) == ([link], b"data")


_HASH = bytes_field(1, Cid.of(RAW, b"x").binary)


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        (b"\x08\x01", "DAG-PB does not have"),
        (bytes_field(3, b""), "DAG-PB does not have"),
        (bytes_field(2, b""), "without an identifier"),
        (bytes_field(2, bytes_field(1, b"\x01\x55")), "cut off"),
        (bytes_field(2, bytes_field(1, Cid.of(RAW, b"x").binary + b"!")), "followed by"),
        (bytes_field(2, _HASH + bytes_field(4, b"")), "a link does not have"),
        (bytes_field(2, _HASH + number_field(2, 1)), "a link does not have"),
        (b"\x0a\x05abc", "cut off"),
        (b"\x0a", "cut off"),
        (b"\x0a" + b"\xff" * 10, "63 bits"),
        (b"\x00\x00", "without a number"),
        (b"\x0b", "unknown kind"),
        (b"\x0d\x00", "cut off"),
    ],
)
def test_other_bytes_are_no_block(encoded, why):
    with pytest.raises(ValueError, match=why):
        decode_node(encoded)


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        (b"", "does not say"),
        (number_field(1, 9), "9 is not a valid NodeKind"),
        (number_field(1, 2) + bytes_field(4, b"\x01"), "packed"),
        (number_field(1, 2) + number_field(2, 1), "UnixFS does not have"),
        (number_field(1, 2) + bytes_field(9, b""), "UnixFS does not have"),
    ],
)
def test_other_bytes_are_no_data(encoded, why):
    with pytest.raises(ValueError, match=why):
        decode_unixfs(encoded)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    for read in (decode_node, decode_unixfs, lambda message: list(read_fields(message))):
        try:
            read(data)
        except ValueError:
            continue
