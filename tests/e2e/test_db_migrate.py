"""`orama db migrate`, as people and as programs use it."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import threading
import time

import httpx2
import pytest

from orama.client import Client
from orama.domain.migration import Migration
from orama.errors import OramaError
from support.node import ORAMA, node_process


class Project:
    """A directory with migrations, and the command in it."""

    def __init__(self, directory, node, namespace="shop"):
        self.directory = directory
        self.files = directory / "migrations"
        self.files.mkdir(parents=True)
        self.environment = {
            **node.environment,
            "ORAMA_URL": node.url,
            "ORAMA_API_KEY": node.key(namespace),
            "COLUMNS": "200",
        }

    def write(self, name, sql):
        (self.files / name).write_text(sql)

    def start(self, *arguments):
        return subprocess.Popen(
            [ORAMA, "db", "migrate", *arguments],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def migrate(self, *arguments, code=0):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        assert "Traceback" not in err
        return out if code != 1 else err


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with node_process(tmp_path_factory.mktemp("node") / "data") as running:
        yield running


@pytest.fixture
def project(tmp_path, node, request):
    made = Project(tmp_path, node, f"project{abs(hash(request.node.name)) % 10**9}")
    made.write("0001_users.sql", "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);\n")
    made.write("0002_ages.sql", "-- their ages\nALTER TABLE users ADD COLUMN age INTEGER;\n")
    return made


def lines(printed):
    return [line.split() for line in printed.splitlines()]


def test_plan_then_apply_then_status(project):
    assert lines(project.migrate("--plan", code=3)) == [
        ["file", "state"],
        ["0001_users.sql", "waits"],
        ["0002_ages.sql", "waits"],
    ]
    assert project.migrate() == "applied 0001_users.sql\napplied 0002_ages.sql\n"
    assert project.migrate() == project.migrate("--plan") == "Nothing waits: all 2 files are applied.\n"
    status = lines(project.migrate("--status"))
    assert [line[:2] for line in status[1:]] == [["0001_users.sql", "applied"], ["0002_ages.sql", "applied"]]
    project.write("0003_more.sql", "SELECT 1")
    assert lines(project.migrate("--status", code=3))[3] == ["0003_more.sql", "waits"]


def test_failing_file_is_told_with_its_line_after_what_was_applied(project):
    project.write("0003_broken.sql", "SELECT 1;\n\nINSERT INTO nowhere VALUES (1);\n")
    process = project.start()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == "applied 0001_users.sql\napplied 0002_ages.sql\n"
    assert err.startswith("error: 0003_broken.sql line 3: no such table: nowhere; nothing of this file was applied")
    answer = json.loads(project.start("--json").communicate(timeout=60)[0])
    assert (answer["applied"], answer["code"], answer["reason"]) == ([], "UNPROCESSABLE", "sql_error")
    assert answer["details"]["line"] == 3
    assert answer["request_id"]
    project.write("0003_broken.sql", "CREATE TABLE mended (x)")
    assert json.loads(project.migrate("--json")) == {"applied": ["0003_broken.sql"]}


def test_drift_is_refused_and_told(project):
    project.migrate()
    project.write("0001_users.sql", "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n")
    project.write("0003_new.sql", "SELECT 1")
    planned = project.migrate("--plan", code=3)
    assert [line[:2] for line in lines(planned)[1:]] == [["0001_users.sql", "changed"], ["0003_new.sql", "waits"]]
    assert "restore it, and write what is new into a new file" in planned
    assert "0001_users.sql was changed after it was applied" in project.migrate(code=1)
    plan = json.loads(project.migrate("--plan", "--json", code=3))
    assert [(one["kind"], one["version"]) for one in plan["drift"]] == [("changed", 1)]
    assert [one["version"] for one in plan["pending"]] == [3]


def test_ends_of_lines_do_not_make_a_change(project):
    project.migrate()
    text = (project.files / "0002_ages.sql").read_bytes()
    (project.files / "0002_ages.sql").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    project.migrate("--plan")


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "text"),
    [
        (("--dir", "nowhere"), {}, 2, "nowhere"),
        (("--plan", "--status"), {}, 2, "choose one"),
        ((), {"ORAMA_API_KEY": ""}, 2, "ORAMA_API_KEY"),
        ((), {"ORAMA_API_KEY": "ak_wrong"}, 1, "invalid API key"),
        (("--api-key", "ak_wrong"), {}, 1, "invalid API key"),
        ((), {"ORAMA_URL": "http://127.0.0.1:1"}, 1, "cannot reach http://127.0.0.1:1"),
        (("--url", "nonsense"), {}, 1, "looks like http://"),
    ],
)
def test_wrong_use_and_refusals_have_codes_of_their_own(project, arguments, environment, code, text):
    project.environment |= environment
    process = project.start(*arguments)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert text in err
    assert "Traceback" not in err


def test_file_of_another_name_is_wrong_use(project):
    project.write("3_more.sql", "SELECT 1")
    process = project.start()
    assert "3_more.sql" in process.communicate(timeout=60)[1]
    assert process.returncode == 2


def test_commands_that_run_at_once_apply_each_file_once(project):
    for number in range(3, 20):
        project.write(f"{number:04}_n.sql", f"CREATE TABLE t{number} (x)")
    processes = [project.start() for _ in range(3)]
    printed = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], printed
    found = [line.split()[1] for out, _ in printed for line in out.splitlines() if line.startswith("applied")]
    assert sorted(found) == sorted(file.name for file in project.files.iterdir())


def test_migrations_survive_kills_of_the_node(tmp_path):
    """Killed at random moments while it applies, a node has each file wholly or not at all, and once."""
    moments = random.Random(20261125)
    files = [Migration(0, "effects", "CREATE TABLE effects (n)")]
    outcomes = []

    async def apply(node, key):
        async with Client(node.url, api_key=key) as client:
            return [one.version async for one in client.migrations.apply(files)]

    def run_apply(node, key):
        try:
            outcomes.append(asyncio.run(apply(node, key)))
        except OramaError as error:
            outcomes.append(error)

    with node_process(tmp_path / "data") as node:
        key = node.key()
    for _ in range(8):
        for number in range(len(files), len(files) + 40):
            sql = f"INSERT INTO effects VALUES ({number}); CREATE TABLE t{number} (x); INSERT INTO effects VALUES ({-number})"
            files.append(Migration(number, "n", sql))
        with node_process(tmp_path / "data") as node:
            applying = threading.Thread(target=run_apply, args=(node, key))
            applying.start()
            time.sleep(moments.uniform(0.02, 0.15))
            node.stop(signal.SIGKILL)
            applying.join(timeout=60)
    with node_process(tmp_path / "data") as node:
        run_apply(node, key)
        assert isinstance(outcomes[-1], list), outcomes[-1]
        reply = httpx2.post(
            f"{node.url}/v1/rqlite/query",
            json={"sql": "SELECT n FROM effects ORDER BY rowid"},
            headers={"X-API-Key": key},
            timeout=30,
        )
    assert [n for (n,) in reply.json()["rows"]] == [half for n in range(1, len(files)) for half in (n, -n)]
    failed = [one for one in outcomes if isinstance(one, OramaError)]
    assert failed, "the node was killed under at least one of them"
    assert {one.reason for one in failed} <= {"outcome_unknown", "gateway_unreachable", "connection_lost"}
