"""One value of a setting: its form, its bounds, and what to tell whoever wrote another."""

from __future__ import annotations

import difflib
import json
import re
import typing
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect as kinds

from orama.config.schema import Setting
from orama.domain.duration import parse_duration_s

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "auth.clock_skew_s": (0, 300),
    "auth.refresh_grace_s": (0, 60),
    "server.max_json_depth": (1, 200),
    "server.shutdown_notice_s": (0, 300),
}
"""Bounds that the kind and unit of a number do not tell."""
_LEAST_FRACTION: Final = 0.001
_MOST: Final = {"_s": 10 * 365 * 24 * 3600, "_bytes": 2**40}
_MOST_OTHERS: Final = 2**31 - 1
_SIZE: Final = re.compile(r"([0-9]{1,9}) ?([kmg])i?b?", re.IGNORECASE)
_SIZE_UNITS: Final = {"k": 1024, "m": 1024**2, "g": 1024**3}


class WrongValueError(Exception):
    """The value is not what the setting takes. `hint` may say how to write what was meant."""

    def __init__(self, hint: str = "") -> None:
        super().__init__(hint)
        self.hint = hint


def convert(setting: Setting, value: Any) -> Any:
    """`value` as the setting's type, within its bounds.

    Raises:
        WrongValueError: it is of another kind, or out of bounds.
    """
    try:
        converted = msgspec.convert(value, setting.annotation, dec_hook=_decode)
    except (msgspec.ValidationError, OverflowError) as cause:
        raise WrongValueError(_hint(setting, value)) from cause
    if isinstance(converted, int | float) and not isinstance(converted, bool):
        low, high = bounds(setting)
        if not low <= converted <= high:  # also refuses "not a number"
            raise WrongValueError
    return converted


def bounds(setting: Setting) -> tuple[float, float]:
    """The least and the greatest number that the setting takes."""
    if setting.path in _BOUNDS:
        return _BOUNDS[setting.path]
    low = 1 if any(isinstance(kind, kinds.IntType) for kind in _members(setting)) else _LEAST_FRACTION
    for unit, high in _MOST.items():
        if setting.path.endswith(unit) and not setting.path.endswith("_per_s"):
            return low, high
    return low, _MOST_OTHERS


def is_text(setting: Setting) -> bool:
    """Whether the setting takes text as it stands: from the environment it needs no quotes."""
    return any(isinstance(kind, kinds.StrType | kinds.CustomType | kinds.LiteralType) for kind in _members(setting))


def expected(setting: Setting) -> str:
    """What the setting takes, in words."""
    return " or ".join(_words(setting, kind) for kind in _members(setting))


def _members(setting: Setting) -> tuple[kinds.Type, ...]:
    return setting.kind.types if isinstance(setting.kind, kinds.UnionType) else (setting.kind,)


def _words(setting: Setting, kind: kinds.Type) -> str:
    if isinstance(kind, kinds.IntType | kinds.FloatType):
        low, high = bounds(setting)
        return f"a {'whole ' if isinstance(kind, kinds.IntType) else ''}number from {low:g} to {int(high)}"
    if isinstance(kind, kinds.LiteralType):
        return "one of " + ", ".join(typing.get_args(setting.annotation))
    if isinstance(kind, kinds.VarTupleType):
        return "a list of texts"
    if isinstance(kind, kinds.BoolType):
        return "true or false"
    if isinstance(kind, kinds.NoneType):
        return "null"
    return "a path" if isinstance(kind, kinds.CustomType) else "a text"


def _decode(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str) and value.strip() and "\0" not in value:
        return Path(value)
    raise ValueError(value)


def _hint(setting: Setting, value: Any) -> str:
    kind = _members(setting)[0]
    if isinstance(kind, kinds.LiteralType) and isinstance(value, str):
        words = [str(word) for word in kind.values]
        near = [word for word in words if value and word.lower().startswith(value.lower())]
        near = near or difflib.get_close_matches(value.lower(), words, n=1)
        return f"did you mean {near[0]}?" if near else ""
    if isinstance(kind, kinds.VarTupleType) and isinstance(value, str):
        return f"write [{json.dumps(value[:40])}]"
    if isinstance(kind, kinds.StrType | kinds.CustomType) and isinstance(value, bool | int | float):
        return "put it in quotes"
    if isinstance(kind, kinds.IntType | kinds.FloatType) and isinstance(value, str):
        return _number_hint(setting.path, value)
    return ""


def _number_hint(path: str, text: str) -> str:
    """How to write a duration or a size that came with its unit."""
    if path.endswith("_s"):
        try:
            return f"in seconds: {parse_duration_s(text):g}"
        except ValueError:
            return ""
    size = _SIZE.fullmatch(text.strip())
    if path.endswith("_bytes") and size is not None:
        return f"in bytes: {int(size[1]) * _SIZE_UNITS[size[2].lower()]}"
    return ""
