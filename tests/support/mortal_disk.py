"""A disk that dies at a chosen moment, as it looks to a database whose process is killed there."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import apsw


class _MortalFile(apsw.VFSFile):
    def __init__(self, disk, name, flags):
        self._disk = disk
        super().__init__("unix", name, flags)

    def xWrite(self, data, offset):
        if self._disk.admits():
            super().xWrite(data, offset)

    def xTruncate(self, size):
        if self._disk.admits():
            super().xTruncate(size)

    def xSync(self, flags):
        if self._disk.admits():
            super().xSync(flags)


class MortalDisk(apsw.VFS):
    """The machine's files. After so many changes each further one fails; once buried, they come to nothing unnoticed.

    What was written before stays, as after `kill -9`: whoever opens the files next finds them as the dead left them.
    Burying is for closing connections, which the killed never do: it must neither fail nor change anything.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._left: int | None = None
        self._buried = False
        super().__init__("mortal", "unix", makedefault=True)

    def xOpen(self, name, flags):
        return _MortalFile(self, name, flags)

    def xDelete(self, name, sync_directory):
        if self.admits():
            super().xDelete(name, sync_directory)

    def admits(self) -> bool:
        """Whether one more change takes place; raises while the disk is dead and not buried."""
        with self._lock:
            if self._buried:
                return False
            if self._left == 0:
                raise apsw.IOError("the disk is dead")
            if self._left is not None:
                self._left -= 1
            return True

    def die_after(self, changes: int) -> None:
        self._left = changes

    def bury(self) -> None:
        self._buried = True

    def revive(self) -> None:
        self._left, self._buried = None, False

    @property
    def dead(self) -> bool:
        return self._left == 0


@contextmanager
def mortal_disk():
    disk = MortalDisk()
    try:
        yield disk
    finally:
        disk.unregister()
