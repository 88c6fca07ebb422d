"""The audit log: written in the same batch as the act that it tells of, so that neither is there without the other."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

import msgspec

from orama.contracts.clock import Clock
from orama.contracts.database import Database
from orama.domain.audit import Action, AuditEntry, Provenance
from orama.domain.base62 import base62
from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import Statement, Value
from orama.domain.timestamp import to_ms
from orama.services.auth.settings import AuthSettings
from orama.services.sweep import Sweep, platform_sweep

_COLUMNS: Final = "namespace, at, id, actor, action, target, details, request_id, client"
_REMOVE_OLD: Final = (
    "DELETE FROM audit WHERE (namespace, at, id) IN (SELECT namespace, at, id FROM audit WHERE at < ? LIMIT ?)"
)

Details = Mapping[str, str | int | bool | None]


class Condition(msgspec.Struct, frozen=True):
    """An SQL expression and its arguments: something that must be true where it stands in a batch."""

    sql: str
    arguments: tuple[Value, ...] = ()


ALWAYS: Final = Condition("1")


class AuditLog:
    """Writes and reads what was done in a namespace."""

    def __init__(self, database: Database, clock: Clock, settings: AuthSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._number = 0

    def entry(
        self,
        namespace: Namespace,
        actor: str,
        action: Action,
        target: str | None = None,
        *,
        provenance: Provenance,
        details: Details | None = None,
        only_if: Condition = ALWAYS,
    ) -> Statement:
        """The statement that records an act, for the batch of the act; `only_if` something will be changed by it."""
        told = msgspec.json.encode(dict(details or {})).decode()
        return Statement(
            f"INSERT INTO audit ({_COLUMNS}) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE {only_if.sql}",
            (
                *(namespace, *self._moment(), actor, action.value, target, told),
                *(provenance.request_id, provenance.client),
                *only_if.arguments,
            ),
        )

    def entry_everywhere(
        self, account: str, action: Action, target: str, *, provenance: Provenance, details: Details | None = None
    ) -> Statement:
        """The statement that records an act of `account` on itself in each namespace that it is a member of."""
        told = msgspec.json.encode(dict(details or {})).decode()
        return Statement(
            f"INSERT INTO audit ({_COLUMNS}) SELECT namespace, ?, ?, wallet, ?, ?, ?, ?, ? "  # noqa: S608
            "FROM members WHERE wallet = ?",
            (*self._moment(), action.value, target, told, provenance.request_id, provenance.client, account),
        )

    def end_of_families(self, ended: Condition, action: Action, *, provenance: Provenance) -> Statement:
        """The statement that records the end of those sign-ins, all of one wallet in one namespace, that `ended` names.

        One entry, if there is any such family that lives; `ended` speaks of the columns of ``families``.
        """
        return Statement(
            f"INSERT INTO audit ({_COLUMNS}) SELECT namespace, ?, ?, wallet, ?, "  # noqa: S608
            "CASE count(*) WHEN 1 THEN min(id) END, json_object('sign_ins', count(*)), ?, ? FROM families "
            f"WHERE {ended.sql} AND revoked_at IS NULL GROUP BY namespace, wallet",
            (*self._moment(), action.value, provenance.request_id, provenance.client, *ended.arguments),
        )

    async def page(
        self,
        namespace: Namespace,
        *,
        limit: int,
        before: tuple[int, str] | None = None,
        actor: str | None = None,
        action: str | None = None,
    ) -> list[AuditEntry]:
        """Up to `limit` acts, newest first, that came `before` the entry of that time and id."""
        conditions, arguments = ["namespace = ?"], [namespace, *(before or ())]
        if before is not None:
            conditions.append("(at, id) < (?, ?)")
        for column, value in (("actor", actor), ("action", action)):
            if value is not None:
                conditions.append(f"{column} = ?")
                arguments.append(value)
        statement = Statement(
            f"SELECT {_COLUMNS} FROM audit WHERE {' AND '.join(conditions)} "  # noqa: S608
            "ORDER BY at DESC, id DESC LIMIT ?",
            (*arguments, limit),
        )
        return [_entry(row) for row in (await self._database.query(PLATFORM, statement)).rows]

    def sweep(self) -> Sweep:
        """The removal of entries older than `AuthSettings.audit_retention_s`."""

        def kept_since() -> tuple[int]:
            return (to_ms(self._clock.now() - self._settings.audit_retention_s),)

        return platform_sweep(self._database, "audit", _REMOVE_OLD, kept_since)

    def _moment(self) -> tuple[int, str]:
        """When it is, and an id that comes after those that this process made before it."""
        self._number = (self._number + 1) % 2**32
        return to_ms(self._clock.now()), base62(self._number.to_bytes(4, "big") + secrets.token_bytes(8))


def _entry(row: tuple[Value, ...]) -> AuditEntry:
    fields = dict(zip(AuditEntry.__struct_fields__, row, strict=True))
    return msgspec.convert({**fields, "details": msgspec.json.decode(str(fields["details"]))}, AuditEntry)
