"""Messages in the form that subscribers of one topic get them."""

from __future__ import annotations

import msgspec

from orama.domain.pubsub import Message
from orama.gateway.websocket.frame import Frame
from orama.services.pubsub.service import Subscribed
from orama.wire.pubsub import Envelope, Greeting

_encode = msgspec.json.Encoder().encode


def envelope_of(message: Message) -> Envelope:
    """The message, with what the gateway has to say of it."""
    envelope = Envelope(message.payload, message.published_at, message.topic)
    if message.position is not None:
        envelope.offset, envelope.epoch = message.position.offset, message.position.epoch
    if message.presence is not None:
        event = message.presence
        envelope.type, envelope.member_id = event.kind.value, event.member_id
        if event.meta is not None:
            envelope.meta = msgspec.Raw(event.meta)
    return envelope


def topic_frame(message: Message) -> Frame:
    """The envelope as a text message."""
    return Frame(_encode(envelope_of(message)))


def greeting_frame(subscribed: Subscribed) -> Frame:
    """What a client hears first that asked for what it missed."""
    greeting = Greeting("subscribed", subscribed.pattern, recovered=subscribed.recovered is True)
    if subscribed.position is not None:
        greeting.offset, greeting.epoch = subscribed.position.offset, subscribed.position.epoch
    return Frame(_encode(greeting))
