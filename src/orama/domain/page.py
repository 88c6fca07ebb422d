"""Pages of long lists: how many entries one answer holds, and where the next one begins."""

from __future__ import annotations

import re
from typing import Final

from orama.errors import InvalidArgument

DEFAULT_PAGE: Final = 50
"""Entries of an answer, unless the caller says otherwise."""

MAX_PAGE: Final = 500
"""Most entries of one answer."""

_CURSOR: Final = re.compile(r"([0-9]{1,15})\.([0-9A-Za-z]{1,64})", re.ASCII)


def page_size(wanted: int) -> int:
    """`wanted`, if one answer may hold as many entries.

    Raises:
        InvalidArgument: it is below 1 or above `MAX_PAGE` (reason ``invalid_limit``).
    """
    if not 1 <= wanted <= MAX_PAGE:
        raise InvalidArgument(f"limit must be from 1 to {MAX_PAGE}", reason="invalid_limit")
    return wanted


def cursor(at: int, entry_id: str) -> str:
    """The place in a list that is ordered by time (unix milliseconds), then by id; opaque to callers."""
    return f"{at}.{entry_id}"


def parse_cursor(text: str) -> tuple[int, str]:
    """The time and the id that `cursor` was made of.

    Raises:
        InvalidArgument: the text is no cursor of ours (reason ``invalid_cursor``).
    """
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise InvalidArgument("invalid cursor: send the one of the page before, as it is", reason="invalid_cursor")
    return int(found[1]), found[2]
