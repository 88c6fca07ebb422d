"""A SQLite adapter in a temporary directory."""

from __future__ import annotations

from contextlib import asynccontextmanager

import apsw

from orama.backends.clock import SystemClock
from orama.backends.database.sqlite.database import SqliteDatabase
from orama.backends.database.sqlite.files import database_path
from orama.backends.database.sqlite.settings import SqliteSettings
from orama.domain.namespace import Namespace
from orama.domain.sql import SqlLimits, Statement

SHOP = Namespace("shop")


@asynccontextmanager
async def open_sqlite(directory, *, clock=None, limits=None, **settings):
    database = await SqliteDatabase.open(
        SqliteSettings(data_directory=directory, limits=limits or SqlLimits(), **settings), clock or SystemClock()
    )
    try:
        yield database
    finally:
        await database.close()


async def run(database, sql, *args, namespace=SHOP, **options):
    """One statement as a batch; its result."""
    (result,) = await database.execute(namespace, [Statement(sql, args, **options)])
    return result


async def read(database, sql, *args, namespace=SHOP):
    """The rows of one query."""
    return (await database.query(namespace, Statement(sql, args))).rows


def on_disk(directory, namespace=SHOP):
    """A connection of the test's own to the file, past the adapter."""
    return apsw.Connection(str(database_path(directory, namespace)))
