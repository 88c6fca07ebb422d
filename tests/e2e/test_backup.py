"""Backups by real processes: beside a node that is written to, killed at any moment, of any size."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import apsw
import httpx2
import pytest

from orama.errors import OramaError
from orama.node.backup import verify
from orama.node.data_directory import DataDirectory
from orama.services.backup.age import make_identity
from orama.services.backup.manifest import Backup
from orama.services.backup.unfinished import BACKUP, RESTORE
from support.node import ORAMA, NodeProcess, node_process, wait_until

AGE = shutil.which("age")
KILLS = 20
SOONER = 0.9
"""After a kill that came too late the next ones are aimed so much earlier: the first run may have been a slow one."""
IDENTITY, RECIPIENT = make_identity()
MIB = 1024 * 1024


@pytest.fixture
def identity(tmp_path):
    file = tmp_path / "identity"
    file.write_text(IDENTITY)
    return file


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data directory of a node that does not run, with 4 MiB in two namespaces each. Backups change nothing in it."""
    return filled(tmp_path_factory.mktemp("node") / "data", 4, "shop", "Bank")


def command(*arguments: object) -> list[str]:
    return [str(ORAMA), "backup", *map(str, arguments)]


def backup(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)


def create(data_dir: Path, file: Path) -> subprocess.CompletedProcess[str]:
    return backup("create", file, "--recipient", RECIPIENT, "--data-dir", data_dir)


def post(client: httpx2.Client, node: NodeProcess, key: str, path: str, body: object) -> httpx2.Response:
    return client.post(f"{node.url}/v1/rqlite/{path}", json=body, headers={"X-API-Key": key}, timeout=60)


def filled(data_dir: Path, mib: int, *namespaces: str) -> Path:
    """A node's data directory with `mib` MiB in each namespace."""
    with node_process(data_dir) as node:
        keys = [node.key(namespace) for namespace in namespaces]
        with httpx2.Client() as client:
            for key in keys:
                assert post(client, node, key, "exec", {"sql": "CREATE TABLE pad (x)"}).status_code == 200
                for number in range(mib):
                    body = {"sql": "INSERT INTO pad VALUES (?)", "args": [f"{number:08}" + "x" * (MIB - 8 - 1000)]}
                    assert post(client, node, key, "exec", body).status_code == 200
        node.stop()
    return data_dir


class Writer:
    """Writes pairs of rows, each pair in one transaction, one after the other; remembers what was acknowledged."""

    def __init__(self, node: NodeProcess, key: str, number: int) -> None:
        self._node, self._key, self._number = node, key, number
        self.acknowledged = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        insert = "INSERT INTO pairs VALUES (?, ?, ?)"
        with httpx2.Client() as client:
            while not self._stop.is_set():
                ops = [
                    {"kind": "exec", "sql": insert, "args": [self._number, self.acknowledged, half]} for half in (0, 1)
                ]
                assert post(client, self._node, self._key, "transaction", {"ops": ops}).status_code == 200
                self.acknowledged += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def pairs_of(node: NodeProcess, key: str) -> dict[int, list[int]]:
    """The numbers of the pairs of each writer, in order; fails if one is torn."""
    found: dict[int, list[int]] = {}
    sql = (
        "SELECT writer, number, count(*) FROM pairs GROUP BY writer, number ORDER BY writer, number LIMIT 5000 OFFSET "
    )
    with httpx2.Client() as client:
        while rows := post(client, node, key, "query", {"sql": f"{sql}{sum(map(len, found.values()))}"}).json()["rows"]:
            for writer, number, halves in rows:
                assert halves == 2, "half a transaction"
                found.setdefault(writer, []).append(number)
    return found


