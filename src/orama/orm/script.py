"""From the text of a file to its statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

_TOKEN: Final = re.compile(
    r"""
      (?P<comment>--[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)
    | (?P<quoted>'[^']*+'|"[^"]*+"|`[^`]*+`|\[[^\]]*+\])  # a doubled quote is two quoted parts in a row
    | (?P<end>;)
    | (?P<unterminated>/\*|['"`\[])
    | (?P<space>\s++)
    | (?P<word>\w++)
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_TRIGGER: Final = re.compile(r"CREATE (?:TEMP |TEMPORARY )?TRIGGER(?: .*)?")
_HEAD_WORDS: Final = 3


class ScriptStatement(msgspec.Struct, frozen=True):
    """One statement without its comments, and the line, from 1, on which it begins."""

    sql: str
    line: int


def split_statements(script: str) -> list[ScriptStatement]:
    """The statements of `script`: each ends at a ``;`` outside quotes, comments and the bodies of triggers.

    Takes time in proportion to the text.

    Raises:
        ValueError: a quote or a comment does not end; says on which line it begins.
    """
    return list(_statements(script))


def _statements(script: str) -> Iterator[ScriptStatement]:
    parts: list[str] = []
    head: list[str] = []  # its first words
    clause: list[str] = []  # what stands since the last semicolon, two words of it
    begin = line = 0
    for token in _TOKEN.finditer(script + "\n;"):  # the line's end is that of a comment which the text ends with
        text, kind = token[0], token.lastgroup
        if kind == "unterminated":
            number = script.count("\n", 0, token.start()) + 1
            raise ValueError(f"line {number}: {text} does not end")
        if kind in ("comment", "space"):
            parts.append(" " if kind == "comment" else text)
            continue
        if kind == "end" and (clause == ["END"] or not _TRIGGER.fullmatch(" ".join(head)) or token.end() > len(script)):
            if head:
                yield ScriptStatement("".join(parts).strip(), line + 1)
            parts, head, clause = [], [], []
            continue
        if not head:
            line += script.count("\n", begin, token.start())
            begin = token.start()
            parts = []
        parts.append(text)
        if len(head) < _HEAD_WORDS:
            head.append(text.upper())
        if kind == "end":
            clause = []
        elif len(clause) <= 1:
            clause.append(text.upper())
