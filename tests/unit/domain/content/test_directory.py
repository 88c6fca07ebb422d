"""Directories as DAGs: identifiers that Kubo 0.43.1 gave to the same entries, and the shards' form."""

from __future__ import annotations

import random

import pytest

from orama.domain.content.cid import RAW, Cid
from orama.domain.content.dag_pb import Link, decode_node
from orama.domain.content.directory import FANOUT, MAX_BLOCK_BYTES, directory_blocks
from orama.domain.content.murmur3 import murmur3_64
from orama.domain.content.unixfs import NodeKind, decode_unixfs
from support.content import directory_root, link_to, named_after_content, names_that_fill

# `ipfs add -Q -r --only-hash` of a directory of so many files f00000, f00001, …, each holding its own name.
KUBO = {
    0: "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354",
    1: "bafybeiciqq4iotm2x2ajk6z5xh5hidffktiuri2h2mq3t27g4dpmbridp4",
    100: "bafybeigoe4hxpgd77aynatp4akqj3xg4z354mni46hf56ry7vitobvjbga",
    20000: "bafybeiafj4agzmvif6mjvqr5phzoy5zbkwclkbyhri6ey6cazfiq2yf64u",
}

# The first eight bytes that MurmurHash3's authors' code gives, x64, seed 0.
MURMUR3 = {
    b"": "0000000000000000",
    b"hello": "cbd8a7b341bd9b02",
    b"hello, world": "342fac623a5ebc8e",
    b"19 Jan 2038 at 3:14:07 AM": "b89e5988b737affc",
    b"The quick brown fox jumps over the lazy dog.": "cd99481f9ee902c9",
}

# Two names of 32 bytes with one hash: the second half of the other was solved for.
COLLIDING = (
    b"first of a pair!and its second..",
    bytes.fromhex("6f74686572206f662061207061697221c31ec9c8f0e4b06b572c83a2ebf6c632"),
)


@pytest.mark.parametrize("count", KUBO)
def test_directory_has_the_identifier_that_kubo_gives_it(count):
    links = named_after_content(count)
    random.Random(1).shuffle(links)
    assert directory_root(links) == KUBO[count]


@pytest.mark.parametrize("text", MURMUR3)
def test_hash_of_names_is_that_of_its_authors(text):
    assert murmur3_64(text).hex() == MURMUR3[text]


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_directory_becomes_shards_one_byte_past_the_limit(over):
    links = [link_to(name, b"orama!") for name in names_that_fill(over)]
    blocks = list(directory_blocks(links))
    kind = decode_unixfs(decode_node(blocks[-1].data)[1]).kind
    if over > 0:
        assert kind is NodeKind.HAMT_SHARD
        assert len(blocks) > 1
    else:
        assert kind is NodeKind.DIRECTORY
        assert [len(block.data) for block in blocks] == [MAX_BLOCK_BYTES + over]


def test_shards_hold_every_entry_where_its_hash_says():
    links = named_after_content(7000)
    *_, root = blocks = list(directory_blocks(links))
    by_cid = {block.cid: block for block in blocks}
    found = {}

    def walk(block, prefix):
        below, data = decode_node(block.data)
        said = decode_unixfs(data)
        assert (said.kind, said.hash_name, said.fanout) == (NodeKind.HAMT_SHARD, 0x22, FANOUT)
        numbers = [int(link.name[:2], 16) for link in below]
        assert numbers == sorted(numbers)
        assert int.from_bytes(said.content) == sum(1 << number for number in numbers)
        for number, link in zip(numbers, below, strict=True):
            if link.name[2:]:
                found[link.name[2:]] = link.cid
                assert murmur3_64(link.name[2:]).startswith(prefix + bytes((number,)))
            else:
                walk(by_cid[link.cid], prefix + bytes((number,)))

    walk(root, b"")
    assert found == {link.name: link.cid for link in links}
    assert root.tree_bytes == sum(len(block.data) for block in blocks) + sum(link.tree_bytes for link in links)


def test_names_of_one_hash_are_refused_where_shards_are_needed():
    assert len(set(map(murmur3_64, COLLIDING))) == 1
    few = [Link(Cid.of(RAW, b""), name, 0) for name in COLLIDING]
    assert len(list(directory_blocks(few))) == 1
    with pytest.raises(ValueError, match="same hash"):
        list(directory_blocks([*few, *named_after_content(7000)]))
