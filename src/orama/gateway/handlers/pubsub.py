"""``/v1/pubsub``: messages between those who share a namespace."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from orama.domain.pubsub import Member, Position
from orama.errors import Code, InvalidArgument
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Reply
from orama.gateway.kernel.operation import Idempotency, RouteClass, operation
from orama.gateway.websocket.admission import Admission
from orama.gateway.websocket.limits import WebSocketLimits
from orama.gateway.websocket.topic_conversation import TopicConversation
from orama.services.auth.watch import CredentialWatch
from orama.services.limiter import RateLimiter
from orama.services.presence.service import PresenceService
from orama.services.pubsub.service import PUBLISH, SUBSCRIBE, Published, PubSubService
from orama.wire.pubsub import (
    Envelope,
    OpenTopic,
    PresenceList,
    PresenceQuery,
    PresentMember,
    PublishMessage,
    PublishStatus,
    TopicList,
)

_ALWAYS: Final = (Code.INVALID_ARGUMENT, Code.UNAVAILABLE)
_WEBSOCKET: Final = (*_ALWAYS, Code.CONFLICT)
_MAX_PUBLISH_BYTES: Final = 2 * 1024 * 1024
"""A message of one MiB as base64, with its topic."""

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class PubSubHandlers:
    """The topics of the caller's own namespace."""

    def __init__(
        self,
        pubsub: PubSubService,
        presence: PresenceService,
        limiter: RateLimiter,
        watch: CredentialWatch,
        limits: WebSocketLimits,
    ) -> None:
        self._pubsub = pubsub
        self._presence = presence
        self._limiter = limiter
        self._watch = watch
        self._limits = limits

    @operation(
        "POST",
        "/v1/pubsub/publish",
        scope=PUBLISH,
        per_resource=True,
        route_class=RouteClass.WRITE,
        errors=(*_ALWAYS, Code.TOO_LARGE, Code.STORAGE_FULL),
        max_body_bytes=_MAX_PUBLISH_BYTES,
        idempotency=Idempotency.RECORDED,
    )
    async def publish(self, call: Call, request: PublishMessage) -> PublishStatus:
        """Send a message to everybody who is subscribed to the topic.

        If the topic has a history, the message is durable when this is answered, and the answer has its place there.
        """
        encoded = request.data_base64 or request.data
        if not request.topic or not encoded:
            raise InvalidArgument("invalid body: expected {topic,data_base64}", reason="missing_field")
        try:
            payload = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidArgument("invalid base64 data", reason="invalid_base64") from None
        return _status(await self._pubsub.publish(call.caller, request.topic, payload))

    @operation(
        "GET",
        "/v1/pubsub/topics",
        scope=SUBSCRIBE,
        per_resource=True,
        route_class=RouteClass.READ,
        errors=_ALWAYS,
        any_method=True,
    )
    async def topics(self, call: Call) -> TopicList:
        """List the topics and patterns that somebody is subscribed to on this node."""
        topics = self._pubsub.topics(call.caller)
        return TopicList(topics, len(topics))

    @operation(
        "GET",
        "/v1/pubsub/presence",
        scope=SUBSCRIBE,
        per_resource=True,
        route_class=RouteClass.READ,
        errors=(*_ALWAYS, Code.TOO_LARGE),
    )
    async def presence(self, call: Call, request: PresenceQuery) -> PresenceList:
        """List the members of a topic, on all nodes, in the order in which they came.

        One connection is one member: the same `member_id` may be there several times.
        """
        topic = self._pubsub.topic(call.caller, request.topic, SUBSCRIBE)
        members = [_present(one) for one in await self._presence.members(call.caller.namespace, topic)]
        return PresenceList(topic, members, len(members))

    @operation(
        "GET",
        "/v1/pubsub/ws",
        scope=SUBSCRIBE,
        per_resource=True,
        route_class=RouteClass.READ,
        errors=_WEBSOCKET,
        status=101,
        websocket=True,
        url_credentials=True,
        response=Envelope,
    )
    async def ws(self, call: Call, request: OpenTopic) -> Reply:
        """Listen to one topic, and publish to it, on a WebSocket.

        Messages come as text frames, each one envelope. Every frame that the client sends is published as it is, its
        own messages come back to it, and a JSON object whose `type` is `ping` is taken for a heartbeat. If a message
        cannot be published, the text `publish_error` comes.

        With `presence`, the client is a member of the topic while it is connected; its own coming is the first that it
        hears. With `offset` and `epoch`, what was published since comes first, after a frame of the type `subscribed`
        that says whether nothing is missing.
        """
        wants_presence = request.presence.lower() in ("true", "1")
        conversation = TopicConversation(
            self._pubsub,
            self._presence,
            self._limits,
            Admission(call, self._limiter, self._watch),
            request.topic,
            since=None if request.offset is None else Position(request.epoch, request.offset),
            member=(request.member_id, _meta_in(request.member_meta)) if wants_presence else None,
        )
        await conversation.prepare()
        return Reply(101, b"", headers=[], conversation=conversation)


def _status(published: Published) -> PublishStatus:
    position = published.position
    return PublishStatus(
        "ok",
        offset=msgspec.UNSET if position is None else position.offset,
        epoch=msgspec.UNSET if position is None else position.epoch,
        local_only=published.local_only,
    )


def _present(member: Member) -> PresentMember:
    meta = msgspec.UNSET if member.meta is None else msgspec.Raw(member.meta)
    return PresentMember(member.member_id, member.joined_at // 1000, member.member_id, member.joined_at, meta)


def _meta_in(text: str) -> bytes | None:
    """What a member says about itself; what is no JSON object is passed over, as clients are used to."""
    try:
        return msgspec.json.encode(_object.decode(text)) if text else None
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
