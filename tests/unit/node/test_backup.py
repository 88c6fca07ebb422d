"""From a data directory into a file and back, and what stands in the way."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from orama.backends.database.sqlite.settings import SqliteSettings
from orama.backends.database.sqlite.snapshot import SqliteSnapshots
from orama.config.loader import load
from orama.config.model import Config
from orama.domain.namespace import Namespace
from orama.errors import Conflict, InvalidArgument, NotFound, StorageFull, Unprocessable
from orama.node.assembly import operator_identity
from orama.node.backup import RootSecret, create, restore, verify
from orama.node.data_directory import DataDirectory
from orama.services.backup.age import make_identity, parse_recipient
from orama.services.backup.manifest import FORMAT, Header
from orama.services.backup.unfinished import RESTORE
from orama.services.backup.writing import create_backup
from support.sqlite import open_sqlite, run

IDENTITY, RECIPIENT = make_identity()


def config_of(directory: Path) -> Config:
    return load(environment={}, flags={"node.data_dir": str(directory)}).config


def rows_of(directory: Path, name: str, sql: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(directory / name))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.fixture
async def data(tmp_path):
    """A node's data directory: an operator's namespace, two tenants' databases."""
    directory = tmp_path / "data"
    async with operator_identity(config_of(directory)) as auth:
        await auth.namespaces.create(Namespace("shop"))
        await auth.api_keys.create(Namespace("shop"))
    async with open_sqlite(directory) as database:
        for name in ("shop", "Bank"):
            await run(database, "CREATE TABLE t(x)", namespace=Namespace(name))
            await run(database, "INSERT INTO t VALUES (?)", name, namespace=Namespace(name))
    return directory


@pytest.fixture
def backup(tmp_path, data):
    file = tmp_path / "backup.age"
    create(config_of(data), [RECIPIENT], file, None)
    return file


async def test_restored_directory_has_everything_but_the_nodes_own_name(tmp_path, data, backup):
    DataDirectory(data).node_id()
    new = tmp_path / "new"
    restored = restore(config_of(new), backup, IDENTITY)
    assert sorted(str(one.relative_to(new)) for one in new.rglob("*")) == [
        *("cluster.key", "namespaces", "namespaces/shop.db", "namespaces/~bank.db", "node.lock", "system.db")
    ]
    assert (new / "cluster.key").read_bytes() == (data / "cluster.key").read_bytes()
    for name in ("system.db", "namespaces/shop.db", "namespaces/~bank.db"):
        for (table,) in rows_of(data, name, "SELECT name FROM sqlite_schema WHERE type = 'table'"):
            assert rows_of(new, name, f"SELECT * FROM {table}") == rows_of(data, name, f"SELECT * FROM {table}")
    assert {stat.S_IMODE(one.stat().st_mode) for one in new.rglob("*") if one.is_file()} == {0o600}
    assert {stat.S_IMODE(one.stat().st_mode) for one in (new, new / "namespaces")} == {0o700}
    assert restored.rows == verify(backup, IDENTITY, None).rows > 2
    async with operator_identity(config_of(new)) as auth:
        assert len(await auth.api_keys.list(Namespace("shop"))) == 1


