"""Topics: names of what is published, and patterns of names that somebody wants to hear of.

A name is a series of words with dots between them. In a pattern the word ``*`` stands for any one word, and ``>`` at
the end for one or more. Namespaces are no part of names: whoever keeps topics of several keeps them apart by structure.
"""

from __future__ import annotations

import re
from typing import Final, NewType

import msgspec

from orama.errors import InvalidArgument

Topic = NewType("Topic", str)
"""A topic's name, checked by `parse_topic`."""

_ONE: Final = "*"
_REST: Final = ">"
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


class Pattern(msgspec.Struct, frozen=True, gc=False):
    """Which topics a subscription is about: one by its name, or all that match."""

    text: str
    words: tuple[str, ...]
    names_one: bool
    """Whether it has no wildcard: `text` is the topic."""

    def matches(self, words: tuple[str, ...]) -> bool:
        """Whether a topic of these words is meant."""
        if self.words[-1] == _REST:
            if len(words) < len(self.words):
                return False
        elif len(words) != len(self.words):
            return False
        return all(mine in (_ONE, _REST, theirs) for mine, theirs in zip(self.words, words, strict=False))


def words_of(topic: str) -> tuple[str, ...]:
    """What stands between the dots."""
    return tuple(topic.split("."))


def parse_topic(text: str, max_bytes: int) -> Topic:
    """The topic called `text`, which is at most `max_bytes` long in UTF-8.

    Raises:
        InvalidArgument: the name is empty or too long, holds control characters or half a character, or has a word
            that is a wildcard.
    """
    _check(text, max_bytes)
    if {_ONE, _REST}.intersection(text.split(".")):
        raise InvalidArgument("'*' and '>' stand for other words: publish to a topic by its name", reason="wildcard")
    return Topic(text)


def parse_pattern(text: str, max_bytes: int) -> Pattern:
    """The pattern spelled `text`, which is at most `max_bytes` long in UTF-8.

    Raises:
        InvalidArgument: as `parse_topic`, but for wildcards; or ``>`` is not the last word.
    """
    _check(text, max_bytes)
    words = words_of(text)
    if _REST in words[:-1]:
        raise InvalidArgument("'>' stands for all words that follow: it comes last", reason="invalid_topic")
    return Pattern(text, words, names_one=_ONE not in words and words[-1] != _REST)


def _check(text: str, max_bytes: int) -> None:
    if not text:
        raise InvalidArgument("missing 'topic'", reason="missing_field")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidArgument("the topic's name is not Unicode text", reason="invalid_topic") from None
    if size > max_bytes:
        raise InvalidArgument(f"the topic's name is longer than {max_bytes} bytes", reason="invalid_topic")
    if _CONTROL.search(text) is not None:
        raise InvalidArgument("the topic's name holds a control character", reason="invalid_topic")
