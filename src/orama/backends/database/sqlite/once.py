"""A batch with a key, in the transaction in which it takes effect, or after it took effect before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from orama.backends.database.sqlite.session import Interrupt, Session
from orama.domain.once import CREATE, Executed, Once, find, keep, key_reused
from orama.domain.sql import Result, Rows

_KeptRows: TypeAlias = tuple[tuple[str, ...], tuple[str | None, ...], list[tuple[Any, ...]]]
_Kept: TypeAlias = list[tuple[int, int, _KeptRows | None]]
"""The fields of a list of `Result`. msgspec decodes no type of which a part is text or bytes, so it is told Any."""

_decode: Final = msgspec.msgpack.Decoder(_Kept).decode
_encode: Final = msgspec.msgpack.Encoder().encode


def run_once(session: Session, once: Once, run: Callable[[], list[Result]], interrupt: Interrupt) -> Executed:
    """What `run` comes to, unless the key is remembered: then what it came to the first time.

    The caller's transaction, which no other writer shares, makes one of looking, running and remembering.

    Raises:
        Conflict: the key was used for another request.
        OramaError: `run` failed; the caller undoes all of it.
    """
    for statement in CREATE:
        session.run(statement, interrupt)
    known = session.run(find(once.key, once.now), interrupt).rows
    if known is not None and known.rows:
        request, kept, note = msgspec.convert(known.rows[0], tuple[bytes, bytes | None, bytes | None])
        if request != once.request:
            raise key_reused()
        return Executed(None if kept is None else _restored(kept), note, replayed=True)
    results = run()
    kept = _preserved(results, keep_rows=once.keep_rows)
    session.run(keep(once, kept if len(kept) <= once.max_kept_bytes else None), interrupt)
    return Executed(results, once.note, replayed=False)


def _preserved(results: list[Result], *, keep_rows: bool) -> bytes:
    return _encode(
        [
            (one.rows_affected, one.last_insert_id, _fields(one.rows) if keep_rows and one.rows is not None else None)
            for one in results
        ]
    )


def _fields(rows: Rows) -> _KeptRows:
    return rows.columns, rows.declared, rows.rows


def _restored(kept: bytes) -> list[Result] | None:
    try:
        results = _decode(kept)
    except msgspec.MsgspecError:
        return None  # Another version of this program kept them in another form: as good as not kept.
    return [Result(affected, last, None if rows is None else Rows(*rows)) for affected, last, rows in results]
