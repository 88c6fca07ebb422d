"""Files as DAGs: identifiers that Kubo 0.43.1 gave to the same bytes, and the shape of the tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.content.cid import DAG_PB, RAW
from orama.domain.content.dag_pb import decode_node
from orama.domain.content.file import CHUNK_BYTES, Chunker, FileTree, Part
from orama.domain.content.unixfs import NodeKind, decode_unixfs
from orama.testing.content import file_blocks
from support.content import EMPTY_FILE, zeros_root

MIB = 1024 * 1024

# `ipfs add -Q --only-hash` of a sparse file of that size, profile unixfs-v1-2025.
KUBO = {
    0: EMPTY_FILE,
    1: "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu",
    MIB - 1: "bafkreigkp3imjkhgps64iyoezmgsq3jpvo6z6dcbu72cwzs7olv2vcxmky",
    MIB: "bafkreibq4fevl27rgurgnxbp7adh42aqiyd6ouflxhj3gzmcxcxzbh6lla",
    MIB + 1: "bafybeihd4yzq7n5umhjngdum4r6k2to7egxfkf2jz6thvwzf6djus22cmq",
    3 * MIB + 5: "bafybeiayxwb54rnxpofwvtqrlwuuy45oxvliezr7ryekoimjfagbs6p5gi",
    1024 * MIB - 1: "bafybeietvdea6qvx3pd5iv33qcpkrzpypmjqxizkr2dfs6kw5a3l532qsm",
    1024 * MIB: "bafybeibqawkaltgjfdebq4no6nmfcvkcw7k52xqzclkwfmrkn6oxw7srmy",
    1024 * MIB + 1: "bafybeigx4uyebjbq65346xh6cjrt6yshbdudzudhnqecwbzvymslxj7gje",
    2048 * MIB + 1: "bafybeifihcskhp6yse7pen24nfe2bxa7a6tb55cqbqknxb6wwonp6nlyjy",
}


@pytest.mark.parametrize("size", KUBO)
def test_file_has_the_identifier_that_kubo_gives_it(size):
    assert zeros_root(size) == KUBO[size]


@pytest.mark.parametrize("piece_bytes", [1, 977, MIB // 16 - 1, MIB, 3 * MIB])
def test_pieces_in_which_a_file_comes_do_not_matter(piece_bytes):
    content = bytes(range(256)) * 16 if piece_bytes == 1 else bytes(range(256)) * (2 * MIB // 256) + b"rest"
    assert [block.cid for block in file_blocks(content, piece_bytes=piece_bytes)] == [
        block.cid for block in file_blocks(content, piece_bytes=1 << 20)
    ]


@given(st.lists(st.integers(0, 2 * CHUNK_BYTES + 2), max_size=6))
def test_chunks_are_full_but_for_the_last(sizes):
    chunker = Chunker()
    chunks = [chunk for size in sizes for chunk in chunker.feed(bytes(size))]
    chunks += chunker.rest()
    assert chunker.total_bytes == sum(sizes) == sum(map(len, chunks))
    assert {len(chunk) for chunk in chunks[:-1]} <= {CHUNK_BYTES}
    assert len(chunks[-1]) > 0 or not sum(sizes)


def test_tree_states_the_sizes_below_it():
    *chunks, root = file_blocks(b"x" * (2 * MIB + 7))
    links, data = decode_node(root.data)
    said = decode_unixfs(data)
    assert [block.cid.codec for block in (*chunks, root)] == [RAW, RAW, RAW, DAG_PB]
    assert (said.kind, said.size_bytes, said.part_bytes, said.content) == (
        NodeKind.FILE, 2 * MIB + 7, (MIB, MIB, 7), b""
    )  # fmt: skip
    assert [(link.name, link.tree_bytes) for link in links] == [(b"", MIB), (b"", MIB), (b"", 7)]
    assert root.tree_bytes == len(root.data) + 2 * MIB + 7


@pytest.mark.parametrize("chunks", [*range(1, 70), 255, 256, 257, 1024, 1025])
def test_tree_holds_few_parts_and_stands_equally_deep(chunks):
    chunk, tree, depth_of = Part(file_blocks(b"x")[0].cid, 1, 1), FileTree(max_links=4), {}
    depth_of[chunk.cid] = 0

    def take(blocks):
        for block in blocks:
            links, data = decode_node(block.data)
            assert 1 <= len(links) <= 4
            assert len({depth_of[link.cid] for link in links}) == 1
            depth_of[block.cid] = depth_of[links[0].cid] + 1
            assert decode_unixfs(data).size_bytes == sum(decode_unixfs(data).part_bytes)

    for _ in range(chunks):
        take(tree.add(chunk))
        assert all(len(level) <= 4 for level in tree._levels)
    take(tree.finish())
    assert tree.root.size_bytes == chunks
    assert 4 ** (depth_of[tree.root.cid] - 1) < chunks <= 4 ** depth_of[tree.root.cid]
    assert sum(map(len, tree._levels)) == 1
