"""Base58 against solders, and one spelling for each sequence of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from orama.domain.base58 import base58, parse_base58

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("data", "text"),
    [  # draft-msporny-base58's test vectors.
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (
            b"The quick brown fox jumps over the lazy dog.",
            "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
        ),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
        (b"", ""),
        (b"\0", "1"),
    ],
)
def test_writes_and_reads_the_published_vectors(data, text):
    assert base58(data) == text
    assert parse_base58(text) == data


@given(st.binary(min_size=32, max_size=32))
def test_agrees_with_solders_on_every_address(key):
    assert base58(key) == str(Pubkey(key))


@given(st.binary(max_size=64))
def test_what_is_written_reads_the_same(data):
    assert parse_base58(base58(data)) == data


@given(st.text(st.sampled_from(ALPHABET), max_size=64))
def test_every_text_is_the_one_spelling_of_its_bytes(text):
    assert base58(parse_base58(text)) == text


@pytest.mark.parametrize("letter", ["0", "O", "I", "l", " ", "+", "-", "é", "\uff11", "\0", "\ud800"])
def test_refuses_letters_that_are_easily_mistaken_and_all_others(letter):
    with pytest.raises(ValueError):
        parse_base58("abc" + letter)
