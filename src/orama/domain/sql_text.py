"""The little of SQL's grammar that is read from a text: how it begins, and whether anything follows."""

from __future__ import annotations

import re
from typing import Final

READ_KEYWORDS: Final = frozenset({"select", "with", "values"})
DDL_KEYWORDS: Final = frozenset({"create", "drop", "alter"})
TENANT_KEYWORDS: Final = READ_KEYWORDS | DDL_KEYWORDS | {"insert", "replace", "update", "delete"}
"""What a tenant's statement may begin with."""

# Possessive (``*+``, ``(?>…)``): a pattern that could go back might take "/* */ ; x /* */" for one comment.
_SPACE: Final = r"(?:[ \t\n\f\r{also}]|--[^\n]*|(?>/\*.*?(?:\*/|\Z)))*+"
_FIRST_KEYWORD: Final = re.compile(_SPACE.format(also="") + r"([A-Za-z]++)(?![\w$])", re.DOTALL)
_NO_STATEMENT: Final = re.compile(_SPACE.format(also=";"), re.DOTALL)


def first_keyword(sql: str) -> str:
    """The text's first word in lower case, as SQLite's own tokeniser finds it; empty if it begins otherwise."""
    found = _FIRST_KEYWORD.match(sql)
    return found[1].lower() if found else ""


def is_blank(sql: str) -> bool:
    """Whether the text is only space, comments and semicolons: no statement."""
    return _NO_STATEMENT.fullmatch(sql) is not None
