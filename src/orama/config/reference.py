"""The configuration reference, made from the model: what is documented is what exists."""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
import textwrap
from typing import Final

import msgspec

from orama.config.model import Config
from orama.config.render import scalar
from orama.config.schema import Schema, Setting
from orama.config.value import expected

_HEAD: Final = """\
# Configuration

<!-- Written by `python -m orama.config.reference`; a test compares. Change the settings structs instead. -->

A node reads, each over the one before: its defaults, a YAML file (`--config FILE`, else `orama.yaml` in `ORAMA_HOME`
or `~/.orama`), the environment, and flags. The environment variable of `server.listen` is `ORAMA_SERVER__LISTEN`; a
value that is no text is written as YAML (`ORAMA_SERVER__CORS_ORIGINS='["https://app.example"]'`), and an empty one is
unset. Unknown keys, keys that stand twice and values out of bounds stop the start, and all of them are told at once.

Numbers whose name ends in `_s` are seconds, in `_bytes` bytes.
"""


def reference() -> str:
    """The page ``docs/reference/configuration.md``."""
    schema = Schema()
    texts = {"": field_texts(Config)} | {path: field_texts(one.struct) for path, one in schema.sections.items()}
    parts = [_HEAD]
    for path, section in schema.sections.items():
        parent, _, name = path.rpartition(".")
        about = texts[parent].get(name) or _summary(section.struct)
        if section.optional:
            about += " `null` means no limit." if section.default is not None else " Off by default."
        parts.append(f"## `{path}`\n\n{about}\n")
        rows = [
            _row(schema.settings[child], texts[path]) for child in schema.children(path) if child in schema.settings
        ]
        if rows:
            parts.append("| Key | Default | Takes | Meaning |\n|---|---|---|---|\n" + "".join(rows))
    return "\n".join(parts)


def field_texts(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The text below each field in the struct's source, and in that of the structs it extends."""
    texts: dict[str, str] = {}
    for owner in reversed(struct.__mro__):
        if not issubclass(owner, msgspec.Struct) or owner is msgspec.Struct:
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(definition, ast.ClassDef)
        for field, below in itertools.pairwise(definition.body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                texts[field.target.id] = " ".join(str(below.value.value).split())
    return texts


def _summary(struct: type[msgspec.Struct]) -> str:
    return " ".join(inspect.cleandoc(struct.__doc__ or "").partition("\n\n")[0].split())


def _row(setting: Setting, texts: dict[str, str]) -> str:
    name = setting.path.rpartition(".")[2]
    text = texts[name].replace("``", "`").replace("|", "\\|")
    default = "required" if setting.default is msgspec.NODEFAULT else f"`{scalar(setting.default)}`"
    return f"| `{name}` | {default} | {expected(setting)} | {text} |\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
