"""The port for messages: from one publisher to whoever listens in the same namespace, on any node."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol, TypeAlias

import msgspec

from orama.domain.namespace import Namespace
from orama.domain.pubsub import Message

Receiver: TypeAlias = Callable[[Message], None]
"""Takes a message on the event loop. It must not raise, wait, or call the broker."""


class BrokerGuarantees(msgspec.Struct, frozen=True):
    """What an engine promises beyond the contract. The conformance suite skips on these, never on a class."""

    reaches_other_nodes: bool
    """A message reaches the receivers of all brokers that work together, not only this one's."""
    lossless: bool
    """Every receiver gets every message. Where False, messages from other nodes may be lost on their way;
    `Broker.gaps` counts those whose loss was noticed."""
    max_payload_bytes: int
    """The longest payload that fits."""


class Reach(Enum):
    """How far a message got."""

    ALL = "all"
    LOCAL_ONLY = "local_only"
    """Receivers of this broker had it; other nodes are out of reach now and may never have it."""


class Subscription(Protocol):
    """A receiver's place with the broker."""

    def end(self) -> None:
        """Call the receiver no more, from now on. A second call does nothing."""
        ...


class Broker(Protocol):
    """Messages to all receivers of a namespace.

    What every engine promises. A receiver gets each message at most once, the publisher's own ones too, and those that
    one broker published in the order in which it did. It gets nothing that was published before it subscribed, and
    nothing of other namespaces. Nothing is kept: what nobody hears is gone, and who wants more writes a journal first
    and lets the message say where in it (`Message.position`).

    Messages come back as they went in. Names of topics mean nothing to a broker.

    Common to all methods:

    Raises:
        Unavailable: the engine is away or closed.
    """

    @property
    def guarantees(self) -> BrokerGuarantees:
        """What this engine promises beyond the contract."""
        ...

    @property
    def gaps(self) -> int:
        """Messages from other nodes that are known to have been lost since the start."""
        ...

    async def publish(self, namespace: Namespace, message: Message) -> Reach:
        """Send `message` to all receivers of `namespace`.

        The receivers of this broker are called first, before the call waits for anything: a caller that subscribes and
        then publishes, without waiting in between, is the first to be heard.

        Raises:
            TooLarge: the payload does not fit (reason ``message_too_large``); nobody got it.
        """
        ...

    async def subscribe(self, namespace: Namespace, receiver: Receiver) -> Subscription:
        """Call `receiver` with each message of `namespace` that is published from the return of this call on."""
        ...

    async def ping(self) -> None:
        """Ask the engine for a sign of life."""
        ...

    async def close(self) -> None:
        """Let go of everything; no receiver is called again. A second call does nothing."""
        ...
