"""The floor of a durable write: one connection, WAL, synchronous=FULL, one commit per row.

As a program: commit in a loop for some seconds and print how many rows that made.
"""

from __future__ import annotations

import sys
import time

import apsw


class Autocommit:
    """A table of notes in a file of its own."""

    def __init__(self, path: str) -> None:
        self._connection = apsw.Connection(path)
        self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", "full")
        self._connection.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")

    def insert(self, text: str) -> int:
        """Store one row, durably; its id."""
        self._connection.execute("INSERT INTO notes (text) VALUES (?)", (text,))
        return self._connection.last_insert_rowid()


def _main(path: str, seconds: float) -> None:
    table = Autocommit(path)
    rows, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        table.insert("a note of some length, so that there is something to write")
        rows += 1
    print(rows)


if __name__ == "__main__":
    _main(sys.argv[1], float(sys.argv[2]))
