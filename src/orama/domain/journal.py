"""Journals: ordered, durable series of entries in a namespace's database, each kept within bounds of its own."""

from __future__ import annotations

import msgspec

from orama.domain.pubsub import Position


class Retention(msgspec.Struct, frozen=True, gc=False):
    """What a stream keeps: the newest `max_count` entries of the last `max_age_ms`, together at most `max_bytes`."""

    max_count: int
    max_age_ms: int
    max_bytes: int


class StreamState(msgspec.Struct, frozen=True, gc=False):
    """A stream as it stands. `last`: the position of its newest entry, offset 0 if there never was one."""

    last: Position
    retention: Retention


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry. `at`: unix milliseconds, never less than those of the entry before."""

    position: Position
    at: int
    payload: bytes


class Page(msgspec.Struct, frozen=True, gc=False):
    """Some entries in order, from the first that was asked for and is kept.

    `lost`: how many of those asked for came before it and are kept no more. `last`: the stream's newest offset as of
    this reading.
    """

    entries: list[Entry]
    lost: int
    last: int


class JournalLimits(msgspec.Struct, frozen=True):
    """Bounds on journals. Each breach is a 4xx that names the limit."""

    max_streams: int = 100
    """Most topics with a history in one namespace."""
    max_count: int = 10_000
    """Most messages that one history keeps."""
    max_age_s: int = 7 * 24 * 3600
    """Longest time that a history keeps a message."""
    max_bytes: int = 64 * 1024 * 1024
    """Most bytes of messages that one history keeps."""
    max_page: int = 1_000
    """Most messages that one answer holds."""
