"""One message on its way to many: what it looks like to each kind of subscriber is made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from orama.domain.pubsub import Message

_T = TypeVar("_T")


class Delivery:
    """A message with its encoded forms."""

    __slots__ = ("_forms", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._forms: dict[Callable[[Message], Any], Any] = {}

    def form(self, encode: Callable[[Message], _T]) -> _T:
        """The message as `encode` makes it; called once for all subscribers that want this form."""
        made = self._forms.get(encode)
        if made is None:
            made = self._forms[encode] = encode(self.message)
        return made


class Sink(Protocol):
    """Where a subscriber's messages go: one connection, however many subscriptions it has."""

    def deliver(self, delivery: Delivery) -> None:
        """Take a message. Must not raise, wait, or subscribe; a connection that is too slow is the sink's to cut."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it takes no more."""
        ...

    async def drain(self) -> None:
        """Wait until most of what was delivered is gone, or the sink is closed."""
        ...
