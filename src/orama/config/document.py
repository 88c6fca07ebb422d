"""YAML text as plain values, with the line of every key, and with everything refused that could mislead."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
import yaml

from orama.config.fault import Fault, describe

_MAX_CHARACTERS: Final = 1024 * 1024
_YAML: Final = "YAML, as in the configuration reference"


class Document(msgspec.Struct):
    """A mapping as read. `lines` has the line, from 1, of each dotted path that the text names."""

    values: dict[str, Any]
    lines: dict[str, int]
    faults: list[Fault]


def parse_document(text: str, name: str) -> Document:
    """Read the YAML document in `text`, from the file called `name`. An empty one is an empty mapping.

    Never raises: whatever is wrong is a fault of the result. Aliases are refused: a small
    document could unfold without end.
    """
    document = Document({}, {}, [])
    if len(text) > _MAX_CHARACTERS:
        document.faults.append(Fault("", "a huge text", f"at most {_MAX_CHARACTERS} characters", origin=name))
        return document
    try:
        _refuse_aliases(text)
        loader: Any = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            _note_keys(node, "", name, document)
            document.values = _mapping(loader.construct_document(node), name, document.faults)
    except yaml.YAMLError as error:
        document.faults.append(_yaml_fault(error, name))
    except Exception as error:  # noqa: BLE001  explicit tags on wrong text and deep nesting escape PyYAML as any class
        document.faults.append(Fault("", f"a value that cannot be read ({type(error).__name__})", _YAML, origin=name))
    return document


def parse_value(text: str) -> Any:
    """A single value written as YAML, as in an environment variable.

    Raises:
        ValueError: it is not.
    """
    try:
        return yaml.safe_load(text)
    except Exception as cause:
        raise ValueError(text) from cause


def _refuse_aliases(text: str) -> None:
    untyped: Any = yaml
    for event in untyped.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias (*name)", problem_mark=event.start_mark)


def _mapping(value: Any, name: str, faults: list[Fault]) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        faults.append(Fault("", describe(value), "a mapping of sections", origin=name))
        return {}
    return cast("dict[str, Any]", value)


def _note_keys(node: yaml.Node, path: str, name: str, document: Document) -> None:
    """Remember each key's line, and find those that stand twice: YAML would silently keep the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    pairs: list[tuple[yaml.Node, yaml.Node]] = node.value
    seen: set[str] = set()
    for key, value in pairs:
        if not isinstance(key, yaml.ScalarNode):
            continue
        below = f"{path}.{key.value}" if path else str(key.value)
        line = key.start_mark.line + 1
        if below in seen:
            first = document.lines[below]
            document.faults.append(
                Fault(
                    below, "the same key twice", "each key once", f"the first is in line {first}", f"{name} line {line}"
                )
            )
            continue
        seen.add(below)
        document.lines[below] = line
        _note_keys(value, below, name, document)


def _yaml_fault(error: yaml.YAMLError, name: str) -> Fault:
    problem, mark = str(error), None
    if isinstance(error, yaml.MarkedYAMLError):
        problem, mark = error.problem or error.context or "malformed YAML", error.problem_mark
    elif isinstance(error, yaml.reader.ReaderError):
        problem = f"a character that YAML does not allow (code {error.character!r})"
    if mark is None:
        return Fault("", problem, _YAML, origin=name)
    return Fault("", f"{problem} (column {mark.column + 1})", _YAML, origin=f"{name} line {mark.line + 1}")
