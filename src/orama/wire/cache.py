"""Requests and replies of ``/v1/cache``.

Values are JSON texts that nobody in between reads: strings stay strings, and integers of any size stay exact.
Fields that must be there are checked by the service, so that its messages are the ones that clients know.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from orama.wire.field import REQUIRED, Words

_Value = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"not": {"type": "null"}, REQUIRED: True})]
_Keys = Annotated[list[Words], msgspec.Meta(extra_json_schema={"minItems": 1, REQUIRED: True})]
_Delta = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TTL: Final = "A Go duration ('30s', '1h30m') or whole seconds, at least 1."
_Seconds = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1})]


class GetKey(msgspec.Struct, gc=False):
    """Which value to read."""

    dmap: Words = ""
    key: Words = ""


class GetKeys(msgspec.Struct):
    """Which values to read."""

    dmap: Words = ""
    keys: _Keys = []


class PutKey(msgspec.Struct, gc=False):
    """What to store. `nx`: only if the key is absent. `xx`: only if it is there."""

    dmap: Words = ""
    key: Words = ""
    value: _Value = msgspec.field(default_factory=msgspec.Raw)
    ttl: Annotated[str | _Seconds | None, msgspec.Meta(description=_TTL)] = None
    nx: bool = False
    xx: bool = False


class ReplaceKey(msgspec.Struct, gc=False):
    """What to store in the place of what."""

    dmap: Words = ""
    key: Words = ""
    value: _Value = msgspec.field(default_factory=msgspec.Raw)


class IncrementKey(msgspec.Struct, gc=False):
    """Which integer to change, and by how much."""

    dmap: Words = ""
    key: Words = ""
    delta: _Delta = 1


class ExpireKey(msgspec.Struct, gc=False):
    """Which value is to live how long from now."""

    dmap: Words = ""
    key: Words = ""
    ttl: Annotated[
        str | _Seconds | None,
        msgspec.Meta(description=_TTL, extra_json_schema={"not": {"type": "null"}, REQUIRED: True}),
    ] = None


class DeleteKey(msgspec.Struct, gc=False):
    """Which value to remove."""

    dmap: Words = ""
    key: Words = ""


class ScanKeys(msgspec.Struct, gc=False):
    """Which keys to list: those in which the RE2 expression `match` is found; without it, all."""

    dmap: Words = ""
    match: str = ""


class CacheHealth(msgspec.Struct, gc=False):
    """The cache is there. `service` is what existing clients check for, whatever the engine."""

    status: str = "ok"
    service: str = "olric"


class KeyValue(msgspec.Struct, gc=False):
    """A value with the names it was asked for by. `value` is null only where nothing stood before."""

    key: str
    value: msgspec.Raw
    dmap: str


class Hit(msgspec.Struct, gc=False):
    """One value of several."""

    key: str
    value: msgspec.Raw


class Hits(msgspec.Struct):
    """The values that were found, in the order asked for."""

    results: list[Hit]
    dmap: str


class KeyCount(msgspec.Struct, gc=False):
    """An integer after its change."""

    key: str
    value: int
    dmap: str


class KeyStatus(msgspec.Struct, gc=False):
    """It is done."""

    key: str
    dmap: str
    status: str = "ok"


class KeyList(msgspec.Struct):
    """The keys found, in no order."""

    keys: list[str]
    count: int
    dmap: str
