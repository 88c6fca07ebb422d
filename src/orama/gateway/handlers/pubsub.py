"""``/v1/pubsub``: messages between those who share a namespace."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final

import msgspec

from orama.domain.pubsub import Position
from orama.errors import Code, InvalidArgument
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.client_address import address_group
from orama.gateway.kernel.message import Reply
from orama.gateway.kernel.operation import Idempotency, RouteClass, operation
from orama.gateway.websocket.limits import WebSocketLimits
from orama.gateway.websocket.topic_conversation import TopicConversation
from orama.services.limiter import RateLimiter
from orama.services.pubsub.service import PUBLISH, SUBSCRIBE, Published, PubSubService
from orama.wire.pubsub import Envelope, OpenTopic, PublishMessage, PublishStatus, TopicList

_ALWAYS: Final = (Code.INVALID_ARGUMENT, Code.UNAVAILABLE)
_WEBSOCKET: Final = (*_ALWAYS, Code.CONFLICT)
_MAX_PUBLISH_BYTES: Final = 2 * 1024 * 1024
"""A message of one MiB as base64, with its topic."""


class PubSubHandlers:
    """The topics of the caller's own namespace."""

    def __init__(self, pubsub: PubSubService, limiter: RateLimiter, limits: WebSocketLimits) -> None:
        self._pubsub = pubsub
        self._limits = limits
        self._limiter = limiter

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
        """
        conversation = TopicConversation(
            self._pubsub,
            self._limits,
            call.caller,
            request.topic,
            since=None if request.offset is None else Position(request.epoch, request.offset),
            admit=self._admission(call),
        )
        await conversation.prepare()
        return Reply(101, b"", headers=[], conversation=conversation)

    def _admission(self, call: Call) -> Callable[[], object]:
        """What holds each message on the caller's socket against the limits of requests that write."""
        caller = call.caller
        address, credential = address_group(call.request.client), caller.key_id or caller.subject
        check = self._limiter.check

        def admit() -> object:
            return check(RouteClass.WRITE.value, address=address, namespace=caller.namespace, credential=credential)

        return admit


def _status(published: Published) -> PublishStatus:
    position = published.position
    return PublishStatus(
        "ok",
        offset=msgspec.UNSET if position is None else position.offset,
        epoch=msgspec.UNSET if position is None else position.epoch,
        local_only=published.local_only,
    )