@pytest.mark.timeout(300)
def test_backup_of_a_node_that_is_written_to_has_whole_transactions_and_all_that_was_acknowledged_before(
    tmp_path, identity, data
):
    data = shutil.copytree(data, tmp_path / "data")
    with node_process(data) as node:
        keys = [node.key("shop"), node.key("Bank")]
        with httpx2.Client() as client:
            for key in keys:
                post(client, node, key, "exec", {"sql": "CREATE TABLE pairs (writer INTEGER, number INTEGER, half)"})
        token = httpx2.post(f"{node.url}/v1/auth/token", headers={"X-API-Key": keys[0]}).json()["access_token"]
        writers = [Writer(node, keys[number % 2], number) for number in range(4)]
        wait_until(lambda: all(writer.acknowledged > 5 for writer in writers))
        files, before, after = [], [], []
        for number in range(2):
            before.append([writer.acknowledged for writer in writers])
            files.append(tmp_path / f"{number}.age")
            done = create(data, files[-1])
            assert done.returncode == 0, done.stderr
            after.append([writer.acknowledged for writer in writers])
        for writer in writers:
            writer.stop()
        assert node.stop() == 0
    for number, file in enumerate(files):
        assert sum(after[number]) > sum(before[number]) + 10, "the writers stood still"
        new = tmp_path / f"new{number}"
        done = backup("restore", file, "--identity", identity, "--data-dir", new, "--json")
        assert done.returncode == 0, done.stderr
        with node_process(new) as restored:
            found = pairs_of(restored, keys[0]) | pairs_of(restored, keys[1])
            for writer in range(4):
                assert found[writer] == list(range(len(found[writer]))), "a later one without an earlier one"
                # One more may have been under way when the last one was counted.
                assert before[number][writer] <= len(found[writer]) <= after[number][writer] + 1
            who = httpx2.get(f"{restored.url}/v1/auth/whoami", headers={"Authorization": f"Bearer {token}"})
            assert (who.status_code, who.json()["namespace"]) == (200, "shop")
            assert restored.stop() == 0


@contextmanager
def killed_in_the_middle(arguments: list[str], place: Path, prefix: str, delay_s: float):
    """Run a command, kill it `delay_s` after its unfinished work appeared in `place`; whether that was in time."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: any(place.glob(f"{prefix}*")) or process.poll() is not None, timeout_s=60)
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        yield process.returncode == -signal.SIGKILL
    finally:
        process.stderr.close()


def duration_s(arguments: list[str], place: Path, prefix: str) -> float:
    """How long a command's work takes from when it can be seen in `place`."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    wait_until(lambda: any(place.glob(f"{prefix}*")), timeout_s=60)
    began = time.monotonic()
    assert process.wait(timeout=120) == 0
    return time.monotonic() - began


def whole(file: Path) -> Backup | None:
    try:
        return verify(file, IDENTITY, None)
    except OramaError:
        return None


@pytest.mark.timeout(300)
def test_creation_killed_at_any_point_leaves_no_half_backup_and_the_next_one_cleans_up(tmp_path, data):
    place = tmp_path / "backups"
    place.mkdir()

    def creation(name: str) -> list[str]:
        return command("create", place / name, "--recipient", RECIPIENT, "--data-dir", data)

    source = random.Random(20261125)
    usual_s = duration_s(creation("first.age"), place, BACKUP)
    in_time = left = 0
    for number in itertools.count():
        file = place / f"{number}.age"
        delay_s = source.uniform(0, usual_s)
        with killed_in_the_middle(creation(file.name), place, BACKUP, delay_s) as in_the_middle:
            if file.exists():
                assert whole(file), "a half backup has the name of a whole one"
                file.unlink()
            if in_the_middle and not file.exists():
                in_time += 1
            else:
                usual_s *= SOONER
            rest = [*place.glob(f"{BACKUP}*"), *data.glob(f"{BACKUP}*")]
            left += len(rest)
            for directory in rest:
                assert stat.S_IMODE(directory.stat().st_mode) == 0o700
                for piece in directory.iterdir():
                    assert stat.S_IMODE(piece.stat().st_mode) == 0o600
        if in_time >= KILLS:
            break
        assert number < 4 * KILLS, "the kills came too late"
    assert left > KILLS / 2, "the kills came too early"
    assert create(data, place / "last.age").returncode == 0
    first, last = whole(place / "first.age"), whole(place / "last.age")
    assert first
    assert last
    assert first.parts == last.parts
    assert sorted(one.name for one in place.iterdir()) == ["first.age", "last.age"]
    assert not list(data.glob(f"{BACKUP}*"))


@pytest.mark.timeout(300)
def test_node_removes_what_a_killed_backup_left_in_its_directory(tmp_path, data):
    data = shutil.copytree(data, tmp_path / "data")
    arguments = command("create", tmp_path / "b.age", "--recipient", RECIPIENT, "--data-dir", data)
    with killed_in_the_middle(arguments, data, BACKUP, 0.02) as in_the_middle:
        assert in_the_middle
        assert list(data.glob(f"{BACKUP}*"))
    with node_process(data):
        assert not list(data.glob(f"{BACKUP}*"))


