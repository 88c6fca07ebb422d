"""What is raised where a value and the type it should have do not fit."""

from __future__ import annotations

from orama.errors import InvalidArgument, Unprocessable


class RowMismatch(Unprocessable):
    """A row of the database does not have the type that the program gives it (reason ``row_mismatch``).

    It names kinds of values and never a value: rows may hold secrets.
    """

    def __init__(self, table: str, column: str, *, expected: str, got: str) -> None:
        super().__init__(
            f"{table}.{column}: the row holds {got} where {expected} is expected",
            reason="row_mismatch",
            details={"table": table, "column": column, "expected": expected, "got": got},
        )
        self.table = table
        self.column = column
        self.expected = expected
        self.got = got


class ValueMismatch(InvalidArgument):
    """A value cannot be stored as what its column is declared to be (reason ``value_mismatch``). Nothing was sent."""

    def __init__(self, table: str, column: str, *, expected: str, got: str) -> None:
        super().__init__(
            f"{table}.{column}: {got} was given where {expected} is expected",
            reason="value_mismatch",
            details={"table": table, "column": column, "expected": expected, "got": got},
        )
        self.table = table
        self.column = column
        self.expected = expected
        self.got = got


class Unfit(Exception):
    """A codec met a value that it cannot turn; whoever knows the column makes an error of it."""

    def __init__(self, got: str) -> None:
        super().__init__(got)
        self.got = got