def test_verifying_leaves_nothing_behind(tmp_path, backup):
    before = sorted(tmp_path.rglob("*"))
    assert [part.name for part in verify(backup, IDENTITY, None).parts] == [
        *("namespaces/shop.db", "namespaces/~bank.db", "system.db", "cluster.key")
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_copies_in_clear_lie_where_one_wants(tmp_path, data, backup):
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(InvalidArgument, match="elsewhere"):
        verify(backup, IDENTITY, elsewhere)
    with pytest.raises(InvalidArgument, match="elsewhere"):
        create(config_of(data), [RECIPIENT], tmp_path / "other.age", elsewhere)
    elsewhere.mkdir()
    verify(backup, IDENTITY, elsewhere)
    create(config_of(data), [RECIPIENT], tmp_path / "other.age", elsewhere)
    assert list(elsewhere.iterdir()) == []


def test_directory_without_a_nodes_data_is_told_and_not_made(tmp_path):
    with pytest.raises(NotFound, match="--data-dir"):
        create(config_of(tmp_path / "none"), [RECIPIENT], tmp_path / "backup.age", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("recipients", [[], ["age1nonsense"]])
def test_nothing_is_written_without_a_public_key(tmp_path, data, recipients):
    with pytest.raises(InvalidArgument):
        create(config_of(data), recipients, tmp_path / "backup.age", None)
    assert sorted(tmp_path.iterdir()) == [data]


@pytest.mark.parametrize("there", ["cluster.key", "system.db", "namespaces", "node.id", "notes.txt", ".hidden"])
def test_directory_in_which_there_is_anything_is_refused_and_stays_as_it_is(tmp_path, backup, there):
    new = tmp_path / "new"
    new.mkdir()
    (new / there).mkdir() if there == "namespaces" else (new / there).write_text("precious")
    with pytest.raises(Conflict, match="is not empty") as failure:
        restore(config_of(new), backup, IDENTITY)
    assert failure.value.reason == "not_empty"
    assert there in failure.value.text
    assert [one.name for one in new.iterdir()] == [there]


def test_what_lies_in_an_empty_directory_is_no_data(tmp_path, backup):
    new = tmp_path / "new"
    (new / "lost+found").mkdir(parents=True)
    with DataDirectory(new).lock():
        pass
    restore(config_of(new), backup, IDENTITY)
    assert (new / "cluster.key").exists()


def test_directory_in_use_is_refused(tmp_path, backup):
    new = tmp_path / "new"
    with DataDirectory(new).lock(), pytest.raises(Conflict, match="already running"):
        restore(config_of(new), backup, IDENTITY)
    assert [one.name for one in new.iterdir()] == ["node.lock"]


@pytest.mark.parametrize("way", ["another key", "cut", "altered", "missing"])
def test_directory_stays_empty_when_the_backup_is_refused(tmp_path, backup, way):
    content = backup.read_bytes()
    identity = IDENTITY
    match way:
        case "another key":
            identity, _ = make_identity()
        case "cut":
            backup.write_bytes(content[:-1])
        case "altered":
            backup.write_bytes(content[:-100] + bytes([content[-100] ^ 1]) + content[-99:])
        case _:
            backup.unlink()
    new = tmp_path / "new"
    with pytest.raises((Unprocessable, InvalidArgument)):
        restore(config_of(new), backup, identity)
    assert {one.name for one in new.iterdir()} <= {"node.lock"}


def test_node_does_not_start_anew_where_a_restore_was_not_finished(tmp_path, backup):
    new = DataDirectory(tmp_path / "new")
    (new.path / f"{RESTORE}killed").mkdir()
    new.remove_leftovers()
    with pytest.raises(Conflict, match="was not finished") as failure:
        new.root_secret()
    assert failure.value.reason == "restore_unfinished"
    assert not (new.path / "cluster.key").exists()
    restore(config_of(new.path), backup, IDENTITY)
    assert len(new.root_secret()) == 32
    assert not list(new.path.glob(f"{RESTORE}*"))


@pytest.mark.parametrize("moved", [["namespaces"], ["namespaces", "system.db"]])
def test_half_moved_restore_is_refused_by_nodes_and_by_another_restore(tmp_path, backup, moved):
    new = DataDirectory(tmp_path / "new")
    restore(config_of(new.path), backup, IDENTITY)
    killed = new.path / f"{RESTORE}killed"
    killed.mkdir()
    for entry in [one for one in new.path.iterdir() if one.name not in {*moved, killed.name}]:
        entry.rename(killed / entry.name)
    with pytest.raises(Conflict, match="was not finished"):
        new.root_secret()
    with pytest.raises(Conflict, match="was not finished"):
        restore(config_of(new.path), backup, IDENTITY)
    shutil.rmtree(killed)
    with pytest.raises(InvalidArgument, match="is missing"):
        new.root_secret()


@pytest.mark.parametrize("missing", ["cluster.key", "system.db"])
def test_backup_without_what_every_node_has_is_refused(tmp_path, data, missing):
    databases = SqliteSnapshots(SqliteSettings(data_directory=data))
    databases.names = lambda: ["namespaces/shop.db", *({"system.db"} - {missing})]
    sections = (databases, RootSecret(data)) if missing == "system.db" else (databases,)
    file = tmp_path / "forged.age"
    create_backup(sections, Header(FORMAT, "", 0), [parse_recipient(RECIPIENT)], output=file, scratch=tmp_path)
    with pytest.raises(Unprocessable, match=f"{missing} is not in it"):
        verify(file, IDENTITY, None)
    with pytest.raises(Unprocessable, match=f"{missing} is not in it"):
        restore(config_of(tmp_path / "new"), file, IDENTITY)
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["node.lock"]


def test_what_a_finished_restore_could_not_take_away_goes_at_the_next_start(tmp_path, backup):
    new = DataDirectory(tmp_path / "new")
    restore(config_of(new.path), backup, IDENTITY)
    (new.path / f"{RESTORE}killed").mkdir()
    new.remove_leftovers()
    assert not list(new.path.glob(f"{RESTORE}*"))


def test_damaged_database_does_not_keep_the_others_from_the_backup(tmp_path, data):
    file = data / "namespaces" / "shop.db"
    content = bytearray(file.read_bytes())
    content[5000:] = b"\xff" * len(content[5000:])
    file.write_bytes(content)
    made = create(config_of(data), [RECIPIENT], tmp_path / "backup.age", None).backup
    assert list(made.damaged) == ["namespaces/shop.db"]
    checked = verify(tmp_path / "backup.age", IDENTITY, None)
    assert checked == made
    assert restore(config_of(tmp_path / "new"), tmp_path / "backup.age", IDENTITY) == made
    assert rows_of(tmp_path / "new", "namespaces/~bank.db", "SELECT x FROM t") == [("Bank",)]


@contextmanager
def small_disk(place: Path, size: str):
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs rights that this user has not")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("full", ["output", "scratch"])
def test_full_disk_is_told_and_leaves_nothing(tmp_path, data, full):
    with small_disk(tmp_path / "small", "64k") as small:
        output, scratch = (small, tmp_path) if full == "output" else (tmp_path, small)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(StorageFull):
            create(config_of(data), [RECIPIENT], output / "backup.age", scratch)
        assert [one for one in sorted(tmp_path.rglob("*")) if "-wal" not in one.name and "-shm" not in one.name] == [
            one for one in before if "-wal" not in one.name and "-shm" not in one.name
        ]


def test_restore_onto_a_full_disk_leaves_it_empty(tmp_path, backup):
    with small_disk(tmp_path / "small", "64k") as small:
        with pytest.raises(StorageFull):
            restore(config_of(small), backup, IDENTITY)
        assert [one.name for one in small.iterdir()] == ["node.lock"]


def test_restore_onto_a_file_system_of_its_own_works(tmp_path, backup):
    """A container's volume is a mount point, which no rename can replace."""
    with small_disk(tmp_path / "small", "4m") as small:
        restore(config_of(small), backup, IDENTITY)
        assert rows_of(small, "namespaces/shop.db", "SELECT x FROM t") == [("shop",)]


@pytest.fixture
def synchronised(monkeypatch):
    """What is synchronised with the disk, in order: the path, and which of the files asked about exist by then."""
    seen: list[tuple[str, bool]] = []
    watched: list[Path] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        fsync(descriptor)
        seen.append((os.readlink(f"/proc/self/fd/{descriptor}"), any(one.exists() for one in watched)))

    monkeypatch.setattr(os, "fsync", record)
    return seen, watched


def test_backup_is_on_the_disk_before_it_has_its_name_and_then_the_name(tmp_path, data, synchronised):
    seen, watched = synchronised
    watched.append(tmp_path / "backup.age")
    create(config_of(data), [RECIPIENT], tmp_path / "backup.age", None)
    (file, named_before), (directory, named_then) = seen
    assert (Path(file).name, named_before) == ("archive.age", False)
    assert (directory, named_then) == (str(tmp_path), True)


def test_everything_restored_is_on_the_disk_before_the_root_secret_and_then_that(tmp_path, backup, synchronised):
    seen, watched = synchronised
    new = tmp_path / "new"
    watched.append(new / "cluster.key")
    restore(config_of(new), backup, IDENTITY)
    places = [Path(path).name for path, _ in seen]
    assert places == [*("shop.db", "~bank.db", "system.db", "cluster.key"), "namespaces", "new", "new"]
    assert [there for _, there in seen] == [False] * 6 + [True]
