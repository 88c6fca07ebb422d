"""Namespaces: the unit of tenancy. Every row, key, file and topic belongs to exactly one."""

from __future__ import annotations

import re
from typing import Final, NewType

from orama.errors import InvalidArgument

Namespace = NewType("Namespace", str)
"""A namespace's name, checked by `parse_namespace`."""

PLATFORM: Final = Namespace("_platform")
"""Where the platform keeps its own tables. No tenant can be called so: names start with a letter or a digit."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def parse_namespace(text: str) -> Namespace:
    """The namespace called `text`.

    Raises:
        InvalidArgument: the name has other characters, or is longer than 64.
    """
    if _NAME.fullmatch(text) is None:
        raise InvalidArgument(
            "invalid namespace: use 1 to 64 letters, digits, '_' or '-', starting with a letter or digit",
            reason="invalid_namespace",
        )
    return Namespace(text)
