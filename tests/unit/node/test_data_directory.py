from __future__ import annotations

import stat
import sys
import threading

import pytest

from orama.errors import Conflict, InvalidArgument
from orama.node.data_directory import DataDirectory


def test_secret_and_name_are_made_once(tmp_path):
    first, second = DataDirectory(tmp_path / "data"), DataDirectory(tmp_path / "data")
    assert len(first.root_secret()) == 32
    assert first.root_secret() == second.root_secret()
    assert first.node_id() == second.node_id()
    assert DataDirectory(tmp_path / "other").root_secret() != first.root_secret()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert [file.name for file in (tmp_path / "data").iterdir() if file.suffix not in (".key", ".id")] == []


def test_processes_that_start_together_agree_on_one_secret(tmp_path):
    barrier = threading.Barrier(8)
    secrets: list[bytes] = []

    def start() -> None:
        data = DataDirectory(tmp_path)
        barrier.wait()
        secrets.append(data.root_secret())

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(secrets)) == 1
    assert len(secrets) == 8


def test_process_that_starts_last_does_not_take_the_first_ones_data_for_a_loss(tmp_path):
    """Had it looked for the key before and for data after the other made both, it would refuse to start."""
    refused = []

    def start(directory, barrier) -> None:
        data = DataDirectory(directory)
        barrier.wait()
        try:
            data.root_secret()
            (directory / "system.db").touch()
        except InvalidArgument as error:
            refused.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(300):
            barrier = threading.Barrier(4)
            threads = [threading.Thread(target=start, args=(tmp_path / str(number), barrier)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(before)
    assert refused == []


def test_lock_is_for_one_and_free_again_when_closed(tmp_path):
    data = DataDirectory(tmp_path)
    with data.lock(), pytest.raises(Conflict, match="pid [0-9]+ is already running"):
        data.lock()
    with data.lock():
        pass


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
def test_secret_that_others_may_touch_is_refused(tmp_path, bit):
    data = DataDirectory(tmp_path)
    data.root_secret()
    (tmp_path / "cluster.key").chmod(0o600 | bit)
    with pytest.raises(InvalidArgument, match="chmod 600"):
        data.root_secret()


def test_missing_secret_beside_data_is_refused(tmp_path):
    data = DataDirectory(tmp_path)
    data.root_secret()
    (tmp_path / "system.db").touch()
    (tmp_path / "cluster.key").unlink()
    with pytest.raises(InvalidArgument, match="restore"):
        data.root_secret()


def test_path_that_cannot_be_a_directory_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgument, match="--data-dir"):
        DataDirectory(tmp_path / "file")
