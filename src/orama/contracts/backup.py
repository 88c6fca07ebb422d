"""The port for backups: what a node keeps, as named files that can be copied, checked and put back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import msgspec


class Content(msgspec.Struct, frozen=True):
    """What was found in a file: how many rows in which table, and what is wrong with it, if anything."""

    rows: dict[str, int] = {}
    damage: str | None = None


class Section(Protocol):
    """One kind of things that a backup holds, such as databases.

    A name is a relative path with ``/``, of one section only. A restored node finds the content at that path in its
    data directory. All methods block: they are for commands, never for an event loop.

    Raises:
        OramaError: common to all; the disk or the engine failed, and the text says how.
    """

    def names(self) -> Iterable[str]:
        """What there is now, in the order in which it is to be copied.

        Sections, and names in a section, stand so that whatever refers to something is copied before it: then nothing
        in a backup refers to what is not there, as long as what is referred to is not removed meanwhile.
        """
        ...

    def export(self, name: str, scratch: Path) -> Path:
        """A file with the content as it was at one moment of this call, while others go on writing.

        It is `scratch`, made with mode 0600, or the original if that never changes.
        """
        ...

    def owns(self, name: str) -> bool:
        """Whether `name` is one that this section could give. Names come from archives: nothing is known of them."""
        ...

    def examine(self, name: str, file: Path) -> Content:
        """Look through `file`, which holds the content of `name` and is written by nobody."""
        ...
