"""From defaults, a file, the environment and flags to one configuration, or to every reason why there is none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from orama.config.document import parse_document
from orama.config.fault import ConfigError, Fault, describe
from orama.config.layer import Assignment, Layer
from orama.config.model import Config
from orama.config.rules import conflicts, text_faults
from orama.config.schema import Schema
from orama.config.value import WrongValueError, convert, expected

_DEFAULT_HOME: Final = "~/.orama"
_FILE_NAME: Final = "orama.yaml"


class LoadedConfig(msgspec.Struct, frozen=True):
    """A configuration that holds, and where each value that is not a default was set, by dotted path."""

    config: Config
    origins: dict[str, str]


def load(
    file: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> LoadedConfig:
    """The effective configuration: defaults < file < environment < flags.

    Args:
        file: a YAML file. None takes ``orama.yaml`` in ``ORAMA_HOME`` (or ``~/.orama``), if it is there.
        environment: variables, by default those of this process.
        flags: values by dotted path, such as ``{"server.listen": "127.0.0.1:7000"}``.

    Raises:
        ConfigError: with everything that is wrong.
    """
    environment = os.environ if environment is None else environment
    home = orama_home(environment)
    schema = Schema()
    layer = Layer(schema)
    text = _read(file, layer.faults) if file is not None else _read_if_there(home / _FILE_NAME, layer.faults)
    if text is not None:
        name = _FILE_NAME if file is None else file.name
        layer.read_document(parse_document(text, name), name)
    layer.read_environment(environment)
    layer.read_flags(flags or {})
    return _Assembly(schema, home, layer).load()


def orama_home(environment: Mapping[str, str] | None = None) -> Path:
    """Where everything of the user's lies by default: ``ORAMA_HOME``, else ``~/.orama``, which is not expanded."""
    environment = os.environ if environment is None else environment
    return Path(environment.get("ORAMA_HOME") or _DEFAULT_HOME)


def _read_if_there(file: Path, faults: list[Fault]) -> str | None:
    file = file.expanduser()
    return _read(file, faults) if file.exists() else None


def _read(file: Path, faults: list[Fault]) -> str | None:
    try:
        return file.expanduser().read_text("utf-8")
    except OSError as error:
        faults.append(Fault("", error.strerror or "an unreadable file", "a file to read", origin=str(file)))
    except ValueError:
        faults.append(Fault("", "bytes that are not UTF-8", "YAML in UTF-8", origin=str(file)))
    return None


class _Assembly:
    """The way from assignments to structs."""

    def __init__(self, schema: Schema, home: Path, layer: Layer) -> None:
        self._schema = schema
        self._home = home
        self._assignments = layer.assignments
        self._faults = layer.faults
        self._values: dict[str, Any] = {}
        self._off: set[str] = set()
        self._origins: dict[str, str] = {}
        self._faulty: set[str] = {fault.path for fault in layer.faults}

    def load(self) -> LoadedConfig:
        for assignment in self._assignments:
            self._assign(assignment)
        for path, value in self._values.items():
            for fault in text_faults(path, value, self._origins[path]):
                self._refuse(fault)
        config = self._derive(self._build("", Config, Config()))
        for paths, fault in conflicts(config):
            if self._faulty.isdisjoint(paths):
                self._refuse(msgspec.structs.replace(fault, origin=self._origins.get(fault.path, "default")))
        if self._faults:
            raise ConfigError(self._faults)
        return LoadedConfig(config, self._origins)

    def _refuse(self, fault: Fault) -> None:
        self._faults.append(fault)
        self._faulty.add(fault.path)

    def _assign(self, assignment: Assignment) -> None:
        path, origin = assignment.path, assignment.origin
        setting = self._schema.settings.get(path)
        if setting is None:
            self._off.add(path)
            self._origins[path] = origin
            for below in [one for one in self._values if one.startswith(f"{path}.")]:
                del self._values[below], self._origins[below]
            return
        self._off = {section for section in self._off if not path.startswith(f"{section}.")}
        try:
            self._values[path] = convert(setting, assignment.value)
            self._origins[path] = origin
        except WrongValueError as wrong:
            self._refuse(Fault(path, describe(assignment.value), expected(setting), wrong.hint, origin))

    def _build(self, path: str, struct: type[msgspec.Struct], default: Any) -> Any:
        """The struct at `path`: its default with what was assigned in it."""
        if path in self._off:
            return None
        changes: dict[str, Any] = {}
        for child in self._schema.children(path):
            name = child.rpartition(".")[2]
            section = self._schema.sections.get(child)
            if section is not None:
                changes[name] = self._build(child, section.struct, section.default)
            elif child in self._values:
                changes[name] = self._values[child]
        if default is not None:
            return msgspec.structs.replace(default, **changes)
        if not changes:
            return None
        hint = "the section is off by default: set all of it, or none"
        missing = [child for child in self._schema.children(path) if child.rpartition(".")[2] not in changes]
        for child in missing:
            if child not in self._faulty:
                self._refuse(Fault(child, "nothing", expected(self._schema.settings[child]), hint))
        return None if missing else struct(**changes)

    def _derive(self, config: Config) -> Config:
        """Fill in what follows other settings; see `schema.DERIVED`."""
        data_dir = config.node.data_dir if "node.data_dir" in self._values else self._home / "data"
        data_dir = data_dir.expanduser()
        development = config.node.mode == "development"
        auth = msgspec.structs.replace(
            config.auth,
            development=development,
            public_host=config.node.public_host or config.server.listen,
        )
        if development and "auth.open_namespaces" not in self._values:
            auth = msgspec.structs.replace(auth, open_namespaces=(auth.default_namespace,))
        sqlite = msgspec.structs.replace(config.database.sqlite, data_directory=data_dir, limits=config.database.limits)
        return msgspec.structs.replace(
            config,
            node=msgspec.structs.replace(config.node, data_dir=data_dir),
            auth=auth,
            database=msgspec.structs.replace(config.database, sqlite=sqlite),
        )
