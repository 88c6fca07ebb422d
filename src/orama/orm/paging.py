"""An answer of any length, a page at a time.

A page begins after the last row of the page before it, by the values that rows are ordered by: the order that was asked
for, made total by the primary keys of all tables. So a page costs the same wherever it is, and a row that stays as it
is is seen exactly once, whatever is written meanwhile. Where rows are groups or computed, or the order is a text, pages
are counted by OFFSET instead: each costs as much as all before it, and what is written meanwhile may shift rows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from orama.domain.sql import Value
from orama.errors import TooLarge
from orama.orm.clause import Clauses
from orama.orm.condition import Condition, all_of, any_of
from orama.orm.link import Link
from orama.orm.term import Ordering, Term


async def pages(link: Link, clauses: Clauses, size: int) -> AsyncIterator[list[tuple[Value, ...]]]:
    """The rows of `clauses`, at most `size` at a time: fewer where they would be too large for one answer."""
    width = len(clauses.terms)
    order = (*clauses.order, *_tie_breakers(clauses))
    by_key = not clauses.is_grouped and all(one.plain for one in (*order, *clauses.terms))
    keys = tuple(Term(one.sql, (), "") for one in order) if by_key else ()
    page = msgspec.structs.replace(clauses, terms=clauses.terms + keys, order=order)
    left = clauses.limit
    while left is None or left > 0:
        wanted = size if left is None else min(size, left)
        try:
            rows = (await link.read(msgspec.structs.replace(page, limit=wanted).statement())).rows
        except TooLarge:
            if size == 1:
                raise
            size //= 2
            continue
        if rows:
            yield [row[:width] for row in rows]
        left = None if left is None else left - len(rows)
        if len(rows) < wanted:
            return
        if by_key:
            after = _after(order, rows[-1][width:])
            if after is None:
                return
            where = after if clauses.where is None else clauses.where & after
            page = msgspec.structs.replace(page, where=where, offset=0)
        else:
            page = msgspec.structs.replace(page, offset=page.offset + len(rows))


def _tie_breakers(clauses: Clauses) -> list[Ordering]:
    """What must be added to the order, so that no two rows are equal in it."""
    if clauses.distinct:
        unique = [Ordering(term.sql, term.args) for term in clauses.terms]
    elif clauses.is_grouped:
        unique = [Ordering(term.sql, term.args) for term in clauses.groups]
    else:
        unique = [Ordering(source.column(name), plain=True) for source in clauses.sources for name in source.key]
    known = {one.sql for one in clauses.order}
    return [one for one in unique if one.sql not in known]


def _after(order: Sequence[Ordering], values: Sequence[Value]) -> Condition | None:
    """What the rows after the one with these `values` meet; None if there can be none."""
    following: list[Condition] = []
    equal: list[Condition] = []
    for one, value in zip(order, values, strict=True):
        beyond = _beyond(one, value)
        if beyond is not None:
            following.append(all_of(*equal, beyond))
        equal.append(Condition(f"({one.sql} IS ?)", (value,)))
    if not following:
        return None
    bound = _bound(order[0], values[0]) if len(order) > 1 else None
    return any_of(*following) if bound is None else bound & any_of(*following)


def _beyond(order: Ordering, value: Value) -> Condition | None:
    """What comes after `value`; NULL is the least of all."""
    if order.descending:
        return None if value is None else Condition(f"({order.sql} < ? OR {order.sql} IS NULL)", (value,))
    return Condition(f"({order.sql} IS NOT NULL)") if value is None else Condition(f"({order.sql} > ?)", (value,))


def _bound(order: Ordering, value: Value) -> Condition | None:
    """What neither `value` nor anything after it fails: true of all that follows, and simple enough for an index."""
    if order.descending:
        return None if value is None else Condition(f"({order.sql} <= ? OR {order.sql} IS NULL)", (value,))
    return None if value is None else Condition(f"({order.sql} >= ?)", (value,))
