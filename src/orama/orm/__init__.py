"""What is built on the SQL port alone: queries, repositories and transactions for typed rows; and migrations."""

from orama.orm.condition import Condition, all_of, any_of, sql
from orama.orm.expression import Column, Expression, count, sql_as
from orama.orm.mismatch import RowMismatch, ValueMismatch
from orama.orm.orm import Orm
from orama.orm.pool import PooledDatabase, PoolSettings
from orama.orm.query import Query
from orama.orm.repository import Repository
from orama.orm.table import Table
from orama.orm.unit_of_work import Pending, UnitOfWork

__all__ = [
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
