"""Requests, replies and frames of ``/v1/pubsub``.

Fields that must be there are checked by handlers and services, so that the messages are the ones that clients know.
Bytes stand as base64 with its padding.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from orama.wire.field import REQUIRED, Text

_Data = Annotated[str, msgspec.Meta(description="Base64 of the message.", extra_json_schema={REQUIRED: True})]
_ALIAS: Final = "The same as data_base64."


class PublishMessage(msgspec.Struct, gc=False):
    """What to publish, and where. Either `data_base64` or its alias `data` must be there."""

    topic: Text = ""
    data_base64: _Data = ""
    data: Annotated[str, msgspec.Meta(description=_ALIAS)] = ""


class PublishStatus(msgspec.Struct, gc=False, omit_defaults=True):
    """It is published.

    `offset` and `epoch`: its place in the topic's history, if there is one. `local_only`: other nodes are out of reach,
    and their subscribers may never have it.
    """

    status: Annotated[str, msgspec.Meta(extra_json_schema={"const": "ok"})]
    offset: int | msgspec.UnsetType = msgspec.UNSET
    epoch: str | msgspec.UnsetType = msgspec.UNSET
    local_only: bool = False


class TopicList(msgspec.Struct):
    """The topics and patterns that somebody is subscribed to on this node, ordered by name."""

    topics: list[str]
    count: int


class PresenceQuery(msgspec.Struct, gc=False):
    """Whose members to list."""

    topic: Text = ""


class PresentMember(msgspec.Struct, gc=False, omit_defaults=True):
    """Somebody who is there, in both spellings that clients know.

    `joined_at` is in unix seconds, `joinedAt` in unix milliseconds. `meta`: what the member says about itself.
    """

    member_id: str
    joined_at: int
    also_member_id: str = msgspec.field(name="memberId")
    joined_at_ms: int = msgspec.field(name="joinedAt")
    meta: Annotated[msgspec.Raw | msgspec.UnsetType, msgspec.Meta(extra_json_schema={"type": "object"})] = msgspec.UNSET


class PresenceList(msgspec.Struct):
    """The members of a topic on all nodes, in the order in which they came."""

    topic: str
    members: list[PresentMember]
    count: int


class Greeting(msgspec.Struct, omit_defaults=True):
    """The first frame to a client that asked for what it missed.

    `recovered`: whether everything since then follows. `offset` and `epoch`: up to where the topic's history is known
    to the client with that; absent if the topic has none.
    """

    type: str
    topic: str
    recovered: bool
    offset: int | msgspec.UnsetType = msgspec.UNSET
    epoch: str | msgspec.UnsetType = msgspec.UNSET


class OpenTopic(msgspec.Struct):
    """Which topic to listen to, and whether to be present.

    `presence` is ``true`` or nothing; then `member_id` must be there, and `member_meta` may be a JSON object. `offset`
    and `epoch`: the last message that was seen of a topic with a history; what followed comes first.
    """

    topic: Text = ""
    presence: str = ""
    member_id: str = ""
    member_meta: str = ""
    offset: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})] | None = None
    epoch: str = ""


class Envelope(msgspec.Struct, gc=False, omit_defaults=True):
    """A message as subscribers get it. `timestamp` is unix milliseconds.

    `offset` and `epoch`: its place in the topic's history, if there is one. `type` and what follows: only where the
    gateway itself tells of a member; no publisher can set them.
    """

    data: bytes
    timestamp: int
    topic: str
    offset: int | msgspec.UnsetType = msgspec.UNSET
    epoch: str | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET
    member_id: str | msgspec.UnsetType = msgspec.UNSET
    meta: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
