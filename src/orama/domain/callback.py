"""Callbacks of the login page: where a sign-in may be handed to.

A callback is compared as text, never as what a browser would make of it. So the grammar has nothing that a browser may
read in another way: no user, percent sign, backslash, dot segment, doubled slash, query or fragment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from orama.errors import InvalidArgument

_MAX_CHARACTERS: Final = 1024
_MAX_PORT: Final = 65535

_PORT: Final = r"(?::(?P<port>[1-9][0-9]{0,4}))?"
_PATH: Final = r"(?P<path>(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*/?)"
_LOOPBACK: Final = re.compile(rf"http://(?P<host>localhost|127\.0\.0\.1|\[::1\]){_PORT}{_PATH}", re.ASCII)
_ELSEWHERE: Final = re.compile(
    rf"https://(?P<host>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*){_PORT}{_PATH}", re.ASCII
)


class Callback(msgspec.Struct, frozen=True):
    """An allowed callback. `asker`: host and port, as people read them. `is_loopback`: a program on their computer."""

    url: str
    asker: str
    is_loopback: bool

    def with_values(self, values: Mapping[str, str]) -> str:
        """The address that hands `values` over, in its query."""
        return f"{self.url}?{urlencode(values)}"


def parse_callback(text: str, allowed: Collection[str]) -> Callback:
    """The callback that `text` is: one on the caller's own computer, or one that `allowed` names.

    `allowed` holds URLs (see `is_callback_rule`): one that ends in ``/`` admits everything below it, any other itself.

    Raises:
        InvalidArgument: it is neither (reason ``invalid_callback``).
    """
    for form, is_loopback in ((_LOOPBACK, True), (_ELSEWHERE, False)):
        found = _match(form, text)
        if found is not None and (is_loopback or any(_admits(rule, text) for rule in allowed)):
            asker = text.partition("://")[2].partition("/")[0]
            return Callback(text, asker, is_loopback)
    raise InvalidArgument(
        "this callback is not allowed: use http on localhost, 127.0.0.1 or [::1], or a URL that the operator named in "
        "auth.login_callbacks; without user, query, fragment, percent sign or dot segments",
        reason="invalid_callback",
    )


def is_callback_rule(text: str) -> bool:
    """Whether `text` can stand among the allowed callbacks: https, a host in lower case, a port if unusual, a path."""
    return _match(_ELSEWHERE, text) is not None


def _match(form: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = form.fullmatch(text) if len(text) <= _MAX_CHARACTERS else None
    return None if found is None or int(found["port"] or 1) > _MAX_PORT else found


def _admits(rule: str, text: str) -> bool:
    return text == rule or (rule.endswith("/") and text.startswith(rule))
