"""The text of an API key: ``ak_<id>_<secret>:<namespace>``.

The exactly one colon and the prefix are what existing clients look at.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from orama.domain.namespace import Namespace

PREFIX: Final = "ak_"

_TEXT: Final = re.compile(r"ak_([0-9A-Za-z]{17})_([0-9A-Za-z]{43}):([A-Za-z0-9][A-Za-z0-9_-]{0,63})", re.ASCII)


class ApiKey(msgspec.Struct, frozen=True):
    """A key in full: `id` is public (12 random bytes in base62), `secret` (32 random bytes) is shown once."""

    id: str
    secret: str
    namespace: Namespace

    @property
    def text(self) -> str:
        """The key as clients send it."""
        return f"{PREFIX}{self.id}_{self.secret}:{self.namespace}"


def parse_api_key(text: str) -> ApiKey | None:
    """The key that `text` spells, or None: an unknown form is no more than a wrong key."""
    found = _TEXT.fullmatch(text)
    return found and ApiKey(id=found[1], secret=found[2], namespace=Namespace(found[3]))


def key_subject(key_id: str) -> str:
    """What a key is called wherever its secret must not stand: ``ak_<id>``."""
    return PREFIX + key_id
