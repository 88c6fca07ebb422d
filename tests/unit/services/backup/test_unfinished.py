"""Places for unfinished work: private, swept when nobody works there any more, and only then."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading

import pytest

from orama.services.backup.unfinished import BACKUP, RESTORE, leftovers, remove_unfinished, unfinished, write_private

WORKER = """
import sys, time
from pathlib import Path
from orama.services.backup.unfinished import BACKUP, unfinished
with unfinished(Path(sys.argv[1]), BACKUP) as place:
    (place / "deep").mkdir()
    (place / "deep" / "secret").write_text("plain")
    print(place, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def worker(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WORKER, tmp_path], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_place_is_private_and_gone_afterwards_with_all_that_is_in_it(tmp_path):
    with unfinished(tmp_path, BACKUP) as place:
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        (place / "deep").mkdir()
        write_private(place / "deep" / "file", [b"plain"])
        assert stat.S_IMODE((place / "deep" / "file").stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


def test_place_is_gone_after_a_failure(tmp_path):
    def fail():
        with unfinished(tmp_path, BACKUP) as place:
            (place / "file").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_place_of_a_living_process_stays_and_that_of_a_killed_one_goes(tmp_path, worker):
    (living,) = leftovers(tmp_path, BACKUP)
    with unfinished(tmp_path, BACKUP) as own:
        assert sorted(tmp_path.iterdir()) == sorted([living, own])
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert (living / "deep" / "secret").read_text() == "plain"
    with unfinished(tmp_path, BACKUP) as own:
        assert list(tmp_path.iterdir()) == [own]


def test_kinds_are_swept_apart(tmp_path):
    for prefix in (BACKUP, RESTORE):
        (tmp_path / f"{prefix}left").mkdir()
    remove_unfinished(tmp_path, BACKUP)
    assert [one.name for one in tmp_path.iterdir()] == [f"{RESTORE}left"]


def test_links_and_files_of_that_name_are_let_alone(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (tmp_path / f"{BACKUP}link").symlink_to(precious)
    (tmp_path / f"{BACKUP}file").touch()
    remove_unfinished(tmp_path, BACKUP)
    assert sorted(one.name for one in tmp_path.iterdir()) == [f"{BACKUP}file", f"{BACKUP}link", "precious"]
    assert (precious / "file").exists()


def test_places_made_and_swept_at_once_do_not_hurt_each_other(tmp_path):
    failures = []

    def work():
        try:
            for number in range(100):
                with unfinished(tmp_path, BACKUP) as place:
                    (place / "file").write_text(str(number))
                    assert (place / "file").read_text() == str(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(tmp_path.iterdir()) == []


def test_private_file_is_never_an_existing_one(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "file", [b"new"])
    assert (tmp_path / "file").read_text() == "precious"
