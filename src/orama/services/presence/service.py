"""Presence: joining, changing, leaving, and what becomes of those whose gateway died."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from orama.contracts.broker import Broker
from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.identity import Principal
from orama.domain.namespace import Namespace
from orama.domain.pubsub import Member, Message, PresenceEvent, PresenceKind, PresenceSettings
from orama.domain.timestamp import to_ms
from orama.domain.topic import Topic
from orama.errors import Conflict, InvalidArgument, OramaError
from orama.services.presence.lease import Lease
from orama.services.presence.rows import Gone, MemberRow, MemberRows, id_prefix

_T = TypeVar("_T")

_BATCH: Final = 500
_ORPHANS_EVERY: Final = 12
"""Beats between two looks for members whose lease ended while nobody could remove them."""
_encode: Final = msgspec.json.Encoder().encode


class _Event(msgspec.Struct, omit_defaults=True):
    """What subscribers find in the payload. `timestamp`: unix seconds."""

    type: str
    member_id: str
    timestamp: int
    meta: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class PresenceService:
    """The members of topics, one for each connection that joins.

    Common to all methods:

    Raises:
        Unavailable: the database or the broker is away.

    Leaving never fails: the others are told at once, and a row that cannot be removed now is removed later.
    """

    def __init__(
        self, database: Database, broker: Broker, clock: Clock, settings: PresenceSettings, *, node_id: str
    ) -> None:
        self._broker = broker
        self._clock = clock
        self.settings = settings
        self._rows = MemberRows(database)
        self._lease = Lease(database, clock, node_id, lease_s=settings.lease_s)
        self._numbers = itertools.count()
        self._here: dict[str, MemberRow] = {}
        self._departed: deque[Gone] = deque()
        self._to_remove: dict[str, None] = {}
        self._departure = asyncio.Event()
        self._removal = asyncio.Event()

    def __len__(self) -> int:
        """How many members came by this gateway."""
        return len(self._here)

    async def open(self) -> None:
        """Begin the lease. Members of this node's earlier processes are gone."""
        await self._lease.open()
        await self._evict(None)

    async def close(self) -> None:
        """End the lease with all its members. The database may be away: then others end it."""
        with suppress(OramaError):
            await self._lease.close()
            while await self._rows.evict(self._lease.id, _BATCH):
                pass

    def check(self, member_id: str, meta: bytes | None) -> None:
        """Return if somebody may be called `member_id` and say `meta` about itself.

        Raises:
            InvalidArgument: one of them is missing, too long, or no text.
        """
        settings = self.settings
        if not member_id:
            raise InvalidArgument("missing 'member_id' for presence", reason="missing_field")
        try:
            size = len(member_id.encode())
        except UnicodeEncodeError:
            raise InvalidArgument("the member_id is not Unicode text", reason="invalid_member_id") from None
        if size > settings.max_member_id_bytes:
            raise InvalidArgument(
                f"the member_id is longer than {settings.max_member_id_bytes} bytes", reason="invalid_member_id"
            )
        if meta is not None and len(meta) > settings.max_meta_bytes:
            raise InvalidArgument(
                f"what a member says about itself has at most {settings.max_meta_bytes} bytes", reason="meta_too_large"
            )

    async def join(self, caller: Principal, topic: Topic, member_id: str, meta: bytes | None) -> MemberRow:
        """Make the caller a member. Nobody is told yet: see `announce`. Who gets the member lets it leave.

        Raises:
            InvalidArgument: see `check`.
            Conflict: another owner is present as `member_id` (reason ``member_id_taken``), or the topic is full.
        """
        self.check(member_id, meta)
        prefix = id_prefix(caller.namespace, topic, member_id)
        row = MemberRow(
            f"{prefix}.{self._lease.id}-{next(self._numbers):010x}",
            self._lease.id,
            caller.namespace,
            topic,
            member_id,
            caller.owner,
            meta,
            to_ms(self._clock.now()),
        )
        try:
            leaving = [one for one in self._to_remove if one.startswith(prefix)]
            await self._rows.insert(row, self.settings.max_members, leaving)
        except Conflict:
            raise
        except BaseException:
            self._remove(row.id)  # whether it was stored may be unknown
            raise
        self._here[row.id] = row
        return row

    async def announce(self, row: MemberRow) -> None:
        """Tell everybody that a member came."""
        await self._tell(row, PresenceKind.JOIN, row.meta)

    async def update(self, row: MemberRow, meta: bytes | None) -> None:
        """Store what a member says about itself now, and tell everybody."""
        self.check(row.member_id, meta)
        await self._rows.update(row.id, meta)
        row.meta = meta
        await self._tell(row, PresenceKind.UPDATE, meta)

    def leave(self, row: MemberRow) -> None:
        """Let a member go. A second time does nothing."""
        if row.id in self._here:
            self._departed.append(Gone(row.namespace, row.topic, row.member_id))
            self._departure.set()
            self._forget(row)

    def withdraw(self, row: MemberRow) -> None:
        """Let a member go that nobody was told of."""
        if row.id in self._here:
            self._forget(row)

    async def members(self, namespace: Namespace, topic: Topic) -> list[Member]:
        """The members of a topic on all gateways, in the order in which they came."""
        left = set(self._to_remove)  # as the rows may be read before they go, and their removal be over after that
        found = await self._rows.members(namespace, topic, self.settings.max_members + len(left))
        return [member for row, member in found if row not in left and row not in self._to_remove]

    async def run(self) -> None:
        """Tell of departures, remove rows, renew the lease and end dead ones, for ever. The owner cancels this task."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._announce_departures(), name="presence-departures")
            tasks.create_task(self._remove_rows(), name="presence-removal")
            tasks.create_task(self._renew(), name="presence-lease")

    async def beat(self, number: int) -> None:
        """One renewal of the lease, with what else is due."""
        if not await self._lease.beat():
            await self._restore()
        for lease in await self._lease.end_dead():
            await self._evict(lease)
        if number % _ORPHANS_EVERY == 0:
            await self._evict(None)
        if self._to_remove:
            self._removal.set()

    async def _renew(self) -> None:
        for number in itertools.count(1):
            await self._clock.sleep(self.settings.renew_s)
            with suppress(OramaError):  # the next beat tries again
                await self.beat(number)

    async def _announce_departures(self) -> None:
        while True:
            await self._departure.wait()
            self._departure.clear()
            while self._departed:
                await self._tell_of_departure(self._departed.popleft())

    async def _remove_rows(self) -> None:
        while True:
            await self._removal.wait()
            self._removal.clear()
            for ids in _batches(list(self._to_remove)):
                try:
                    await self._rows.remove(ids)
                except OramaError:
                    break  # the next beat of the lease tries again
                for one in ids:
                    self._to_remove.pop(one, None)

    async def _restore(self) -> None:
        """Put the members back that others removed: they took this gateway for dead."""
        for rows in _batches(list(self._here.values())):
            await self._rows.restore(rows)
            for row in rows:
                if row.id not in self._here:  # it left meanwhile
                    self._remove(row.id)

    async def _evict(self, lease: str | None) -> None:
        """Remove the members of a dead lease, or of all that are no more, and tell of each."""
        while gone := await self._rows.evict(lease, _BATCH):
            self._departed.extend(gone)
            self._departure.set()

    def _forget(self, row: MemberRow) -> None:
        del self._here[row.id]
        self._remove(row.id)

    def _remove(self, row_id: str) -> None:
        self._to_remove[row_id] = None
        self._removal.set()

    async def _tell(self, row: MemberRow, kind: PresenceKind, meta: bytes | None) -> None:
        await self._publish(row.namespace, row.topic, PresenceEvent(kind, row.member_id, meta))

    async def _tell_of_departure(self, gone: Gone) -> None:
        with suppress(OramaError):  # who cannot be reached sees it in the list of members
            await self._publish(gone.namespace, gone.topic, PresenceEvent(PresenceKind.LEAVE, gone.member_id))

    async def _publish(self, namespace: Namespace, topic: Topic, event: PresenceEvent) -> None:
        now = self._clock.now()
        payload = _Event(event.kind.value, event.member_id, int(now))
        if event.meta is not None:
            payload.meta = msgspec.Raw(event.meta)
        await self._broker.publish(namespace, Message(topic, _encode(payload), to_ms(now), presence=event))


def _batches(items: list[_T]) -> Iterable[list[_T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
