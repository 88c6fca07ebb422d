"""What the ORM offers is what it says it offers."""

from __future__ import annotations

import orama.orm


def test_all_names_what_is_offered():
    assert orama.orm.__all__ == [
        "Column",
        "Condition",
        "Expression",
        "Orm",
        "Pending",
        "PoolSettings",
        "PooledDatabase",
        "Query",
        "Repository",
        "RowMismatch",
        "Table",
        "UnitOfWork",
        "ValueMismatch",
        "all_of",
        "any_of",
        "count",
        "sql",
        "sql_as",
    ]
    offered = {name for name, value in vars(orama.orm).items() if callable(value) and not name.startswith("_")}
    assert offered == set(orama.orm.__all__)
