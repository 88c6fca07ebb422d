"""What is said on a socket of one topic: messages come in envelopes, and what the client says is published as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from orama.domain.identity import Principal
from orama.domain.pubsub import Position
from orama.errors import OramaError
from orama.gateway.websocket.envelope import topic_frame
from orama.gateway.websocket.frame import Frame, Incoming
from orama.gateway.websocket.limits import WebSocketLimits
from orama.gateway.websocket.sink import SocketSink
from orama.gateway.websocket.socket import Socket
from orama.services.pubsub.service import PubSubService, Subscribed, Subscriber

_PUBLISH_ERROR: Final = Frame(b"publish_error")
_PING: Final = b'"ping"'


class _Typed(msgspec.Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed)


class TopicConversation:
    """A `socket.Conversation` of one client on one topic.

    Args:
        pubsub: the topics.
        limits: bounds on what waits for the client.
        caller: whose socket it is.
        topic: the topic, or a pattern, to which nothing can be published.
        since: the last message that the client has seen.
        admit: raises if a message comes too soon after others.
    """

    def __init__(
        self,
        pubsub: PubSubService,
        limits: WebSocketLimits,
        caller: Principal,
        topic: str,
        *,
        since: Position | None,
        admit: Callable[[], object],
    ) -> None:
        self._pubsub = pubsub
        self._caller = caller
        self._topic = topic
        self._since = since
        self._admit = admit
        self._sink = SocketSink(topic_frame, limits)
        self._subscriber: Subscriber | None = None

    async def prepare(self) -> None:
        """Subscribe, so that a client which has its handshake answered misses nothing.

        Raises:
            OramaError: it cannot be; nothing is held.
        """
        self._pubsub.pattern(self._caller, self._topic)
        try:
            self._subscriber = await self._pubsub.connect(self._caller, self._sink)
            await self._subscriber.subscribe(self._topic, self._since, _greet_nobody)
        except BaseException:
            self.abandon()
            raise

    async def __call__(self, socket: Socket) -> None:
        """See `socket.Conversation`."""
        try:
            self._sink.open(socket)
            while (incoming := await socket.receive()) is not None:
                await self._take(socket, incoming)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """See `socket.Conversation`."""
        if self._subscriber is not None:
            self._subscriber.close()

    async def _take(self, socket: Socket, incoming: Incoming) -> None:
        if incoming.text and _is_heartbeat(incoming.data):
            return
        try:
            self._admit()
            await self._pubsub.publish(self._caller, self._topic, incoming.data)
        except OramaError:
            socket.send(_PUBLISH_ERROR)


def _greet_nobody(_: Subscribed) -> None:
    """Clients that ask for nothing but the topic expect no greeting."""


def _is_heartbeat(data: bytes) -> bool:
    """Whether a client merely says that it is there: a JSON object whose ``type`` is ``ping``."""
    if _PING not in data:
        return False
    try:
        return _typed.decode(data).type == "ping"
    except (msgspec.DecodeError, RecursionError):
        return False