@pytest.mark.timeout(300)
def test_restore_killed_at_any_point_leaves_nothing_that_a_node_would_start_on(tmp_path, identity, data):
    file = tmp_path / "backup.age"
    assert create(data, file).returncode == 0
    wanted = whole(file)

    def restoration(name: str) -> list[str]:
        return command("restore", file, "--identity", identity, "--data-dir", tmp_path / name)

    (tmp_path / "first").mkdir()
    usual_s = duration_s(restoration("first"), tmp_path / "first", RESTORE)
    source = random.Random(20261125)
    in_time = 0
    for number in itertools.count():
        new = tmp_path / f"new{number}"
        new.mkdir()
        delay_s = source.uniform(0, usual_s)
        with killed_in_the_middle(restoration(new.name), new, RESTORE, delay_s) as in_the_middle:
            if (new / "cluster.key").exists():
                assert contents(new) == contents(tmp_path / "first"), "a half restore looks whole"
                usual_s *= SOONER
            else:
                in_time += in_the_middle
                with pytest.raises(OramaError):
                    DataDirectory(new).root_secret()
                if number == 0:
                    started = subprocess.run(
                        [ORAMA, "run", "--data-dir", new, "--listen", "127.0.0.1:0"],
                        capture_output=True, text=True, timeout=60,
                    )  # fmt: skip
                    assert started.returncode == 1
                    assert "a restore" in started.stderr
                if number % 5 == 0:
                    half_moved = {one.name for one in new.iterdir()} & {"namespaces", "system.db"}
                    again = backup("restore", file, "--identity", identity, "--data-dir", new)
                    assert again.returncode == (1 if half_moved else 0), again.stderr
                    if half_moved:
                        assert "was not finished: empty the directory" in again.stderr
                    else:
                        assert contents(new) == contents(tmp_path / "first")
                        assert not list(new.glob(f"{RESTORE}*"))
        shutil.rmtree(new)
        if in_time >= KILLS:
            break
        assert number < 4 * KILLS, "the kills came too late"
    assert whole(file) == wanted


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(directory)): one.read_bytes()
        for one in directory.rglob("*")
        if one.is_file() and one.name != "node.lock" and not one.relative_to(directory).parts[0].startswith(RESTORE)
    }


