"""Names of topics, and what patterns match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.topic import parse_pattern, parse_topic, words_of
from orama.errors import InvalidArgument

LIMIT = 256


@pytest.mark.parametrize(
    "name", ["a", "chat:room/1", "a b", "größe", "🛒.x", "a..b", ".", "a*", "*a", ">x", "a.b>", "x" * LIMIT]
)
def test_name_may_be_any_text_without_wildcards(name):
    assert parse_topic(name, LIMIT) == name
    assert parse_pattern(name, LIMIT).names_one


@pytest.mark.parametrize("name", ["*", ">", "a.*", "*.a", "a.>", "a.*.b"])
def test_topic_with_a_wildcard_is_a_pattern_only(name):
    with pytest.raises(InvalidArgument) as refusal:
        parse_topic(name, LIMIT)
    assert refusal.value.reason == "wildcard"
    assert not parse_pattern(name, LIMIT).names_one


@pytest.mark.parametrize(
    "name", ["a\0b", "a\n", "\x7f", "\x85", "\ud800", "x" * (LIMIT + 1), "é" * (LIMIT // 2 + 1)], ids=ascii
)
def test_name_that_cannot_be_is_refused(name):
    for parse in (parse_topic, parse_pattern):
        with pytest.raises(InvalidArgument) as refusal:
            parse(name, LIMIT)
        assert refusal.value.reason == "invalid_topic"


@pytest.mark.parametrize("name", [">.a", "a.>.b", ">.>"])
def test_rest_stands_last_only(name):
    with pytest.raises(InvalidArgument):
        parse_pattern(name, LIMIT)


def test_empty_name_is_missing():
    with pytest.raises(InvalidArgument, match="missing 'topic'"):
        parse_topic("", LIMIT)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a", ["a"], ["b", "a.a", "", "A"]),
        ("a.*", ["a.b", "a.", "a.é"], ["a", "a.b.c", "b.a"]),
        ("*.b", ["a.b", ".b"], ["b", "a.b.b"]),
        ("a.*.c", ["a.b.c", "a..c"], ["a.c", "a.b.d", "a.b.b.c"]),
        ("a.>", ["a.b", "a.b.c", "a."], ["a", "b.a", "aa.b"]),
        ("*", ["a", "b"], ["a.b"]),
        (">", ["a", "a.b", "."], []),
        ("*.>", ["a.b", "a.b.c"], ["a"]),
    ],
)
def test_pattern_matches_as_written(pattern, matching, others):
    parsed = parse_pattern(pattern, LIMIT)
    assert [parsed.matches(words_of(topic)) for topic in matching] == [True] * len(matching)
    assert [parsed.matches(words_of(topic)) for topic in others] == [False] * len(others)


_words = st.lists(st.sampled_from(["a", "b", "", "a*"]), min_size=1, max_size=5)


@given(_words, st.data())
def test_pattern_made_from_a_topic_matches_it(words, data):
    """Any word may become ``*``, any tail ``>``."""
    made = [data.draw(st.sampled_from([word, "*"])) for word in words]
    cut = data.draw(st.integers(0, len(words)))
    if cut < len(words):
        made = [*made[:cut], ">"]
    topic = ".".join(words)
    if topic:
        assert parse_pattern(".".join(made), LIMIT).matches(words_of(topic))
