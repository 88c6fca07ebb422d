"""What a tenant's statement may do: an allow list, by what SQLite itself says the statement does.

SQLite reports each action of a statement to the authorizer while it compiles it (https://sqlite.org/c3ref/c_alter_table.html).
Whatever is not admitted here is refused, so that a new version of SQLite opens nothing by itself.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import apsw

from orama.domain.sql import RESERVED_PREFIX
from orama.domain.sql_text import DDL_KEYWORDS, TENANT_KEYWORDS
from orama.errors import PermissionDenied


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS: Final = _words(
    # Not here: zeroblob, randomblob, printf and format (memory on demand), load_extension, last_insert_rowid,
    # changes and total_changes (they tell what other callers did), json_patch and jsonb_patch (quadratic), json_pretty
    # (depth times length), median and percentiles (a quadratic sort), sqlite_*, full-text and geometry functions.
    """
    abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws cos cosh count cume_dist
    current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor glob
    group_concat hex if ifnull iif instr julianday lag last_value lead length like likelihood likely ln log log10 log2
    lower ltrim max min mod nth_value ntile nullif octet_length percent_rank pi pow power quote
    radians random rank replace round row_number rtrim sign sin sinh sqrt strftime
    string_agg substr substring sum tan tanh time timediff total trim trunc typeof unhex unicode unistr unistr_quote
    unixepoch unlikely upper -> ->> json json_array json_array_insert json_array_length json_error_position
    json_extract json_group_array json_group_object json_insert json_object json_quote
    json_remove json_replace json_set json_type json_valid jsonb jsonb_array jsonb_array_insert jsonb_extract
    jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_remove jsonb_replace jsonb_set
    """
)

CHEAP_FUNCTIONS: Final = _words(
    # One call costs next to nothing whatever its arguments, if those are bounded as they are on the event loop.
    """
    abs avg ceil ceiling coalesce count cume_dist current_date current_time current_timestamp date datetime
    dense_rank first_value floor if ifnull iif julianday lag last_value lead length likelihood likely lower max min mod
    nth_value ntile nullif octet_length percent_rank rank round row_number sign substr substring sum time total trunc
    typeof unixepoch unlikely upper
    """
)
"""What may be called on the event loop."""

# What SQLite calls by itself inside ALTER TABLE. A caller's own call of the same function stands in the text.
_ALTER_FUNCTIONS: Final = _words(
    """
    printf sqlite_add_constraint sqlite_drop_column sqlite_drop_constraint sqlite_fail sqlite_find_constraint
    sqlite_rename_column sqlite_rename_quotefix sqlite_rename_table sqlite_rename_test
    """
)

_RESERVED_NAME: Final = re.compile(rf"(?<![a-z0-9_$]){RESERVED_PREFIX}")

_BOOKKEEPING: Final = frozenset(
    {"sqlite_master", "sqlite_temp_master", "sqlite_sequence", "sqlite_stat1", "sqlite_stat4", "pragma_quick_check"}
)
_MADE_UP_TABLES: Final = frozenset({"json_each", "json_tree", "jsonb_each", "jsonb_tree", "carray"})
"""Table-valued functions that SQLite makes up when they are first named (sqlite3LocateTable). So are those called
pragma_…; all others are dropped from the connection."""

_ROW_ACTIONS: Final = frozenset({apsw.SQLITE_READ, apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE})
_DDL_ACTIONS: Final = {
    "create": frozenset({apsw.SQLITE_CREATE_TABLE, apsw.SQLITE_CREATE_INDEX, apsw.SQLITE_CREATE_VIEW}),
    "drop": frozenset({apsw.SQLITE_DROP_TABLE, apsw.SQLITE_DROP_INDEX, apsw.SQLITE_DROP_VIEW}),
}


class Action(NamedTuple):
    """One call of SQLite's authorizer. What `first` and `second` mean depends on `code`."""

    code: int
    first: str | None
    second: str | None
    schema: str | None


def check_text(keyword: str, sql: str) -> None:
    """Refuse what needs no compiling to be refused, before SQLite sees it.

    PRAGMA can act while it is compiled, VACUUM and EXPLAIN are not reported to the authorizer, nor are the target of
    a RENAME and of a foreign key: hence the words, and in DDL the names.

    Raises:
        PermissionDenied: the statement begins with no admitted keyword, or is DDL that names something reserved.
    """
    if keyword not in TENANT_KEYWORDS:
        raise PermissionDenied(
            f"statement not allowed: it must begin with one of {', '.join(sorted(TENANT_KEYWORDS)).upper()}",
            reason="statement_not_allowed",
        )
    if keyword in DDL_KEYWORDS and _RESERVED_NAME.search(sql.lower()):
        raise PermissionDenied(
            f"statement not allowed: names starting with {RESERVED_PREFIX!r} are the platform's",
            reason="statement_not_allowed",
        )


def admits(keyword: str, sql: str, action: Action) -> bool:
    """Whether a tenant's statement that begins with `keyword` may do `action`.

    The answer depends on nothing else: the same when the statement is compiled, and when SQLite compiles it again by
    itself, in the middle of stepping, after the schema changed.
    """
    code = action.code
    if code in _ROW_ACTIONS:
        return _admits_rows(keyword, action)
    if code == apsw.SQLITE_ALTER_TABLE:  # its arguments are schema, table and perhaps column
        return keyword == "alter" and action.first == "main" and not _is_internal(action.second or "")
    if action.schema not in (None, "main"):
        return False
    if code == apsw.SQLITE_FUNCTION:
        name = (action.second or "").lower()
        return name in FUNCTIONS or (keyword == "alter" and name in _ALTER_FUNCTIONS and name not in sql.lower())
    if code in _DDL_ACTIONS.get(keyword, ()):
        return _admits_definition(action)
    return (
        code in (apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE)
        or (code == apsw.SQLITE_REINDEX and keyword == "create")
        or (code == apsw.SQLITE_PRAGMA and keyword == "alter" and action.first == "quick_check")
    )


def _admits_rows(keyword: str, action: Action) -> bool:
    table = (action.first or "").lower()
    if table in _BOOKKEEPING and keyword in DDL_KEYWORDS:
        # In DROP and ALTER no SELECT of the caller's can stand; in CREATE TABLE … AS it can, and ROWID tells nothing.
        return keyword != "create" or action.code != apsw.SQLITE_READ or action.second == "ROWID"
    return action.schema in (None, "main") and not _is_internal(table)


def _admits_definition(action: Action) -> bool:
    # UNIQUE and AUTOINCREMENT make these on their way; when a caller names them, SQLite itself refuses.
    made_on_the_way = {
        apsw.SQLITE_CREATE_TABLE: action.first == "sqlite_sequence",
        apsw.SQLITE_CREATE_INDEX: (action.first or "").startswith("sqlite_autoindex_"),
    }.get(action.code, False)
    names = (action.second,) if made_on_the_way else (action.first, action.second)
    return not any(_is_internal(name) for name in names if name)


def _is_internal(name: str) -> bool:
    name = name.lower()
    return name.startswith(("sqlite_", "pragma_", RESERVED_PREFIX)) or name in _MADE_UP_TABLES
