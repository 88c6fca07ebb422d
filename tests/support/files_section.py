"""A section of a backup over plain files in a directory, as content-addressed blobs are: copied by nobody, never changed."""

from __future__ import annotations

from pathlib import Path

from orama.contracts.backup import Content


class FilesSection:
    """`contracts.backup.Section`: every file in ``<root>/<kind>``. Those that hold b"bad" are damaged."""

    def __init__(self, root: Path, kind: str = "blobs") -> None:
        self._root = root
        self._kind = kind
        (root / kind).mkdir(parents=True, exist_ok=True)

    def add(self, name: str, content: bytes) -> None:
        (self._root / self._kind / name).write_bytes(content)

    def names(self) -> list[str]:
        return sorted(f"{self._kind}/{file.name}" for file in (self._root / self._kind).iterdir())

    def export(self, name: str, scratch: Path) -> Path:
        return self._root / name

    def owns(self, name: str) -> bool:
        kind, _, rest = name.partition("/")
        return kind == self._kind and bool(rest) and "/" not in rest and rest not in {".", ".."}

    def examine(self, name: str, file: Path) -> Content:
        content = file.read_bytes()
        return Content({"bytes": len(content)}, "bad" if content == b"bad" else None)
