"""The node as a process: started by a user, stopped by an operator, killed by fate."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import httpx2
import pytest

from support.node import ORAMA, NodeProcess, node_process, wait_until
from support.wallet import Wallet


def query(url: str, key: str, sql: str, *args: object) -> httpx2.Response:
    return httpx2.post(
        f"{url}/v1/rqlite/query", json={"sql": sql, "args": args}, headers={"X-API-Key": key}, timeout=30
    )


def execute(client: httpx2.Client, url: str, key: str, sql: str, *args: object) -> httpx2.Response:
    return client.post(f"{url}/v1/rqlite/exec", json={"sql": sql, "args": args}, headers={"X-API-Key": key}, timeout=30)


def test_next_steps_that_the_node_prints_work_when_pasted(tmp_path):
    with node_process(tmp_path / "data") as node:
        printed: list[str] = []
        reader = threading.Thread(target=lambda: printed.extend(node.process.stdout), daemon=True)
        reader.start()
        wait_until(lambda: sum("curl" in line for line in printed) == 2)
        commands = "".join(line for line in printed if line.startswith("  "))
        done = subprocess.run(
            ["bash", "-euc", commands], capture_output=True, text=True, timeout=60, env=node.environment
        )
        assert done.returncode == 0, done.stderr
        status, _, answer = done.stdout.partition("}}}")
        assert '"status":"ok"' in status
        assert json.loads(answer) == {"items": [{"two": 2}], "count": 1, "columns": ["two"], "rows": [[2]]}


def test_data_directory_is_private_and_made_whole(tmp_path):
    with node_process(tmp_path / "deep" / "data") as node:
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in [node.data_dir, *node.data_dir.rglob("*")]}
    assert modes.pop("data") == 0o700
    assert modes.pop("namespaces") == 0o700
    assert modes
    assert set(modes.values()) == {0o600}, modes


def test_second_start_is_refused_with_the_pid_of_the_first(tmp_path):
    with node_process(tmp_path / "data") as node:
        second = subprocess.run(
            [ORAMA, "run", "--data-dir", node.data_dir, "--listen", "127.0.0.1:0"],
            capture_output=True, text=True, timeout=30, env=node.environment,
        )  # fmt: skip
        assert second.returncode == 1
        assert f"pid {node.process.pid}" in second.stderr
        assert "--data-dir" in second.stderr
        assert httpx2.get(f"{node.url}/health").status_code == 200


def test_taken_port_and_bad_address_are_refused_with_a_hint(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for listen, text in ((f"127.0.0.1:{port}", "in use"), ("nonsense", "HOST:PORT"), ("192.0.2.1:80", "assign")):
            tried = subprocess.run(
                [ORAMA, "run", "--data-dir", tmp_path / "data", "--listen", listen],
                capture_output=True, text=True, timeout=30,
            )  # fmt: skip
            assert tried.returncode in (1, 2), tried.stderr
            assert text in tried.stderr
            assert "Traceback" not in tried.stderr


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda key: key.chmod(0o644), "chmod 600"),
        (lambda key: key.unlink(), "is missing"),
        (lambda key: key.write_bytes(b"short"), "5 bytes instead of 32"),
        (lambda key: key.write_bytes(b"x" * 32), "root secret"),
    ],
)
def test_node_refuses_to_start_when_its_secret_is_not_right(tmp_path, spoil, text):
    with node_process(tmp_path / "data") as node:
        node.stop()
    spoil(tmp_path / "data" / "cluster.key")
    tried = subprocess.run(
        [ORAMA, "run", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert tried.returncode == 1
    assert text in tried.stderr
    assert "Traceback" not in tried.stderr


def test_sigterm_turns_ready_off_finishes_requests_and_exits_0(tmp_path):
    slow_sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000000) SELECT count(*) FROM n"
    )
    with node_process(tmp_path / "data") as node:
        key = node.key()
        answers: list[httpx2.Response] = []
        with httpx2.Client(base_url=node.url, timeout=30) as watcher:
            assert watcher.get("/ready").status_code == 200
            slow = threading.Thread(target=lambda: answers.append(query(node.url, key, slow_sql)))
            slow.start()
            wait_until(lambda: "orama_http_in_flight 2.0" in watcher.get("/metrics").text)
            node.process.send_signal(signal.SIGTERM)
            wait_until(lambda: watcher.get("/ready").status_code == 503)
            assert watcher.get("/ready").json()["reason"] == "draining"
            assert watcher.get("/health").status_code == 200
        assert node.stop() == 0
        slow.join()
        assert answers[0].status_code == 200
        assert answers[0].json()["rows"] == [[6_000_000]]
        assert [record["event"] for record in node.log_records()][-1] == "node stopped"


def test_second_signal_skips_the_notice(tmp_path):
    with node_process(tmp_path / "data") as node:
        node.process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        assert node.stop(signal.SIGINT) == 0


def test_operator_makes_lists_and_revokes_keys_while_the_node_runs_or_not(tmp_path):
    with node_process(tmp_path / "data") as node:
        key = node.key("shop", "--scopes", "db:read,cache:*", "--name", "till", "--expires", "720h")
        assert re.fullmatch(r"ak_[0-9A-Za-z]+_[0-9A-Za-z]+:shop", key)
        assert query(node.url, key, "SELECT 1").status_code == 200
        refused = httpx2.post(
            f"{node.url}/v1/rqlite/exec", json={"sql": "CREATE TABLE t(x)"}, headers={"X-API-Key": key}
        )
        assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED")
        (listed,) = json.loads(node.admin("keys", "list", "--namespace", "shop", "--json").stdout)
        assert (listed["name"], listed["scopes"], listed["revoked_at"]) == ("till", "cache:* db:read", None)
        assert key.split("_")[2].partition(":")[0] not in json.dumps(listed)
        assert node.admin("keys", "revoke", f"ak_{listed['id']}", "--namespace", "shop").returncode == 0
        wait_until(lambda: query(node.url, key, "SELECT 1").status_code == 401, timeout_s=25)
        node.stop()
    stopped = NodeProcess.__new__(NodeProcess)
    stopped.data_dir, stopped.environment = node.data_dir, node.environment
    other = stopped.key("shop")
    with node_process(tmp_path / "data") as node:
        assert query(node.url, other, "SELECT 1").status_code == 200
        assert query(node.url, key, "SELECT 1").status_code == 401


def test_operator_makes_namespaces_and_grants_them_while_the_node_runs(tmp_path):
    owner, other = Wallet(1), Wallet(2)
    with node_process(tmp_path / "data") as node:

        def admin(*arguments):
            done = node.admin("namespaces", *arguments)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert admin("create", "shop") == "created shop\n"
        assert "exists already" in node.admin("namespaces", "create", "shop").stderr
        assert admin("grant", owner.address, "--namespace", "shop") == f"{owner.subject} is now owner of shop\n"
        assert admin("grant", other.bare, "--namespace", "shop", "--role", "reader").endswith("reader of shop\n")
        (listed,) = json.loads(admin("list", "--json"))
        assert (listed["name"], listed["kind"], listed["members"], listed["owners"]) == ("shop", "operator", 2, 1)
        assert "shop" in admin("list")
        challenge = httpx2.post(
            f"{node.url}/v1/auth/challenge", json={"wallet": other.address, "namespace": "shop"}
        ).json()
        signed = {"wallet": other.address, "namespace": "shop", "nonce": challenge["nonce"]}
        signed_in = httpx2.post(
            f"{node.url}/v1/auth/verify", json={**signed, "signature": other.sign(challenge["nonce"])}
        ).json()
        reading = signed_in["api_key"]
        assert query(node.url, reading, "SELECT 1").status_code == 200
        assert admin("withdraw", other.address, "--namespace", "shop").endswith("no member of shop any more\n")
        wait_until(lambda: query(node.url, reading, "SELECT 1").status_code == 401, timeout_s=25)
        refused = node.admin("namespaces", "withdraw", owner.address, "--namespace", "shop")
        assert (refused.returncode, "last owner" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("keys", "create", "--namespace", "a:b"), "invalid namespace"),
        (("keys", "create", "--namespace", "a", "--scopes", "db:raed"), "the actions of 'db' are read, write"),
        (("namespaces", "create", "a:b"), "invalid namespace"),
        (("namespaces", "grant", "nobody", "--namespace", "a"), "invalid wallet"),
        (("namespaces", "grant", "0x" + "1" * 40, "--namespace", "a"), "no namespace 'a'"),
        (
            ("namespaces", "grant", "0x" + "1" * 40, "--namespace", "a", "--role", "king"),
            "owner, admin, member, reader",
        ),
        (("namespaces", "withdraw", "0x" + "1" * 40, "--namespace", "a"), "no member here"),
        (("keys", "create", "--namespace", "_platform"), "invalid namespace"),
        (("keys", "create", "--namespace", "a", "--scopes", "DB"), "invalid scope"),
        (("keys", "create", "--namespace", "a", "--expires", "soon"), "--expires"),
        (("keys", "create", "--namespace", "a", "--expires", "2020-01-01"), "expired already"),
        (("keys", "revoke", "nokey", "--namespace", "a"), "no API key"),
    ],
)
def test_operator_is_told_what_is_wrong(tmp_path, arguments, text):
    done = subprocess.run(
        [ORAMA, "admin", *arguments, "--data-dir", tmp_path / "data"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_configuration_faults_are_all_reported_at_once(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("server: {lisen: x, idle_s: soon}\nlog: {level: loud}\n")
    for command in (["config", "check"], ["run"]):
        done = subprocess.run([ORAMA, *command, "--config", file], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        for path in ("server.lisen", "server.idle_s", "log.level"):
            assert path in done.stderr
        assert "Traceback" not in done.stderr
    shown = subprocess.run(
        [ORAMA, "config", "show", "--data-dir", tmp_path], capture_output=True, text=True, timeout=60
    )
    assert shown.returncode == 0
    assert str(tmp_path) in shown.stdout


def test_tokens_survive_a_restart(tmp_path):
    with node_process(tmp_path / "data") as node:
        key = node.key()
        token = httpx2.post(f"{node.url}/v1/auth/token", headers={"X-API-Key": key}).json()["access_token"]
        node.stop(signal.SIGKILL)
    with node_process(tmp_path / "data") as node:
        who = httpx2.get(f"{node.url}/v1/auth/whoami", headers={"Authorization": f"Bearer {token}"})
        assert (who.status_code, who.json()["method"]) == (200, "jwt")


def test_no_acknowledged_write_is_lost_when_the_node_is_killed_at_50_random_points(tmp_path):
    """Each life of the node: four writers, a kill at a random moment, and the next life has every acknowledged row."""
    source = random.Random(20261123)
    acknowledged: set[int] = set()
    sent = iter(range(10**9))
    with node_process(tmp_path / "data") as node:
        key = node.key()
        with httpx2.Client() as client:
            assert execute(client, node.url, key, "CREATE TABLE log (n INTEGER PRIMARY KEY)").status_code == 200
        node.stop(signal.SIGKILL)
    clients = [httpx2.Client() for _ in range(4)]  # once: making one takes as long as a life of the node
    for _ in range(50):
        with node_process(tmp_path / "data") as node:
            rows = query(node.url, key, "SELECT count(*), coalesce(max(n), -1) FROM log").json()["rows"][0]
            assert rows[0] >= len(acknowledged), "an acknowledged row is gone"

            def write(client: httpx2.Client, node: NodeProcess = node) -> None:
                while True:
                    number = next(sent)
                    try:
                        reply = execute(client, node.url, key, "INSERT INTO log VALUES (?)", number)
                    except httpx2.TransportError:
                        return
                    if reply.status_code == 200:
                        acknowledged.add(number)

            writers = [threading.Thread(target=write, args=(client,)) for client in clients]
            for writer in writers:
                writer.start()
            time.sleep(source.uniform(0.0, 0.15))
            node.stop(signal.SIGKILL)
            for writer in writers:
                writer.join(timeout=30)
    for client in clients:
        client.close()
    with node_process(tmp_path / "data") as node:
        found: set[int] = set()
        while True:
            page = query(node.url, key, "SELECT n FROM log WHERE n > ? ORDER BY n LIMIT 5000", max(found, default=-1))
            numbers = [row[0] for row in page.json()["rows"]]
            if not numbers:
                break
            found.update(numbers)
    assert acknowledged <= found
    assert len(acknowledged) > 500, "the writers must have written something between the kills"


async def test_full_log_pipe_does_not_stop_the_node(tmp_path):
    """Nobody reads the log: requests go on, lines are dropped and counted."""
    process = await asyncio.create_subprocess_exec(
        ORAMA, "run", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0", "--log-format", "json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"ORAMA_LOG__LEVEL": "debug", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    try:
        url = (await process.stdout.readline()).decode().split()[-1]
        async with httpx2.AsyncClient(base_url=url) as client:
            for _ in range(3):
                replies = await asyncio.gather(*(client.get("/health") for _ in range(1000)))
                assert {reply.status_code for reply in replies} == {200}
    finally:
        process.kill()
        await process.communicate()


def test_orama_is_installed_beside_python():
    assert shutil.which(ORAMA)
