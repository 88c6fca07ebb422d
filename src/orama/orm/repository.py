"""The rows of one table, as objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, overload

from orama.errors import NotFound
from orama.orm.annotation import Bindable
from orama.orm.condition import Condition
from orama.orm.link import Link
from orama.orm.mapping import E
from orama.orm.query import Query, query_of
from orama.orm.table import K, Table
from orama.orm.turn import in_turns
from orama.orm.write import removing, removing_key, run, saving


class Repository(Generic[E, K]):
    """Saves, finds and removes instances of E, whose primary key is a K. Made by `Orm.repository`.

    Entities are never changed: what the database decides, a key or a version, is in the entity that `save` returns.
    What `find` and its like may be given, and raise, is said at `Query`; writes raise what `contracts.Database.execute`
    does, and:

    Raises:
        ValueMismatch: a value is not what its field is declared to be. Nothing was sent.
        Precondition: reason ``stale``: the table has a version, and a row was changed or removed since it was read.
            Nothing was changed.
    """

    def __init__(self, link: Link, table: Table[E, K]) -> None:
        self._link = link
        self._table = table

    def query(self) -> Query[E]:
        """All rows, as a query to refine."""
        return query_of(self._link, [self._table])

    async def save(self, entity: E) -> E:
        """Store `entity`, as a new row or in place of the one with its primary key; returns it as stored."""
        (saved,) = await self.save_all([entity])
        return saved

    async def save_all(self, entities: Iterable[E]) -> list[E]:
        """`save` for each, as one atomic batch.

        Raises:
            TooLarge: they are more than `SqlLimits.max_statements`.
        """
        return await run(self._link, [saving(self._table, entity) async for entity in in_turns(entities)])

    async def remove(self, entity: E) -> bool:
        """Remove the row of `entity`; returns whether there was one."""
        return await self.remove_all([entity]) > 0

    async def remove_all(self, entities: Iterable[E]) -> int:
        """`remove` for each, as one atomic batch; returns how many there were.

        Raises:
            TooLarge: they are more than `SqlLimits.max_statements`.
        """
        return sum(await run(self._link, [removing(self._table, entity) async for entity in in_turns(entities)]))

    async def remove_key(self, key: K) -> bool:
        """Remove the row with that primary key, whatever its version; returns whether there was one."""
        (found,) = await run(self._link, [removing_key(self._table, self._table.key_values(key))])
        return found

    async def get(self, key: K) -> E:
        """The entity with that primary key.

        Raises:
            NotFound: there is none.
        """
        found = await self.query().where(self._table.has_key(key)).get_one()
        if found is None:
            raise NotFound(f"there is no row in {self._table.name} with that key", reason="row_not_found")
        return found

    @overload
    async def find(self) -> list[E]: ...
    @overload
    async def find(self, condition: Condition, /, *more: Condition) -> list[E]: ...
    @overload
    async def find(self, text: str, /, *args: Bindable) -> list[E]: ...
    async def find(self, *conditions: Any) -> list[E]:
        """All that meet this.

        Raises:
            TooLarge: they are more than one answer may hold: use `query` and `Query.stream`.
        """
        return await self._that_meet(conditions).get_many()

    @overload
    async def find_one(self, condition: Condition, /, *more: Condition) -> E | None: ...
    @overload
    async def find_one(self, text: str, /, *args: Bindable) -> E | None: ...
    async def find_one(self, *conditions: Any) -> E | None:
        """One that meets this, no matter which; None if there is none."""
        return await self._that_meet(conditions).get_one()

    @overload
    async def exists(self) -> bool: ...
    @overload
    async def exists(self, condition: Condition, /, *more: Condition) -> bool: ...
    @overload
    async def exists(self, text: str, /, *args: Bindable) -> bool: ...
    async def exists(self, *conditions: Any) -> bool:
        """Whether there is one that meets this."""
        return await self._that_meet(conditions).exists()

    @overload
    async def count(self) -> int: ...
    @overload
    async def count(self, condition: Condition, /, *more: Condition) -> int: ...
    @overload
    async def count(self, text: str, /, *args: Bindable) -> int: ...
    async def count(self, *conditions: Any) -> int:
        """How many meet this."""
        return await self._that_meet(conditions).count()

    def _that_meet(self, conditions: tuple[Any, ...]) -> Query[E]:
        return self.query().where(*conditions) if conditions else self.query()