def peak_mib(arguments: list[str]) -> float:
    """The most memory that a command took, in MiB."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


@pytest.mark.timeout(300)
def test_memory_does_not_grow_with_what_is_backed_up(tmp_path, identity, data):
    large = shutil.copytree(data, tmp_path / "large")
    file = apsw.Connection(str(large / "namespaces" / "shop.db"))
    file.pragma("synchronous", "off")
    with file:
        file.execute("CREATE INDEX by_x ON pad (substr(x, 1, 100))")
        file.executemany("INSERT INTO pad VALUES (?)", ((f"{number:08}" + "y" * 10_000,) for number in range(20_000)))
    file.close()
    assert (large / "namespaces" / "shop.db").stat().st_size > 190 * MIB
    peaks: dict[str, list[float]] = {}
    for directory in (data, large):
        archive = tmp_path / f"{directory.name}.age"
        key = ("--identity", identity)
        for name, arguments in {
            "create": command("create", archive, "--recipient", RECIPIENT, "--data-dir", directory),
            "verify": command("verify", archive, *key),
            "restore": command("restore", archive, *key, "--data-dir", tmp_path / f"{directory.name}-new"),
        }.items():
            peaks.setdefault(name, []).append(peak_mib(arguments))
    growth = {name: after - before for name, (before, after) in peaks.items()}
    assert all(one < 64 for one in growth.values()), growth
    assert (tmp_path / "large-new" / "namespaces" / "shop.db").stat().st_size > 190 * MIB


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_creation_that_is_asked_to_stop_takes_away_what_it_began(tmp_path, data, number):
    place = tmp_path / "backups"
    place.mkdir()
    process = subprocess.Popen(
        command("create", place / "b.age", "--recipient", RECIPIENT, "--data-dir", data), stderr=subprocess.PIPE
    )
    wait_until(lambda: any(data.glob(f"{BACKUP}*")), timeout_s=60)
    time.sleep(0.05)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + number, told
    assert b"Traceback" not in told
    assert list(place.iterdir()) == []
    assert not list(data.glob(f"{BACKUP}*"))


@pytest.mark.skipif(AGE is None, reason="age is not installed: apt-get install age")
def test_age_and_tar_alone_bring_a_node_back(tmp_path, identity, data):
    assert create(data, tmp_path / "b.age").returncode == 0
    new = tmp_path / "new"
    new.mkdir(mode=0o700)
    subprocess.run(
        f"{AGE} -d -i {identity} {tmp_path}/b.age | tar -x -C {new}", shell=True, check=True, executable="/bin/bash"
    )
    with node_process(new) as node, httpx2.Client() as client:
        reply = post(client, node, node.key("shop"), "query", {"sql": "SELECT count(*) FROM pad"})
        assert reply.json()["rows"] == [[4]]


def test_keygen_makes_a_private_file_once_and_prints_what_may_be_seen(tmp_path):
    file = tmp_path / "identity"
    made = backup("keygen", "--identity", file)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("age1")
    assert "SECRET" not in made.stdout + made.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    again = backup("keygen", "--identity", file)
    assert again.returncode == 1
    assert "cannot write" in again.stderr
    assert file.read_text() == before


def test_what_is_created_verified_and_restored_is_told_in_words_and_in_json(tmp_path, identity, data):
    file = tmp_path / "b.age"
    made = backup("create", file, "--recipient", RECIPIENT, "--data-dir", data, "--json")
    facts = json.loads(made.stdout)
    assert facts["bytes"] == file.stat().st_size
    assert facts["sha256"] in subprocess.run(["sha256sum", file], capture_output=True, text=True).stdout
    assert (facts["parts"], facts["damaged"]) == (4, {})
    checked = backup("verify", file, "--identity", identity)
    assert checked.returncode == 0, checked.stderr
    assert f"rows: {facts['rows']}" in checked.stdout
    from_stdin = subprocess.run(
        command("verify", file, "--identity", "-", "--json"), input=IDENTITY, capture_output=True, text=True, timeout=60
    )
    assert json.loads(from_stdin.stdout)["rows"] == facts["rows"]


def test_damage_in_the_source_is_an_error_although_the_backup_is_made(tmp_path, identity, data):
    data = shutil.copytree(data, tmp_path / "data")
    file = data / "namespaces" / "shop.db"
    content = bytearray(file.read_bytes())
    content[5000:] = b"\xff" * len(content[5000:])
    file.write_bytes(content)
    made = create(data, tmp_path / "b.age")
    assert made.returncode == 1
    assert "namespaces/shop.db" in made.stderr
    assert "Traceback" not in made.stderr
    for done in (
        backup("verify", tmp_path / "b.age", "--identity", identity),
        backup("restore", tmp_path / "b.age", "--identity", identity, "--data-dir", tmp_path / "new"),
    ):
        assert (done.returncode, "was damaged" in done.stderr) == (1, True)
    assert (tmp_path / "new" / "cluster.key").exists()


def test_mistakes_are_told_without_a_traceback_and_without_the_private_key(tmp_path, identity, data):
    file = tmp_path / "b.age"
    assert create(data, file).returncode == 0
    secret = IDENTITY.splitlines()[-1]
    (tmp_path / "broken").write_text(secret[:-3])
    other, _ = make_identity()
    (tmp_path / "other").write_text(other)
    for arguments, text in (
        (("create", file, "--recipient", RECIPIENT, "--data-dir", data), "exists already"),
        (("create", tmp_path / "no" / "b.age", "--recipient", RECIPIENT, "--data-dir", data), "No such file"),
        (("create", tmp_path / "c.age", "--recipient", RECIPIENT, "--data-dir", tmp_path / "none"), "--data-dir"),
        (("create", tmp_path / "c.age", "--recipient", secret, "--data-dir", data), "no public key"),
        (("verify", file, "--identity", tmp_path / "none"), "cannot read a private key"),
        (("verify", file, "--identity", tmp_path / "broken"), "no private key"),
        (("verify", file, "--identity", tmp_path / "other"), "made for another"),
        (("verify", identity, "--identity", identity), "does not open"),
        (("verify", tmp_path / "none", "--identity", identity), "No such file"),
        (("restore", file, "--identity", identity, "--data-dir", data), "not empty"),
    ):
        done = backup(*arguments)
        assert done.returncode == 1, (arguments, done)
        assert text in done.stderr
        assert "Traceback" not in done.stderr
        assert secret[:30] not in done.stdout + done.stderr
    assert not (tmp_path / "none").exists()
