"""The text of an API key, base62, and purposes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.api_key import ApiKey, parse_api_key
from orama.domain.base62 import base62
from orama.domain.namespace import Namespace
from orama.domain.purpose import Use, statement_of, uses_of

KEY = ApiKey(id="a" * 17, secret="B" * 43, namespace=Namespace("shop"))


def test_a_key_reads_as_it_is_written():
    assert KEY.text == f"ak_{'a' * 17}_{'B' * 43}:shop"
    assert parse_api_key(KEY.text) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ak_",
        KEY.text + "\n",
        " " + KEY.text,
        KEY.text.replace("ak_", "AK_"),
        KEY.text.replace("ak_", ""),
        KEY.text.replace(":shop", ""),
        KEY.text.replace(":shop", ":"),
        KEY.text.replace(":shop", ":shop:shop"),
        KEY.text.replace(":shop", ":_platform"),
        KEY.text.replace("a", "aa", 1),
        KEY.text.replace("B", "", 1),
        KEY.text.replace("B", "-", 1),
        KEY.text.replace("B", "\u0411", 1),
        "ak_' OR 1=1 --:shop",
    ],
)
def test_every_other_text_is_no_key(text):
    assert parse_api_key(text) is None


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_base62_tells_values_of_one_size_apart(one, other):
    assert base62(one).isalnum() or one == b""
    if len(one) == len(other):
        assert len(base62(one)) == len(base62(other))
        assert (base62(one) == base62(other)) == (one == other)


@pytest.mark.parametrize(("size", "length"), [(0, 0), (12, 17), (16, 22), (32, 43)])
def test_base62_has_one_length_per_size(size, length):
    assert len(base62(b"\xff" * size)) == len(base62(bytes(size))) == length


@pytest.mark.parametrize(
    ("purpose", "uses"),
    [
        ("", {Use.VERIFY, Use.API_KEY, Use.REGISTER}),
        ("authentication", {Use.VERIFY, Use.API_KEY}),
        ("api_key_generation", {Use.API_KEY}),
        ("register", {Use.REGISTER}),
        ("something else", {Use.VERIFY}),
    ],
)
def test_the_text_says_what_a_purpose_allows(purpose, uses):
    assert set(uses_of(purpose)) == uses
    statement = statement_of(purpose, Namespace("shop"))
    assert {use for use in Use if use.value in statement.lower().replace("api", "API")} == uses
    assert statement.endswith("the namespace shop.")
