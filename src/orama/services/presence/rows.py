"""The platform's table of members: one row for each, under the lease of the gateway that the member came by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from orama.contracts.database import Database
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.pubsub import Member
from orama.domain.sql import Consistency, Statement, Value
from orama.domain.topic import Topic
from orama.errors import Conflict, Precondition

_COUNT: Final = "(SELECT count(*) FROM presence_members WHERE namespace = ?3 AND topic = ?4)"
_OF_ANOTHER: Final = "EXISTS (SELECT 1 FROM presence_members WHERE id > ?9 || '.' AND id < ?9 || '/' AND owner <> ?6)"
_INSERT: Final = (
    "INSERT INTO presence_members (id, lease, namespace, topic, member_id, owner, meta, joined_at) "
    "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 "
)
_JOIN: Final = f"{_INSERT}WHERE {_COUNT} < ?10 AND NOT {_OF_ANOTHER}"
_RESTORE: Final = f"{_INSERT}WHERE 1 ON CONFLICT (id) DO NOTHING"
_UPDATE: Final = "UPDATE presence_members SET meta = ?2 WHERE id = ?1"
_LEAVE: Final = "DELETE FROM presence_members WHERE id IN (SELECT value FROM json_each(?))"
_LIST: Final = (
    "SELECT m.id, m.member_id, m.joined_at, m.meta FROM presence_members m JOIN gateway_leases l ON l.id = m.lease "
    "WHERE m.namespace = ? AND m.topic = ? ORDER BY m.joined_at, substr(m.id, instr(m.id, '.')) LIMIT ?"
)
_HOLDER: Final = "SELECT 1 FROM presence_members WHERE id > ?1 || '.' AND id < ?1 || '/' AND owner <> ?2 LIMIT 1"
_EVICT: Final = (
    "DELETE FROM presence_members WHERE id IN (SELECT id FROM presence_members WHERE lease = ? LIMIT ?) "
    "RETURNING namespace, topic, member_id"
)
_EVICT_ORPHANS: Final = (
    "DELETE FROM presence_members WHERE id IN (SELECT m.id FROM presence_members m "
    "LEFT JOIN gateway_leases l ON l.id = m.lease WHERE l.id IS NULL LIMIT ?) RETURNING namespace, topic, member_id"
)
_DIGEST_BYTES: Final = 16


class MemberRow(msgspec.Struct, gc=False):
    """A member as stored. `owner`: who alone may use `member_id` on this topic while it is there."""

    id: str
    lease: str
    namespace: Namespace
    topic: Topic
    member_id: str
    owner: str
    meta: bytes | None
    joined_at: int


class Gone(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Whose row was removed."""

    namespace: Namespace
    topic: Topic
    member_id: str


class MemberRows:
    """Reads and writes the table.

    Common to all methods:

    Raises:
        Unavailable, Deadline, StorageFull: the database says so.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, row: MemberRow, max_members: int, removed: Sequence[str]) -> None:
        """Add a member, once those of `removed` are gone.

        Raises:
            Conflict: the member id is another's (reason ``member_id_taken``), or the topic is full (reason
                ``too_many_members``).
        """
        prefix = id_prefix(row.namespace, row.topic, row.member_id)
        insertion = Statement(_JOIN, (*_values(row), prefix, max_members), expect_rows=1)
        try:
            await self._database.execute(PLATFORM, [_removal(removed), insertion])
        except Precondition as error:
            holder = Statement(_HOLDER, (prefix, row.owner))
            if (await self._database.query(PLATFORM, holder, consistency=Consistency.LINEARIZABLE)).rows:
                raise Conflict(
                    "somebody else is present with that member_id: choose another", reason="member_id_taken"
                ) from error
            raise Conflict(f"the topic has {max_members} members", reason="too_many_members") from error

    async def update(self, row_id: str, meta: bytes | None) -> None:
        """Store what the member says about itself."""
        await self._database.execute(PLATFORM, [Statement(_UPDATE, (row_id, meta))])

    async def remove(self, ids: Sequence[str]) -> None:
        """Remove members; those that are gone already do not matter."""
        await self._database.execute(PLATFORM, [_removal(ids)])

    async def restore(self, rows: Sequence[MemberRow]) -> None:
        """Add members that should be there, if they are not."""
        await self._database.execute(PLATFORM, [Statement(_RESTORE, _values(row)) for row in rows])

    async def members(self, namespace: Namespace, topic: Topic, limit: int) -> list[tuple[str, Member]]:
        """The members of a topic under living leases, with the ids of their rows, in the order in which they came."""
        found = await self._database.query(PLATFORM, Statement(_LIST, (namespace, topic, limit)))
        return [
            (str(row), msgspec.convert({"member_id": member_id, "joined_at": joined_at, "meta": meta}, Member))
            for row, member_id, joined_at, meta in found.rows
        ]

    async def evict(self, lease: str | None, limit: int) -> list[Gone]:
        """Remove up to `limit` members of a lease, or of leases that are no more; returns whom."""
        statement = Statement(_EVICT, (lease, limit)) if lease is not None else Statement(_EVICT_ORPHANS, (limit,))
        (result,) = await self._database.execute(PLATFORM, [statement])
        return [] if result.rows is None else [msgspec.convert(row, Gone) for row in result.rows.rows]


def id_prefix(namespace: Namespace, topic: Topic, member_id: str) -> str:
    """What the ids of all rows of one member id begin with, before a dot: they stand together in the table."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in (namespace, topic, member_id):
        text = part.encode()
        digest.update(len(text).to_bytes(4, "big") + text)
    return digest.hexdigest()


def _removal(ids: Sequence[str]) -> Statement:
    return Statement(_LEAVE, (msgspec.json.encode(ids).decode(),))


def _values(row: MemberRow) -> tuple[Value, ...]:
    return msgspec.structs.astuple(row)
