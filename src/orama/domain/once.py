"""What makes a batch of statements take effect once, however often it is sent; and the table that remembers it.

The table has the reserved name ``_orama_idempotency`` and stands in the database of the namespace whose data the batch
changes, so that both are written in one transaction. The statements here are all there is to know about it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from orama.domain.sql import Result, Statement, Value
from orama.errors import Conflict


class Once(msgspec.Struct, frozen=True):
    """The key of a batch. Times are unix milliseconds.

    `key` and `request` are SHA-256 digests, of whose key it is and of all that was asked: a key stands for one request.
    `note`: what else is to be kept with it, or None. `keep_rows`: whether results are kept with their rows.
    `max_kept_bytes`: results longer than that are not kept.
    """

    key: bytes
    request: bytes
    now: int
    expires_at: int
    note: bytes | None = None
    keep_rows: bool = True
    max_kept_bytes: int = 64 * 1024


class Executed(msgspec.Struct, frozen=True):
    """What a batch with a key came to, now or the first time.

    `replayed`: it had taken effect before; `results` and `note` are of then. `results` is None if they were not kept.
    """

    results: list[Result] | None
    note: bytes | None
    replayed: bool


CREATE: Final = (
    Statement(
        "CREATE TABLE IF NOT EXISTS _orama_idempotency (key BLOB PRIMARY KEY, request BLOB NOT NULL, results BLOB, "
        "note BLOB, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID",
        privileged=True,
    ),
    Statement(
        "CREATE INDEX IF NOT EXISTS _orama_idempotency_by_expiry ON _orama_idempotency (expires_at)", privileged=True
    ),
)
"""Makes the table where it is missing."""


def find(key: bytes, now: int) -> Statement:
    """Reads request, results and note of a key that is remembered."""
    sql = "SELECT request, results, note FROM _orama_idempotency WHERE key = ? AND expires_at > ?"
    return Statement(sql, (key, now), privileged=True)


def keep(once: Once, results: bytes | None) -> Statement:
    """Remembers a key, in the place of one that is over."""
    row: tuple[Value, ...] = (once.key, once.request, results, once.note, once.now, once.expires_at)
    sql = (
        "INSERT OR REPLACE INTO _orama_idempotency (key, request, results, note, created_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?)"
    )
    return Statement(sql, row, privileged=True)


def annotate(key: bytes, note: bytes) -> Statement:
    """Changes the note of a key."""
    return Statement("UPDATE _orama_idempotency SET note = ? WHERE key = ?", (note, key), privileged=True)


def forget(key: bytes) -> Statement:
    """Forgets a key, so that its request may take effect."""
    return Statement("DELETE FROM _orama_idempotency WHERE key = ?", (key,), privileged=True)


def remove_expired(now: int, max_rows: int) -> Statement:
    """Removes keys that are over, at most so many."""
    sql = (
        "DELETE FROM _orama_idempotency WHERE key IN (SELECT key FROM _orama_idempotency WHERE expires_at <= ? LIMIT ?)"
    )
    return Statement(sql, (now, max_rows), privileged=True)


def key_reused() -> Conflict:
    """The refusal of a key that stands for another request."""
    return Conflict(
        "this Idempotency-Key was used for another request: take a new key for each request",
        reason="idempotency_key_reused",
    )


NEXT_EXPIRY: Final = Statement("SELECT min(expires_at) FROM _orama_idempotency", privileged=True)
"""Reads when the next key is over."""
