"""The little of SQL's grammar that is read from a text: how it begins, whether anything follows, and its shape."""

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


MAX_SHAPE_LENGTH: Final = 500
"""Characters of the longest shape."""

_MAX_SHAPED_LENGTH: Final = 4_096
"""How much of a text is looked at for its shape: some 1 ms of work."""

_NAME_CHARACTER: Final = r"[A-Za-z0-9_$\x80-\U0010FFFF]"
_SHAPE_TOKEN: Final = re.compile(
    rf"""
      (?P<space>(?:[ \t\n\f\r]++|--[^\n]*+|(?>/\*.*?(?:\*/|\Z)))++)
    | (?P<value>[xX]?'(?:[^']++|'')*+(?:'|\Z)  # what is cut off in the middle of a literal ends with the text
      |\.?[0-9](?:[eE][+-]|[0-9A-Za-z_.])*+
      |\?[0-9]*+|[$@:\#]{_NAME_CHARACTER}++(?:::{_NAME_CHARACTER}*+)*+(?:\([^)\s]*+\)?)?)
    | (?P<quoted>"(?:[^"]++|"")*+(?:"|\Z)|`(?:[^`]++|``)*+(?:`|\Z)|\[[^\]]*+(?:\]|\Z))
    | (?P<name>{_NAME_CHARACTER}++)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_NAME: Final = re.compile(r"(?P<begin>[\"`\[])[A-Za-z_][A-Za-z0-9_]{0,63}[\"`\]]")
_LOOSE_SPACE: Final = re.compile(r" (?=[,);])|(?<=\() |(?<=,)(?! )")
_VALUES: Final = re.compile(r"\?(?:, \?)++")
_TUPLES: Final = re.compile(r"(\(\?(?:, …)?\))(?:, \(\?(?:, …)?\))++")


def shape(sql: str) -> str:
    """What kind of statement `sql` is, for logs: its text without comments and values.

    Literals and parameters become ``?``, lists of them ``?, …``, quoted names that are no plain words ``"?"``; space is
    evened out. Of long texts the beginning.
    """
    text = _SHAPE_TOKEN.sub(_shaped, sql[:_MAX_SHAPED_LENGTH])
    text = _LOOSE_SPACE.sub(lambda found: "" if found[0] else " ", text.strip(" "))
    text = _TUPLES.sub(r"\1, …", _VALUES.sub("?, …", text)).rstrip("; ")
    if len(sql) > _MAX_SHAPED_LENGTH or len(text) > MAX_SHAPE_LENGTH:
        text = text[: MAX_SHAPE_LENGTH - 1].removesuffix("…") + "…"
    return text


def _shaped(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "space":
            return " "
        case "value":
            return "?"
        case "quoted":
            return token[0] if _PLAIN_NAME.fullmatch(token[0]) else '"?"'
        case _:
            return token[0]
