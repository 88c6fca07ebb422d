"""The rooms that are open on this node: one for each namespace in which somebody is subscribed, and none else."""

from __future__ import annotations

from collections.abc import Iterable

from orama.contracts.broker import Broker
from orama.contracts.clock import Clock
from orama.domain.namespace import Namespace
from orama.errors import RateLimited
from orama.services.pubsub.history import Histories
from orama.services.pubsub.room import Room, RoomCounts


class Rooms:
    """Opens a room for the first who enters and closes it behind the last who leaves.

    Args:
        broker: what rooms listen to.
        histories: where topics with a history stand.
        clock: for the rooms.
        max_users: how many may be in one room.
    """

    def __init__(self, broker: Broker, histories: Histories, clock: Clock, *, max_users: int) -> None:
        self._broker = broker
        self._histories = histories
        self._clock = clock
        self._max_users = max_users
        self._rooms: dict[Namespace, Room] = {}
        self.counts = RoomCounts()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._rooms)

    @property
    def users(self) -> int:
        """How many are in all of them."""
        return sum(room.users for room in self._rooms.values())

    def subscribed(self, namespace: Namespace) -> Iterable[str]:
        """The topics and patterns of `namespace` that somebody is subscribed to on this node."""
        room = self._rooms.get(namespace)
        return () if room is None else room.subscribed

    async def enter(self, namespace: Namespace) -> Room:
        """The namespace's room, open; who gets it calls `leave` when done.

        Raises:
            RateLimited: it is full (reason ``too_many_subscribers``).
            Unavailable: the broker or the database is away.
        """
        room = self._rooms.get(namespace)
        if room is None:
            room = self._rooms[namespace] = Room(namespace, self._broker, self._histories, self._clock, self.counts)
        if room.users >= self._max_users:
            raise RateLimited(
                f"{self._max_users} connections of this namespace are subscribed already",
                reason="too_many_subscribers",
                retry_after_s=1,
            )
        room.users += 1
        try:
            await room.open()
        except BaseException:
            self.leave(room)
            raise
        return room

    def leave(self, room: Room) -> None:
        """Undo `enter`."""
        room.users -= 1
        if not room.users:
            del self._rooms[room.namespace]
            room.close()
