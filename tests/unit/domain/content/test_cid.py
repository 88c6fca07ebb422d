"""Content identifiers: every spelling of one, and what is none."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.content.cid import DAG_PB, IDENTITY, RAW, SHA2_512, Cid, parse_cid, read_cid
from orama.domain.content.multibase import decode_base58, decode_multibase, encode_base58
from orama.domain.content.varint import encode_varint, read_varint, varint_length
from orama.errors import InvalidArgument

# One block in every alphabet, as Kubo's `ipfs cid format` writes it.
V0 = "QmWtYDVe1Ubv65HVTgrYjbGEwTWzhAT3HBpq9y4dy1SoYv"
V1 = "bafybeid7bc6uejlctqhp7mk32ot47wwwfdh7prk6d2m3cszer7yhrujndm"
SPELLINGS = [
    V1,
    V1.upper(),
    "f017012207f08bd4225629c0effb15bd3a7cfdad628cff7c55e1e99b14b248ff078d12d1b",
    "F017012207F08BD4225629C0EFFB15BD3A7CFDAD628CFF7C55E1E99B14B248FF078D12D1B",
    "k2jmtxuj3czeujwe0a3cxqywplfmkk2scedz63mtmgv2x1y4d82cevx7",
    "K2JMTXUJ3CZEUJWE0A3CXQYWPLFMKK2SCEDZ63MTMGV2X1Y4D82CEVX7",
    "zdj7Wdynavhrx5WxnbRCRpAby6oZfiSQhsB9WEMpmTJnT1hir",
    "uAXASIH8IvUIlYpwO_7Fb06fP2tYoz_fFXh6ZsUskj_B40S0b",
]
# `echo hello`, added by Kubo with --inline and with --hash sha2-512.
INLINE = "bafkqabtimvwgy3yk"
LONG_HASH = (
    "bafkrgqhhyivzstcz3hhswshfjgy6ertgmnqeleynhwt4dlfsthi4hn7zgh4uvlsb5xncykzapi3ocd4lzogukir6ksdy6wzrnz6ohnv4aglcs"
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_each_spelling_is_the_same_identifier(text):
    cid = parse_cid(text)
    assert (cid.version, cid.codec, cid.text) == (1, DAG_PB, V1)
    assert read_cid(b"??" + cid.binary + b"!", 2) == (cid, 2 + len(cid.binary))


def test_version_0_keeps_its_spelling_and_is_the_same_block():
    cid = parse_cid(V0)
    assert (cid.version, cid.codec, cid.text) == (0, DAG_PB, V0)
    assert cid.as_v1() == parse_cid(V1)
    assert read_cid(cid.binary, 0) == (cid, 34)


def test_content_in_the_identifier_itself_is_read():
    cid = parse_cid(INLINE)
    assert (cid.codec, cid.hash_name, cid.digest) == (RAW, IDENTITY, b"hello\n")
    assert cid.matches(b"hello\n")
    assert not cid.matches(b"hello")


def test_other_hash_function_is_read():
    cid = parse_cid(LONG_HASH)
    assert (cid.hash_name, cid.digest) == (SHA2_512, hashlib.sha512(b"hello\n").digest())
    assert cid.matches(b"hello\n")
    assert not cid.matches(b"hello")
    assert cid.text == LONG_HASH


@given(st.binary(max_size=200))
def test_identifier_of_bytes_matches_them_alone(data):
    cid = Cid.of(RAW, data)
    assert parse_cid(cid.text) == cid
    assert cid.matches(data)
    assert not cid.matches(data + b"x")


def _v1(codec: int, multihash: bytes) -> str:
    return "f01" + (encode_varint(codec) + multihash).hex()


BAD = {
    "empty": ("", "unknown alphabet"),
    "a word": ("hello", "unknown alphabet"),
    "no text at all": ("\0\ud800ü", "unknown alphabet"),
    "a path": ("../../etc/passwd", "unknown alphabet"),
    "parameters": (V1 + "&recursive=true", "Non-base32"),
    "space": (V1 + " ", "Non-base32"),
    "mixed case": ("B" + V1[1:], "unknown alphabet"),
    "one letter short": (V1[:-1], "beyond|padding"),
    "one letter more": (V1 + "a", "padding|beyond"),
    "one byte more": ("f" + SPELLINGS[2][1:] + "00", "beyond its end"),
    "bits beyond the last byte": (V1[:-1] + "n", "beyond"),
    "version 0 cut off": (V0[:-1], "unknown alphabet"),
    "version 0 with a bad letter": (V0[:-1] + "0", "alphabet"),
    "version 0 of another hash": ("Qm" + "z" * 44, "SHA-256"),
    "version 0 behind a prefix": ("z" + V0, "no prefix"),
    "version 2": ("f02551220" + "00" * 32, "version 2"),
    "unknown codec": (_v1(0x99, b"\x12\x20" + bytes(32)), "codec 0x99"),
    "unknown hash": (_v1(RAW, b"\x11\x14" + bytes(20)), "function 0x11"),
    "hash too short": (_v1(RAW, b"\x12\x1f" + bytes(31)), "wrong length"),
    "hash cut off": (_v1(RAW, b"\x12\x20" + bytes(31)), "cut off"),
    "identity too long": (_v1(RAW, b"\x00\x81\x01" + bytes(129)), "at most 128"),
    "endless number": ("f01" + "ff" * 40, "63 bits"),
    "too long": ("f" + "0" * 400, "too long"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_identifier_is_refused_with_a_reason(case):
    text, why = BAD[case]
    with pytest.raises(InvalidArgument, match=why) as refusal:
        parse_cid(text)
    assert refusal.value.reason == "invalid_cid"
    assert refusal.value.text.startswith("invalid cid: ")


def test_longest_content_in_an_identifier_is_accepted():
    assert parse_cid(_v1(RAW, b"\x00\x80\x01" + bytes(128))).digest == bytes(128)


@given(st.text(max_size=70) | st.from_regex(r"[bBfFkKzu][0-9a-zA-Z_-]{0,70}", fullmatch=True))
def test_any_text_is_an_identifier_or_refused(text):
    try:
        cid = parse_cid(text)
    except InvalidArgument:
        return
    assert parse_cid(cid.text) == cid


@given(st.binary(max_size=80))
def test_any_bytes_are_an_identifier_or_refused(data):
    try:
        cid, end = read_cid(data, 0)
    except ValueError:
        return
    assert read_cid(cid.binary, 0) == (cid, len(cid.binary))
    assert end <= len(data)


@given(st.binary(max_size=60))
def test_base58_keeps_every_byte(data):
    assert decode_base58(encode_base58(data)) == data
    assert decode_multibase("z" + encode_base58(data)) == data


def test_number_with_needless_bytes_is_no_second_name():
    (plain, _), (padded, end) = (
        read_cid(b"\x01" + RAW.to_bytes() + head + bytes(32), 0) for head in (b"\x12\x20", b"\x92\x00\xa0\x00")
    )
    assert plain == padded
    assert end == 38


@given(st.integers(0, 2**63 - 1))
def test_number_comes_back_from_its_bytes(number):
    encoded = encode_varint(number)
    assert len(encoded) == varint_length(number)
    assert read_varint(b"\xff" + encoded, 1) == (number, 1 + len(encoded))
    with pytest.raises(ValueError, match="cut off"):
        read_varint(encoded[:-1], 0)
