"""The driver's exceptions end here: each class of apsw becomes one of `orama.errors`."""

from __future__ import annotations

import errno
from typing import Final

import apsw

from orama.errors import (
    BadBackend,
    Internal,
    InvalidArgument,
    OramaError,
    StorageFull,
    TooLarge,
    Unavailable,
    Unprocessable,
)

_CALLER: Final = (apsw.SQLError, apsw.MismatchError, apsw.AbortError, apsw.SchemaChangeError)
_AWAY: Final = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.CantOpenError,
    apsw.PermissionsError,
    apsw.ReadOnlyError,
    apsw.ProtocolError,
    apsw.NoMemError,
    apsw.IOError,
    apsw.NoLFSError,
)
_DAMAGED: Final = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError, apsw.EmptyError)
_OURS: Final = (
    apsw.AuthError,  # the session has turned every refusal of the gate into PermissionDenied before
    apsw.ConnectionClosedError,
    apsw.ConnectionNotClosedError,
    apsw.CursorClosedError,
    apsw.ExecTraceAbort,
    apsw.ExecutionCompleteError,
    apsw.ExtensionLoadingError,
    apsw.ForkingViolationError,
    apsw.IncompleteExecutionError,
    apsw.InternalError,
    apsw.InterruptError,  # the session knows why it interrupted, and says so instead
    apsw.InvalidContextError,
    apsw.MisuseError,
    apsw.NoFTS5Error,
    apsw.NotFoundError,
    apsw.RangeError,
    apsw.ThreadingViolationError,
    apsw.VFSFileClosedError,
    apsw.VFSNotImplementedError,
)


def translate(error: BaseException) -> OramaError:
    """The `OramaError` that tells a caller what `error` means to them; chain it with ``raise … from error``.

    SQLite's own text is kept where it is about the caller's statement, and nowhere else: the rest would tell paths.
    """
    match error:
        case OramaError():
            return error
        case apsw.ConstraintError():
            return Unprocessable(str(error), reason="constraint")
        case apsw.BindingsError():
            return InvalidArgument(str(error), reason="arguments")
        case apsw.TooBigError():
            return TooLarge(f"{error}: a statement, value or row passes a limit of the database", reason="too_large")
        case apsw.FullError():
            return StorageFull("no room is left for this database; nothing was changed", reason="storage_full")
        case apsw.Error() if isinstance(error, _CALLER):
            return Unprocessable(str(error), reason="sql_error")
        case apsw.Error() if isinstance(error, _DAMAGED):
            return BadBackend("the file of this database is damaged", reason="database_damaged")
        case apsw.Error() if isinstance(error, _AWAY):
            return Unavailable("the database cannot be reached now", reason="db_unavailable", retry_after_s=1)
        case apsw.Error() if isinstance(error, _OURS):
            return Internal(f"unexpected in the SQLite adapter: {type(error).__name__}")
        case UnicodeDecodeError():
            return Unprocessable("a TEXT value is not valid UTF-8: read it as CAST(… AS BLOB)", reason="sql_error")
        case UnicodeEncodeError():
            return InvalidArgument("text with lone surrogates cannot be stored", reason="arguments")
        case OverflowError():
            return InvalidArgument("an integer does not fit 64 bits", reason="arguments")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return StorageFull("no room is left for this database; nothing was changed", reason="storage_full")
        case OSError():
            return Unavailable("the database's file cannot be opened", reason="db_unavailable", retry_after_s=1)
        case _:
            return Internal(f"unexpected in the SQLite adapter: {type(error).__name__}")


def chained(error: Exception) -> OramaError:
    """`translate`, with `error` as the private cause: for failures that travel as values, not as exceptions."""
    translated = translate(error)
    if translated is not error:
        translated.__cause__ = error
    return translated
