"""Pub/sub as services and ports speak of it: messages, where they stand in a history, limits."""

from __future__ import annotations

from enum import Enum

import msgspec

from orama.domain.topic import Topic


class Position(msgspec.Struct, frozen=True, gc=False):
    """A place in a topic's history.

    `epoch`: which history it is; a topic whose history was dropped and begun again has a later one, by comparison of
    the texts. `offset`: 1 for the first message of an epoch, one more for each that follows.
    """

    epoch: str
    offset: int


class PresenceKind(Enum):
    """What happened to a member of a topic. The values are what clients know."""

    JOIN = "presence.join"
    UPDATE = "presence.update"
    LEAVE = "presence.leave"


class PresenceEvent(msgspec.Struct, frozen=True, gc=False):
    """A member came, changed or went. `meta` is a JSON object as text, if there is one; never of who leaves."""

    kind: PresenceKind
    member_id: str
    meta: bytes | None = None


class Message(msgspec.Struct, frozen=True, gc=False):
    """What was published.

    `published_at`: unix milliseconds. `position`: its place in the topic's history, if the topic has one. `presence`:
    what the gateway itself has to say of a member; `payload` then says the same as JSON. Nobody else can set it.
    """

    topic: Topic
    payload: bytes
    published_at: int
    position: Position | None = None
    presence: PresenceEvent | None = None


class Member(msgspec.Struct, frozen=True, gc=False):
    """Somebody who is present on a topic. `joined_at`: unix milliseconds. `meta`: a JSON object as text, if any."""

    member_id: str
    joined_at: int
    meta: bytes | None


class PresenceSettings(msgspec.Struct, frozen=True):
    """How long presence outlives a gateway that died, and what a member may cost."""

    lease_s: float = 15.0
    """How long other gateways wait for a sign of life before a gateway's members are gone."""
    renew_s: float = 5.0
    """How often a gateway gives one."""
    max_members: int = 5_000
    """Most members of one topic."""
    max_member_id_bytes: int = 128
    """Longest member id, in UTF-8."""
    max_meta_bytes: int = 1024
    """Longest JSON that a member says about itself."""


class PubSubLimits(msgspec.Struct, frozen=True):
    """Bounds on pub/sub, the same on every engine. Each breach is a 4xx, or a close code, that names the limit."""

    max_topic_bytes: int = 256
    """Longest name of a topic, and longest pattern, in UTF-8."""
    max_message_bytes: int = 1024 * 1024
    """Longest message. An engine may take less, never more."""
    max_subscriptions: int = 100
    """Most subscriptions of one connection."""
    max_subscribers: int = 10_000
    """Most connections of one namespace, on one node, that are subscribed to anything."""
