"""Where values come from: a file, the environment, flags. Each becomes a list of assignments to known settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from orama.config.client import KEY_VARIABLE, URL_VARIABLE
from orama.config.document import Document, parse_value
from orama.config.fault import Fault, describe
from orama.config.schema import DERIVED, Schema
from orama.config.value import expected, is_text

ENVIRONMENT_PREFIX: Final = "ORAMA_"
_NOT_SETTINGS: Final = frozenset({"ORAMA_HOME", URL_VARIABLE, KEY_VARIABLE})
_OF_TESTS: Final = "ORAMA_TEST_"


class Assignment(msgspec.Struct, frozen=True):
    """A value for a setting, or None for an optional section as a whole. `origin` is for people."""

    path: str
    value: Any
    origin: str


class Layer:
    """Collects the assignments and faults of one source."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.assignments: list[Assignment] = []
        self.faults: list[Fault] = []

    def read_document(self, document: Document, name: str) -> None:
        """Take everything from a file called `name`."""
        self.faults.extend(document.faults)
        self._walk("", document.values, name, document.lines)

    def read_environment(self, environment: Mapping[str, str]) -> None:
        """Take the variables ``ORAMA_SECTION__FIELD``.

        A value that is no text is written as YAML; an empty one counts as unset.
        """
        known = {
            ENVIRONMENT_PREFIX + path.replace(".", "__").upper(): path
            for path in (*self._schema.settings, *self._schema.sections)
        }
        for name, text in environment.items():
            if not name.startswith(ENVIRONMENT_PREFIX) or name in _NOT_SETTINGS or not text:
                continue
            if name.startswith(_OF_TESTS):
                continue
            path = known.get(name)
            if path is None:
                self.faults.append(
                    Fault("", "an unknown variable", "ORAMA_SECTION__FIELD", _nearest(name, known), origin=name)
                )
            else:
                self._read_text(path, text, name)

    def read_flags(self, flags: Mapping[str, Any]) -> None:
        """Take values by dotted path; texts are read as those of the environment."""
        for path, value in flags.items():
            if path not in self._schema.settings and path not in self._schema.sections:
                self._refuse_key(path, "flag")
            elif isinstance(value, str):
                self._read_text(path, value, "flag")
            else:
                self._walk(path, value, "flag", {})

    def _read_text(self, path: str, text: str, origin: str) -> None:
        setting = self._schema.settings.get(path)
        if setting is not None and is_text(setting):
            self._walk(path, text, origin, {})
            return
        try:
            value = parse_value(text)
        except ValueError:
            wanted = "a mapping" if setting is None else expected(setting)
            self.faults.append(Fault(path, describe(text), wanted, origin=origin))
            return
        self._walk(path, value, origin, {})

    def _walk(self, path: str, value: Any, origin: str, lines: Mapping[str, int]) -> None:
        place = f"{origin} line {lines[path]}" if path in lines else origin
        if path in self._schema.settings:
            self.assignments.append(Assignment(path, value, place))
        elif value is None:
            # A section whose every line is commented out is null to YAML: only where that can be meant it counts.
            if path in self._schema.sections and self._schema.sections[path].optional:
                self.assignments.append(Assignment(path, None, place))
        elif not isinstance(value, dict):
            keys = ", ".join(child.rpartition(".")[2] for child in self._schema.children(path))
            self.faults.append(Fault(path, describe(value), f"a mapping with the keys {keys}", origin=place))
        else:
            for key, inner in cast("dict[Any, Any]", value).items():
                below = f"{path}.{key}" if path else str(key)
                if isinstance(key, str) and (below in self._schema.settings or below in self._schema.sections):
                    self._walk(below, inner, origin, lines)
                else:
                    self._refuse_key(below, f"{origin} line {lines[below]}" if below in lines else origin)

    def _refuse_key(self, path: str, origin: str) -> None:
        if path in DERIVED:
            hint = f"it follows {DERIVED[path]}: set that"
        else:
            section, _, key = path.rpartition(".")
            siblings = {child: child for child in self._schema.children(section)}
            elsewhere = [known for known in self._schema.settings if known.rpartition(".")[2] == key]
            hint = _nearest(path, siblings) or (f"did you mean {elsewhere[0]}?" if elsewhere else "")
        self.faults.append(Fault(path[:120], "an unknown key", "a known one", hint, origin))


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name[:120], list(known), n=1, cutoff=0.75)
    return f"did you mean {near[0]}?" if near else ""
