"""What is said on a socket of one topic: messages come in envelopes, and what the client says is published as it is."""

from __future__ import annotations

from typing import Final

import msgspec

from orama.domain.pubsub import Position
from orama.domain.topic import Topic
from orama.errors import OramaError
from orama.gateway.websocket.admission import Admission
from orama.gateway.websocket.envelope import greeting_frame, topic_frame
from orama.gateway.websocket.frame import Frame, Incoming
from orama.gateway.websocket.limits import WebSocketLimits
from orama.gateway.websocket.sink import SocketSink
from orama.gateway.websocket.socket import Socket
from orama.services.presence.rows import MemberRow
from orama.services.presence.service import PresenceService
from orama.services.pubsub.service import SUBSCRIBE, Confirm, PubSubService, Subscribed, Subscriber

_PUBLISH_ERROR: Final = Frame(b"publish_error")
_PING: Final = b'"ping"'


class _Typed(msgspec.Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed)


class TopicConversation:
    """A `socket.Conversation` of one client on one topic.

    Args:
        pubsub: the topics.
        presence: their members.
        limits: bounds on what waits for the client.
        admission: whose socket it is.
        topic: the topic, or a pattern, to which nothing can be published.
        since: the last message that the client has seen.
        member: the client's member id and what it says about itself, if it wants to be present.
    """

    def __init__(
        self,
        pubsub: PubSubService,
        presence: PresenceService,
        limits: WebSocketLimits,
        admission: Admission,
        topic: str,
        *,
        since: Position | None,
        member: tuple[str, bytes | None] | None,
    ) -> None:
        self._pubsub = pubsub
        self._presence = presence
        self._admission = admission
        self._caller = admission.caller
        self._topic = topic
        self._since = since
        self._wanted_member = member
        self._sink = SocketSink(topic_frame, limits)
        self._subscriber: Subscriber | None = None
        self._member: MemberRow | None = None
        self._announced = False

    async def prepare(self) -> None:
        """Do all that may be refused, and subscribe: a client that has its handshake answered misses nothing.

        Raises:
            OramaError: it cannot be; nothing is held.
        """
        self._pubsub.pattern(self._caller, self._topic)
        try:
            await self._enter()
            if self._since is None:
                await self._begin(_greet_nobody)
        except BaseException:
            self.abandon()
            raise

    async def __call__(self, socket: Socket) -> None:
        """See `socket.Conversation`."""
        watched = self._admission.hold(lambda error: socket.close(error.code.websocket_close, error.text))
        try:
            self._sink.open(socket)
            if self._since is not None:
                await self._begin(lambda subscribed: socket.send(greeting_frame(subscribed)))
            while (incoming := await socket.receive()) is not None:
                await self._take(socket, incoming)
        finally:
            watched.end()
            self.abandon()

    def abandon(self) -> None:
        """See `socket.Conversation`."""
        if self._subscriber is not None:
            self._subscriber.close()
        if self._member is not None:
            member, self._member = self._member, None
            if self._announced:
                self._presence.leave(member)
            else:
                self._presence.withdraw(member)

    async def _enter(self) -> None:
        if self._wanted_member is not None:
            # A member is somewhere, not everywhere.
            self._pubsub.topic(self._caller, self._topic, SUBSCRIBE)
            self._presence.check(*self._wanted_member)
        self._subscriber = await self._pubsub.connect(self._caller, self._sink)
        if self._wanted_member is not None:
            self._member = await self._presence.join(self._caller, Topic(self._topic), *self._wanted_member)

    async def _begin(self, greet: Confirm) -> None:
        """Listen, and be there. Nothing waits in between: the first that a member hears is its own coming."""
        assert self._subscriber is not None
        await self._subscriber.subscribe(self._topic, self._since, greet)
        if self._member is not None:
            self._announced = True
            await self._presence.announce(self._member)

    async def _take(self, socket: Socket, incoming: Incoming) -> None:
        if incoming.text and _is_heartbeat(incoming.data):
            return
        try:
            self._admission.admit()
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
