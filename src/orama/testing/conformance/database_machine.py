"""A database beside a dict: hypothesis looks for the shortest story in which they differ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from orama.contracts.database import Database
from orama.domain.namespace import Namespace
from orama.domain.once import Once
from orama.domain.sql import MAX_INTEGER, MIN_INTEGER, Statement, Value
from orama.errors import Conflict, OramaError, Precondition, Unprocessable

_SPACES: Final = (Namespace("n"), Namespace("N"))

_values: st.SearchStrategy[Value] = (
    st.none()
    | st.integers(MIN_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
    | st.binary(max_size=20)
)
_keys = st.integers(0, 4)
_spaces = st.sampled_from(_SPACES)
_Rows = dict[int, Value]


class _Change:
    """A statement, and what it does to the model; None if the database must refuse it."""

    def __init__(self, statement: Statement, effect: Callable[[_Rows], _Rows | None]) -> None:
        self.statement = statement
        self.effect = effect


def _put(key: int, value: Value) -> _Change:
    sql = "INSERT INTO t VALUES (?, ?) ON CONFLICT DO UPDATE SET v = excluded.v"
    return _Change(Statement(sql, (key, value)), lambda rows: {**rows, key: value})


def _add(key: int, value: Value) -> _Change:
    statement = Statement("INSERT INTO t VALUES (?, ?)", (key, value))
    return _Change(statement, lambda rows: None if key in rows else {**rows, key: value})


def _add_or_roll_back(key: int, value: Value) -> _Change:
    statement = Statement("INSERT OR ROLLBACK INTO t VALUES (?, ?)", (key, value))
    return _Change(statement, lambda rows: None if key in rows else {**rows, key: value})


def _remove(key: int, _value: Value) -> _Change:
    return _Change(Statement("DELETE FROM t WHERE k = ?", (key,)), lambda rows: _without(rows, key))


def _remove_one(key: int, _value: Value) -> _Change:
    statement = Statement("DELETE FROM t WHERE k = ?", (key,), expect_rows=1)
    return _Change(statement, lambda rows: _without(rows, key) if key in rows else None)


def _without(rows: _Rows, key: int) -> _Rows:
    return {other: value for other, value in rows.items() if other != key}


_MAKERS: Final[dict[str, Callable[[int, Value], _Change]]] = {
    "put": _put,
    "add": _add,
    "add or roll back": _add_or_roll_back,
    "remove": _remove,
    "remove one": _remove_one,
}


def _change(kind: str, key: int, value: Value) -> _Change:
    return _MAKERS[kind](key, value)


_changes = st.builds(_change, st.sampled_from(sorted(_MAKERS)), _keys, _values)


def _applied(rows: _Rows, batch: list[_Change]) -> _Rows | None:
    changed: _Rows | None = rows
    for change in batch:
        changed = None if changed is None else change.effect(changed)
    return changed


def check_against_model(open_database: Callable[[], Coroutine[Any, Any, Database]]) -> None:
    """Run the machine; `open_database` gives an empty one each time."""

    class DatabaseMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.runner = asyncio.Runner()
            self.database = self.runner.run(open_database())
            self.model: dict[Namespace, _Rows] = {space: {} for space in _SPACES}
            self.keys: dict[tuple[Namespace, int], int] = {}

        def teardown(self) -> None:
            self.runner.run(self.database.close())
            self.runner.close()

        @initialize()
        def make_tables(self) -> None:
            for space in _SPACES:
                self.runner.run(self.database.execute(space, [Statement("CREATE TABLE t(k INTEGER PRIMARY KEY, v)")]))

        @rule(space=_spaces, batch=st.lists(_changes, min_size=1, max_size=4))
        def execute(self, space: Namespace, batch: list[_Change]) -> None:
            self._apply(space, batch, self.runner.run(self._outcome(space, batch)))

        @rule(space=_spaces, batches=st.lists(st.lists(_changes, min_size=1, max_size=3), min_size=2, max_size=6))
        def execute_at_once(self, space: Namespace, batches: list[list[_Change]]) -> None:
            async def all_outcomes() -> list[OramaError | None]:
                return await asyncio.gather(*(self._outcome(space, batch) for batch in batches))

            # Batches take effect in the order of the calls, and the failed ones leave no trace.
            outcomes = self.runner.run(all_outcomes())
            for batch, outcome in zip(batches, outcomes, strict=True):
                self._apply(space, batch, outcome)

        @rule(
            space=_spaces,
            name=_keys,
            request=st.integers(0, 1),
            batch=st.lists(_changes, min_size=1, max_size=4),
            times=st.integers(1, 4),
        )
        def execute_once(self, space: Namespace, name: int, request: int, batch: list[_Change], times: int) -> None:
            """The same key again and again, at once: whatever is known of it, at most one batch takes effect."""
            once = Once(bytes([name]), bytes([request]), 1, 2)

            async def one() -> bool | OramaError:
                try:
                    statements = [change.statement for change in batch]
                    return (await self.database.execute_once(space, statements, once)).replayed
                except (Unprocessable, Precondition, Conflict) as error:
                    return error

            async def all_at_once() -> list[bool | OramaError]:
                return await asyncio.gather(*(one() for _ in range(times)))

            outcomes = self.runner.run(all_at_once())
            known = self.keys.get((space, name))
            changed = _applied(self.model[space], batch)
            if known is not None and known != request:
                assert all(isinstance(outcome, Conflict) for outcome in outcomes)
            elif known is not None:
                assert outcomes == [True] * times
            elif changed is None:
                assert all(isinstance(outcome, (Unprocessable, Precondition)) for outcome in outcomes)
            else:
                assert outcomes == [False, *[True] * (times - 1)]
                self.model[space] = changed
                self.keys[space, name] = request

        @rule(space=_spaces, key=_keys)
        def read_one(self, space: Namespace, key: int) -> None:
            found = self.runner.run(self.database.query(space, Statement("SELECT v FROM t WHERE k = ?", (key,))))
            rows = self.model[space]
            assert found.rows == ([(rows[key],)] if key in rows else [])

        @invariant()
        def rows_are_those_of_the_model(self) -> None:
            for space, rows in self.model.items():
                found = self.runner.run(self.database.query(space, Statement("SELECT k, v FROM t ORDER BY k")))
                assert found.rows == sorted(rows.items())

        async def _outcome(self, space: Namespace, batch: list[_Change]) -> OramaError | None:
            try:
                await self.database.execute(space, [change.statement for change in batch])
            except (Unprocessable, Precondition) as error:
                return error
            return None

        def _apply(self, space: Namespace, batch: list[_Change], outcome: OramaError | None) -> None:
            changed = _applied(self.model[space], batch)
            assert (outcome is not None) == (changed is None), outcome
            if changed is not None:
                self.model[space] = changed

    run_state_machine_as_test(DatabaseMachine, settings=settings(max_examples=40, stateful_step_count=20))
