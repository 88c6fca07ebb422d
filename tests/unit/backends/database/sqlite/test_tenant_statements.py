"""What tenants may say, and what they may not, each tried on real databases by the way statements really take."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.sql import Statement
from orama.errors import InvalidArgument, OramaError, PermissionDenied, Unprocessable
from support.sqlite import SHOP, on_disk, open_sqlite, read, run

SCHEMA = [
    "CREATE TABLE a(x, y)",
    "CREATE TABLE b(id INTEGER PRIMARY KEY, v TEXT DEFAULT (upper('d')), CHECK (length(v) < 1000))",
    "CREATE TABLE parent(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE COLLATE NOCASE)",
    "CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent(id) ON DELETE CASCADE)",
    "CREATE TABLE wr(k TEXT PRIMARY KEY, n INT) WITHOUT ROWID",
    "CREATE TABLE g(x INT, twice AS (x * 2), CONSTRAINT positive CHECK (x > 0))",
    "CREATE INDEX b_v ON b(v)",
    "CREATE INDEX a_x ON a(x)",
    "CREATE VIEW seen AS SELECT id, upper(v) AS v FROM b",
    "INSERT INTO a VALUES (1, 'one'), (2, 'two')",
    "INSERT INTO b(id, v) VALUES (1, 'x'), (2, 'y')",
    "INSERT INTO parent(name) VALUES ('p')",
    "INSERT INTO child VALUES (1, 1)",
]

# The platform's own in the same file, made past the gate: hostile statements reach for them.
RESERVED = [
    "CREATE TABLE _orama_secret(id INTEGER PRIMARY KEY, s TEXT)",
    "INSERT INTO _orama_secret VALUES (1, 'hidden')",
    "CREATE INDEX _orama_index ON _orama_secret(s)",
    "CREATE VIEW leak AS SELECT s FROM _orama_secret",
    "CREATE VIEW deep AS SELECT * FROM leak",
    "CREATE VIEW catalogue AS SELECT name, sql FROM sqlite_master",
    "CREATE VIEW settings AS SELECT * FROM pragma_database_list",
    "CREATE TRIGGER _orama_trigger AFTER INSERT ON _orama_secret BEGIN SELECT 1; END",
]

LEGAL = [
    "SELECT * FROM a",
    "select count(*) from a x join b on x.x = b.id",
    "WITH q AS (SELECT x FROM a) SELECT * FROM q",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n",
    "WITH q AS MATERIALIZED (SELECT x FROM a) SELECT count(*) FROM q",
    "VALUES (1, 2), (3, 4)",
    "SELECT random() IS NOT NULL",
    "/* note */ -- more\n SELECT 1;",
    "SELECT 1; -- nothing after",
    "SELECT 1 ; /* nor */ ;; -- here",
    "SELECT ';', '--', '/*' FROM a WHERE y = '; DROP TABLE a; --'",
    "SELECT * FROM seen",
    "SELECT count(*) FROM seen",
    "SELECT * FROM main.a",
    "SELECT * FROM a LEFT JOIN b ON a.x = b.id RIGHT JOIN parent ON 1 FULL JOIN child ON 1 CROSS JOIN wr",
    "SELECT y, row_number() OVER (ORDER BY x), lag(y) OVER w FROM a WINDOW w AS (ORDER BY x)",
    "SELECT group_concat(y, ','), string_agg(y, ';'), total(x), avg(x) FROM a",
    "SELECT json_extract('{\"a\": [1]}', '$.a[0]'), '{\"b\": 2}' -> 'b', json_object('k', y) FROM a",
    "SELECT json_group_array(y) FROM a",
    "SELECT strftime('%Y', 'now'), datetime('now', '-1 day'), unixepoch(), CURRENT_TIMESTAMP",
    "SELECT sqrt(2), pow(2, 3), ceil(1.5), pi(), round(2.567, 2)",
    "SELECT y LIKE 'o%', y GLOB 't*', y COLLATE NOCASE FROM a",
    "SELECT CASE WHEN x > 1 THEN 'big' ELSE 'small' END, iif(x, 1, 2), coalesce(NULL, x), nullif(x, 1) FROM a",
    "SELECT CAST(x AS TEXT), typeof(x), hex('ab'), unhex('6162'), quote(y), instr(y, 'n'), substr(y, 1, 2) FROM a",
    "SELECT (SELECT max(x) FROM a), EXISTS (SELECT 1 FROM b), x IN (SELECT id FROM b) FROM a",
    "SELECT x FROM a UNION SELECT id FROM b EXCEPT SELECT 9 INTERSECT SELECT 1 ORDER BY 1 LIMIT 1 OFFSET 0",
    "SELECT x, count(*) FROM a GROUP BY x HAVING count(*) > 0 ORDER BY 2 DESC NULLS LAST",
    "SELECT * FROM a INDEXED BY a_x WHERE x = 1",
    "SELECT * FROM a WHERE x = 1 AND rowid > 0",
    "INSERT INTO a VALUES (3, 'three')",
    "INSERT INTO b(v) SELECT y FROM a WHERE true ON CONFLICT DO NOTHING RETURNING id",
    "INSERT INTO wr VALUES ('k', 1) ON CONFLICT (k) DO UPDATE SET n = n + excluded.n RETURNING *",
    "INSERT OR IGNORE INTO parent(name) VALUES ('P')",
    "INSERT INTO parent DEFAULT VALUES",
    "REPLACE INTO b(id, v) VALUES (1, 'z')",
    "UPDATE b SET v = upper(v) WHERE id = 1 RETURNING v, length(v)",
    "UPDATE OR REPLACE b SET v = a.y FROM a WHERE a.x = b.id",
    "WITH q AS (SELECT 1 AS i) UPDATE b SET v = 'w' WHERE id IN (SELECT i FROM q)",
    "DELETE FROM child WHERE id = 1",
    "DELETE FROM parent",
    "DELETE FROM a",
    "CREATE TABLE c(x INTEGER PRIMARY KEY AUTOINCREMENT, y TEXT UNIQUE, z REFERENCES a(x))",
    "CREATE TABLE IF NOT EXISTS a(x)",
    "CREATE TABLE s(x INT, y TEXT) STRICT",
    "CREATE TABLE wk(k PRIMARY KEY, v) WITHOUT ROWID",
    "CREATE TABLE copied AS SELECT * FROM a",
    "CREATE TABLE d(at TEXT DEFAULT CURRENT_TIMESTAMP, u TEXT DEFAULT (lower(hex('x'))), j CHECK (json_valid(j)))",
    'CREATE TABLE "odd name"("select" TEXT, \'x\' INT)',
    "CREATE INDEX a_i ON a(x)",
    "CREATE UNIQUE INDEX IF NOT EXISTS a_u ON a(lower(y)) WHERE x > 1",
    "CREATE VIEW v AS SELECT * FROM a",
    "CREATE VIEW IF NOT EXISTS v2(n) AS WITH q AS (SELECT 1) SELECT * FROM q",
    "ALTER TABLE a ADD COLUMN z TEXT NOT NULL DEFAULT 'q' CHECK (length(z) < 10)",
    "ALTER TABLE a ADD COLUMN w AS (x + 1)",
    "ALTER TABLE a RENAME COLUMN y TO renamed",
    "ALTER TABLE a RENAME TO a2",
    "ALTER TABLE a DROP COLUMN y",
    "ALTER TABLE b ADD COLUMN p REFERENCES parent(id)",
    "ALTER TABLE g DROP CONSTRAINT positive",
    "ALTER TABLE a ALTER COLUMN x SET NOT NULL",
    "ALTER TABLE a ALTER COLUMN x DROP NOT NULL",
    "ALTER TABLE a ADD CONSTRAINT small CHECK (x < 100)",
    "DROP TABLE IF EXISTS absent",
    "DROP TABLE child",
    "DROP TABLE parent",
    "DROP VIEW seen",
    "DROP INDEX b_v",
    "CREATE TABLE x_orama(x)",
    "SELECT '_orama_secret' AS text",
]

HOSTILE = [
    # The platform's tables, by every door.
    "SELECT * FROM _orama_secret",
    "SELECT count(*) FROM _orama_secret",
    "SELECT 1 FROM _ORAMA_Secret",
    'SELECT * FROM "_orama_secret"',
    "SELECT * FROM [_orama_secret]",
    "SELECT * FROM `_orama_secret`",
    "SELECT * FROM '_orama_secret'",
    "SELECT * FROM main . _orama_secret",
    'SELECT * FROM/**/main."_orama_secret"',
    "SELECT (SELECT s FROM _orama_secret)",
    "SELECT * FROM a UNION SELECT s, 1 FROM _orama_secret",
    "SELECT * FROM a UNION ALL SELECT * FROM (SELECT s, 1 FROM main._orama_secret)",
    "SELECT * FROM a WHERE x IN _orama_secret",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM _orama_secret WHERE s LIKE 'h%')",
    "SELECT * FROM a ORDER BY (SELECT s FROM _orama_secret)",
    "SELECT * FROM a LIMIT (SELECT length(s) FROM _orama_secret)",
    "SELECT * FROM a JOIN _orama_secret",
    "SELECT * FROM a NATURAL JOIN _orama_secret",
    "WITH q AS (SELECT * FROM _orama_secret) SELECT * FROM q",
    "WITH RECURSIVE q(s) AS (SELECT s FROM _orama_secret UNION SELECT s FROM q) SELECT * FROM q",
    "VALUES ((SELECT s FROM _orama_secret))",
    "INSERT INTO a SELECT s, 1 FROM _orama_secret",
    "INSERT INTO a SELECT 1, 2 RETURNING (SELECT s FROM _orama_secret)",
    "INSERT INTO _orama_secret(s) VALUES ('mine')",
    "INSERT INTO wr VALUES ('k', 1) ON CONFLICT DO UPDATE SET n = (SELECT s FROM _orama_secret)",
    "REPLACE INTO _orama_secret VALUES (1, 'mine')",
    "UPDATE _orama_secret SET s = 'mine'",
    "UPDATE a SET x = 1 FROM _orama_secret",
    "UPDATE b SET v = (SELECT s FROM _orama_secret)",
    "DELETE FROM _orama_secret",
    "DELETE FROM a WHERE EXISTS (SELECT 1 FROM _orama_secret)",
    "DELETE FROM a WHERE x = 1 RETURNING (SELECT s FROM _orama_secret)",
    "SELECT * FROM leak",
    "SELECT * FROM deep",
    "SELECT count(*) FROM deep",
    "SELECT * FROM a WHERE y IN (SELECT s FROM leak)",
    "CREATE TABLE t AS SELECT * FROM _orama_secret",
    "CREATE TABLE t AS SELECT * FROM leak",
    "CREATE VIEW w AS SELECT * FROM _orama_secret",
    "CREATE VIEW w AS SELECT * FROM a, main.[_orama_secret]",
    "CREATE TABLE _orama_mine(x)",
    'CREATE TABLE "_ORAMA_mine"(x)',
    "CREATE TABLE main._orama_mine(x)",
    "CREATE VIEW _orama_mine AS SELECT 1",
    "CREATE INDEX _orama_mine ON a(x)",
    "CREATE INDEX mine ON _orama_secret(s)",
    "CREATE TABLE t(x REFERENCES _orama_secret(id))",
    'CREATE TABLE t(x, FOREIGN KEY (x) REFERENCES "_orama_secret"(id))',
    "ALTER TABLE a ADD COLUMN s REFERENCES _orama_secret(id)",
    "ALTER TABLE a RENAME TO _orama_mine",
    "ALTER TABLE a RENAME TO '_orama_mine'",
    "ALTER TABLE _orama_secret RENAME TO mine",
    "ALTER TABLE _orama_secret ADD COLUMN x",
    "ALTER TABLE _orama_secret RENAME COLUMN s TO x",
    "ALTER TABLE _orama_secret DROP COLUMN s",
    "DROP TABLE _orama_secret",
    "DROP TABLE IF EXISTS main._orama_secret",
    "DROP INDEX _orama_index",
    "DROP TRIGGER _orama_trigger",
    # SQLite's own tables and its tables that are made up.
    "SELECT * FROM sqlite_master",
    "SELECT * FROM sqlite_schema",
    "SELECT name FROM main.sqlite_schema",
    "SELECT * FROM sqlite_temp_master",
    "SELECT * FROM sqlite_temp_schema",
    "SELECT * FROM sqlite_sequence",
    "UPDATE sqlite_sequence SET seq = 9",
    "INSERT INTO sqlite_master VALUES ('table', 't', 't', 2, 'x')",
    "DELETE FROM sqlite_schema",
    "SELECT * FROM catalogue",
    "SELECT * FROM settings",
    "CREATE TABLE t AS SELECT name, sql FROM sqlite_master",
    "CREATE TABLE t AS SELECT * FROM catalogue",
    "CREATE VIEW w AS SELECT * FROM temp.sqlite_master; SELECT 1",
    "DROP TABLE sqlite_sequence",
    "DROP INDEX sqlite_autoindex_parent_1",
    "SELECT * FROM pragma_table_info('a')",
    "SELECT * FROM pragma_table_list",
    "SELECT * FROM PRAGMA_function_list",
    "SELECT * FROM main.pragma_database_list",
    "SELECT * FROM json_each('[1]')",
    "SELECT * FROM a, json_tree('[1]')",
    "SELECT * FROM jsonb_each('[1]')",
    "SELECT * FROM generate_series(1, 9)",
    "SELECT * FROM carray(1, 2)",
    "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM sqlite_stmt",
    "SELECT * FROM bytecode('SELECT 1')",
    "SELECT * FROM fts5vocab",
    # Statements that are none of a tenant's.
    "PRAGMA hard_heap_limit=1",
    "/**/PRAGMA journal_mode(delete)",
    "-- x\nPRAGMA foreign_keys = OFF",
    "PRAGMA writable_schema = 1",
    "PRAGMA query_only = 0",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "ATTACH 'x' AS y",
    "ATTACH ':memory:' AS y",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO '/tmp/x'",
    "-- c\nVACUUM INTO 'x'",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT batch",
    "RELEASE batch",
    "ROLLBACK TO batch",
    "ANALYZE",
    "ANALYZE a",
    "REINDEX",
    "REINDEX a",
    "EXPLAIN SELECT * FROM a",
    "EXPLAIN QUERY PLAN SELECT * FROM _orama_secret",
    "CREATE TEMP TABLE t(x)",
    "CREATE TEMPORARY VIEW w AS SELECT 1",
    "CREATE TABLE temp.t(x)",
    "CREATE VIRTUAL TABLE f USING fts5(a)",
    "CREATE VIRTUAL TABLE r USING rtree(i, a, b)",
    "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END",
    "CREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO _orama_secret(s) VALUES (new.x); END",
    "CREATE TRIGGER t INSTEAD OF INSERT ON seen BEGIN SELECT 1; END",
    "CREATE TEMP TRIGGER t AFTER INSERT ON main.a BEGIN SELECT 1; END",
    # Functions.
    "SELECT load_extension('x')",
    "SELECT zeroblob(1e9)",
    "SELECT randomblob(9)",
    "SELECT printf('%.*c', 1e9, 'x')",
    "SELECT format('%s', 1)",
    "SELECT sqlite_version()",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT sqlite_rename_table('main', 'table', 'a', 'x', 'y', 'z', 0)",
    "SELECT last_insert_rowid()",
    "SELECT changes(), total_changes()",
    "SELECT fts5(1)",
    "SELECT fts3_tokenizer('simple')",
    "SELECT geopoly_area('[]')",
    "SELECT json_patch('{}', '{}')",
    "SELECT median(x) FROM a",
    "SELECT percentile(x, 50), percentile_cont(x, 0.5), percentile_disc(x, 0.5) FROM a",
    "SELECT jsonb_patch('{}', '{}')",
    "SELECT json_pretty('[]')",
    "SELECT x FROM a ORDER BY zeroblob(10)",
    "UPDATE a SET y = printf('%d', x)",
    "CREATE TABLE t(x, y AS (load_extension('x')))",
    "CREATE TABLE t(x DEFAULT (randomblob(1000000)))",
    "CREATE TABLE t(x CHECK (printf('%d', x) = x))",
    "CREATE TABLE t(x CHECK (x IN (SELECT s FROM _orama_secret)))",
    "CREATE INDEX i ON a(load_extension(x))",
    "CREATE INDEX i ON a(x) WHERE printf('%d', x) > 1",
    "CREATE VIEW w AS SELECT 1; PRAGMA foreign_keys = 0",
    "ALTER TABLE a ADD COLUMN p AS (printf('%d', x))",
    "ALTER TABLE a ADD COLUMN p DEFAULT (zeroblob(9))",
    # More than one statement, and texts made to look like one.
    "SELECT 1; DELETE FROM a",
    "SELECT 1;;SELECT 2",
    "SELECT 1 /* */; ATTACH 'x' AS y",
    "INSERT INTO a VALUES (9, 9); COMMIT",
    "INSERT INTO a VALUES (9, 9); INSERT INTO a VALUES (9, 9)",
    "SELECT 1; /* */ BEGIN /* */",
    "; PRAGMA foreign_keys = OFF",
    "/* */; PRAGMA foreign_keys = OFF; /* */ SELECT 1",
    "-- \r PRAGMA x\n; PRAGMA foreign_keys = OFF",
    "/* SELECT */ PRAGMA foreign_keys = OFF",
    "\ufeffPRAGMA foreign_keys = OFF",
    "\x0bSELECT 1",
    "SELECT\x001",
    "SELECT 1\x00; PRAGMA x",
    "",
    " ; -- nothing\n/* at all",
    "(SELECT 1)",
    "selectx 1",
    "WITHOUT x",
    "\u017fELECT 1",
]


@pytest.fixture
async def plain(tmp_path):
    async with open_sqlite(tmp_path) as opened:
        await opened.execute(SHOP, [Statement(sql) for sql in SCHEMA])
        await opened.execute(SHOP, [Statement(RESERVED[0], privileged=True)])
        yield opened


@pytest.fixture
async def database(tmp_path):
    async with open_sqlite(tmp_path) as opened:
        await opened.execute(SHOP, [Statement(sql) for sql in SCHEMA])
        file = on_disk(tmp_path)
        for sql in RESERVED:
            file.execute(sql)
        file.close()
        yield opened


async def _everything(tmp_path):
    file = on_disk(tmp_path)
    try:
        tables = file.execute("SELECT name, type, sql FROM sqlite_schema ORDER BY name").fetchall()
        rows = [file.execute(f'SELECT * FROM "{name}"').fetchall() for name, kind, _ in tables if kind == "table"]
        return tables, rows
    finally:
        file.close()


@pytest.mark.parametrize("sql", LEGAL)
async def test_legal_statement_runs(plain, sql):
    await run(plain, sql)
    if sql.split(None, 1)[0].upper() in ("SELECT", "VALUES"):
        assert await read(plain, sql) == await read(plain, sql)


@pytest.mark.parametrize("sql", HOSTILE)
async def test_hostile_statement_is_refused_each_time_it_comes(database, tmp_path, sql):
    before = await _everything(tmp_path)
    for _ in range(3):
        with pytest.raises(OramaError) as refusal:
            await run(database, sql)
        assert isinstance(refusal.value, (PermissionDenied, InvalidArgument, Unprocessable)), refusal.value
        assert "hidden" not in refusal.value.text
        with pytest.raises(OramaError):
            await database.query(SHOP, Statement(sql))
    assert await _everything(tmp_path) == before
    await run(database, "INSERT INTO a VALUES (7, 7)")
    assert await read(database, "SELECT y FROM a WHERE x = 7") == [(7,)]


async def test_lists_hold_what_they_promise():
    assert len(LEGAL) >= 43
    assert len(HOSTILE) >= 130


async def test_refusal_holds_when_a_view_comes_to_mean_something_else(database, tmp_path):
    await run(database, "CREATE VIEW shifting AS SELECT y AS s FROM a")
    for _ in range(3):
        assert await read(database, "SELECT s FROM shifting") == [("one",), ("two",)]
    file = on_disk(tmp_path)
    file.execute("DROP VIEW shifting")
    file.execute("CREATE VIEW shifting AS SELECT s FROM _orama_secret")
    file.close()
    await asyncio.sleep(0)  # the reads of one turn of the loop share a snapshot
    for _ in range(3):  # the text waits compiled in every connection; SQLite compiles it again by itself
        with pytest.raises(PermissionDenied):
            await database.query(SHOP, Statement("SELECT s FROM shifting"))
        with pytest.raises(PermissionDenied):
            await run(database, "SELECT s FROM shifting")


async def test_cached_write_is_judged_again_after_the_schema_changed(database, tmp_path):
    insert = "INSERT INTO target SELECT s FROM source"
    await database.execute(
        SHOP, [Statement(sql) for sql in ("CREATE TABLE target(s)", "CREATE VIEW source AS SELECT y AS s FROM a")]
    )
    for _ in range(3):
        assert (await run(database, insert)).rows_affected == 2
    file = on_disk(tmp_path)
    file.execute("DROP VIEW source")
    file.execute("CREATE VIEW source AS SELECT s FROM _orama_secret")
    file.close()
    for _ in range(3):
        with pytest.raises(PermissionDenied):
            await run(database, insert)
    assert await read(database, "SELECT count(*) FROM target WHERE s = 'hidden'") == [(0,)]


async def test_tenant_cannot_pick_up_a_privileged_statement(database):
    sql = "SELECT s FROM _orama_secret"
    for _ in range(3):
        assert (await database.query(SHOP, Statement(sql, privileged=True))).rows == [("hidden",)]
        (result,) = await database.execute(SHOP, [Statement(sql, privileged=True)])
        assert result.rows.rows == [("hidden",)]
        with pytest.raises(PermissionDenied):
            await database.query(SHOP, Statement(sql))
        with pytest.raises(PermissionDenied):
            await run(database, sql)


async def test_tenant_cannot_pick_up_a_control_statement(database):
    for _ in range(3):
        await run(database, "INSERT INTO a VALUES (1, 1)")
        for control in ("BEGIN IMMEDIATE", "COMMIT", "SAVEPOINT batch", "RELEASE batch", "ROLLBACK TO batch"):
            with pytest.raises(PermissionDenied):
                await run(database, control)


async def test_schema_leaves_out_what_is_reserved(database):
    names = [one.name for one in await database.schema(SHOP)]
    assert names == sorted(names)
    assert not [name for name in names if name.lower().startswith(("_orama", "sqlite_"))]
    assert {"a", "seen"} <= set(names)
