"""Pieces of SQL that people write: names are quoted, expressions are proven to be one expression.

An expression is put in parentheses, so that it cannot leave its place if it cannot close them: the text is cut into
SQLite's own tokens, and refused where a parenthesis or a quote is open or closed once too often, at ``;``, at comments,
at parameters that reach for another's argument, and at anything unknown. What it may *do* is judged by the engine, as
for every statement: this is about form.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, NoReturn

from orama.domain.sql import quote_identifier
from orama.errors import InvalidArgument

_NAME: Final = r"[^\W0-9][\w$]*+"
_DOTTED: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*+")
_COLUMNS: Final = re.compile(rf"(?:{_NAME}\.)*+\*")
_TABLE: Final = re.compile(rf"({_NAME}(?:\.{_NAME})*+)(?:\s+(?:AS\s+)?({_NAME}))?+", re.IGNORECASE)

# https://sqlite.org/draft/tokenreq.html; a comment and a numbered or named parameter match nothing here.
_TOKEN: Final = re.compile(
    rf"""
    (?P<space>[ \t\n\f\r]++)
  | (?P<string>[xX]?'(?:[^']|'')*+')
  | (?P<quoted>"(?:[^"]|"")*+"|`(?:[^`]|``)*+`|\[[^\]]*+\])
  | (?P<number>0[xX][0-9a-fA-F]++|(?:[0-9][0-9_]*+(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)
  | (?P<word>{_NAME})
  | (?P<parameter>\?(?![0-9]))
  | (?P<open>\()
  | (?P<close>\))
  | (?P<operator>-(?!-)|/(?!\*)|[+*%&|~<>=!,.])
    """,
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    depth: int


def name(text: str) -> str:
    """The name `text`, quoted; dots separate schema, table and column.

    Raises:
        InvalidArgument: a part is empty, or holds NUL.
    """
    parts = text.split(".")
    if "\0" in text or not all(parts):
        raise InvalidArgument(f"invalid name {text[:80]!r}", reason="invalid_name")
    return ".".join(quote_identifier(part) for part in parts)


def table(text: str, alias: str | None = None) -> str:
    """The table `text`, which may be ``name alias`` or ``name AS alias``, quoted.

    Raises:
        InvalidArgument: it is empty, or holds NUL.
    """
    found = _TABLE.fullmatch(text.strip())
    if found is not None and found[2]:
        text, alias = found[1], alias or found[2]
    return name(text) if not alias else f"{name(text)} AS {quote_identifier(_without_nul(alias))}"


def expression(text: str, arguments: int = 0) -> str:
    """`text` in parentheses, proven to be one expression with as many ``?`` as there are `arguments`.

    Raises:
        InvalidArgument: it is not.
    """
    tokens = _tokens(text)
    parameters = sum(token.kind == "parameter" for token in tokens)
    if parameters != arguments:
        raise InvalidArgument(
            f"the expression {text[:80]!r} has {parameters} parameters and {arguments} arguments", reason="arguments"
        )
    return f"({text})"


def column(text: str) -> str:
    """One column of a SELECT: a name, ``*``, ``t.*``, or an expression with or without ``AS alias``.

    Without an alias the column is called as the expression is written.

    Raises:
        InvalidArgument: it is none of these.
    """
    text = text.strip()
    if _COLUMNS.fullmatch(text):
        return name(text[:-2]) + ".*" if len(text) > 1 else text
    if _DOTTED.fullmatch(text):
        return name(text)
    tokens = _tokens(text)
    if len(tokens) > 2 and _is_word(tokens[-2], "AS") and tokens[-1].kind in ("word", "quoted"):  # noqa: PLR2004 (x AS y)
        alias = tokens[-1].text
        quoted = quote_identifier(alias) if tokens[-1].kind == "word" else alias
        return f"{expression(text[: tokens[-2].start].rstrip())} AS {quoted}"
    return f"{expression(text)} AS {quote_identifier(text)}"


def group_term(text: str) -> str:
    """One term of GROUP BY: a name or an expression.

    Raises:
        InvalidArgument: it is neither.
    """
    text = text.strip()
    return name(text) if _DOTTED.fullmatch(text) else expression(text)


def order_term(text: str) -> str:
    """One term of ORDER BY: a name or an expression, then perhaps ASC or DESC, then perhaps NULLS FIRST or LAST.

    Raises:
        InvalidArgument: it is none of these.
    """
    tokens = _tokens(text)
    end, suffix = len(text), ""
    if len(tokens) > 2 and _is_word(tokens[-2], "NULLS") and _is_word(tokens[-1], "FIRST", "LAST"):  # noqa: PLR2004 (x NULLS y)
        suffix, end, tokens = f" NULLS {tokens[-1].text.upper()}", tokens[-2].start, tokens[:-2]
    if len(tokens) > 1 and _is_word(tokens[-1], "ASC", "DESC"):
        suffix, end = f" {tokens[-1].text.upper()}{suffix}", tokens[-1].start
    return group_term(text[:end]) + suffix


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = depth = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            _refuse(text, f"unexpected {text[position : position + 2]!r}")
        kind = found.lastgroup or ""
        depth -= kind == "close"
        if depth < 0:
            _refuse(text, "a ')' too many")
        if kind != "space":
            tokens.append(_Token(kind, found[0], position, depth))
        depth += kind == "open"
        position = found.end()
    if depth:
        _refuse(text, "a ')' is missing")
    if not tokens:
        _refuse(text, "it is empty")
    return tokens


def _is_word(token: _Token, *words: str) -> bool:
    return token.kind == "word" and token.depth == 0 and token.text.upper() in words


def _without_nul(text: str) -> str:
    return text if "\0" not in text else _refuse(text, "a NUL character")


def _refuse(text: str, why: str) -> NoReturn:
    raise InvalidArgument(f"not a single SQL expression: {text[:80]!r}: {why}", reason="invalid_expression")
