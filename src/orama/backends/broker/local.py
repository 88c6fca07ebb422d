"""The broker of a node that is alone: a list of receivers for each namespace."""

from __future__ import annotations

from typing import Final

from orama.contracts.broker import BrokerGuarantees, Reach, Receiver
from orama.domain.namespace import Namespace
from orama.domain.pubsub import Message
from orama.errors import TooLarge, Unavailable

_MAX_PAYLOAD_BYTES: Final = 1024 * 1024


class LocalBroker:
    """`contracts.Broker` within this process. Every receiver has had a message when `publish` returns."""

    def __init__(self, max_payload_bytes: int = _MAX_PAYLOAD_BYTES) -> None:
        self._receivers: dict[Namespace, tuple[_Place, ...]] = {}
        self._closed = False
        self.guarantees = BrokerGuarantees(
            reaches_other_nodes=False, lossless=True, max_payload_bytes=max_payload_bytes
        )
        """See `contracts.Broker`."""
        self.gaps = 0
        """See `contracts.Broker`: nothing is lost on no way."""

    async def publish(self, namespace: Namespace, message: Message) -> Reach:
        """See `contracts.Broker`."""
        self._check_open()
        limit = self.guarantees.max_payload_bytes
        if len(message.payload) > limit:
            raise TooLarge(f"the message is longer than {limit} bytes", reason="message_too_large")
        for place in self._receivers.get(namespace, ()):
            if not place.ended:
                place.receiver(message)
        return Reach.ALL

    async def subscribe(self, namespace: Namespace, receiver: Receiver) -> _Place:
        """See `contracts.Broker`."""
        self._check_open()
        place = _Place(self, namespace, receiver)
        self._receivers[namespace] = (*self._receivers.get(namespace, ()), place)
        return place

    async def ping(self) -> None:
        """See `contracts.Broker`."""
        self._check_open()

    async def close(self) -> None:
        """See `contracts.Broker`."""
        self._closed = True
        self._receivers.clear()

    def release(self, place: _Place) -> None:
        """Forget a place that has ended."""
        left = tuple(one for one in self._receivers.get(place.namespace, ()) if one is not place)
        if left:
            self._receivers[place.namespace] = left
        else:
            self._receivers.pop(place.namespace, None)

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the broker is closed", reason="broker_unavailable")


class _Place:
    """One receiver's subscription."""

    __slots__ = ("_broker", "ended", "namespace", "receiver")

    def __init__(self, broker: LocalBroker, namespace: Namespace, receiver: Receiver) -> None:
        self._broker = broker
        self.namespace = namespace
        self.receiver = receiver
        self.ended = False

    def end(self) -> None:
        """See `contracts.Subscription`."""
        if not self.ended:
            self.ended = True
            self._broker.release(self)
