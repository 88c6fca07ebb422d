"""An archive comes back as it went in, or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import random
import stat
import subprocess
import tarfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orama.contracts.backup import Content
from orama.errors import Conflict, OramaError, TooLarge, Unprocessable
from orama.services.backup import manifest as manifests
from orama.services.backup import tar
from orama.services.backup.age import encrypt, make_identity, parse_identities, parse_recipient
from orama.services.backup.manifest import FORMAT, Backup, Header, Manifest, Part, encode
from orama.services.backup.reading import read_backup
from orama.services.backup.writing import create_backup
from support.files_section import FilesSection

HEADER = Header(FORMAT, "1.2.3", 1_800_000_000_000)
TEXT, PUBLIC = make_identity()
IDENTITY, RECIPIENT = parse_identities(TEXT), parse_recipient(PUBLIC)


@pytest.fixture
def section(tmp_path):
    return FilesSection(tmp_path / "source")


@pytest.fixture
def make(tmp_path, section):
    """Makes a backup of the section; its bytes."""
    numbers = iter(range(1000))

    def make_one(*sections, header=HEADER) -> bytes:
        output = tmp_path / f"backup{next(numbers)}.age"
        made = create_backup(sections or (section,), header, [RECIPIENT], output=output, scratch=tmp_path)
        content = output.read_bytes()
        assert (made.bytes, made.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert stat.S_IMODE(output.stat().st_mode) == 0o600
        return content

    return make_one


@pytest.fixture
def read(tmp_path, section):
    """Reads a backup; what it says, and the files that it held."""
    numbers = iter(range(100_000))

    def read_one(content: bytes, *sections, identity=IDENTITY) -> tuple[Backup, dict[str, bytes]]:
        place = tmp_path / f"place{next(numbers)}"
        place.mkdir()
        backup = read_backup(io.BytesIO(content), identity, sections or (section,), place, keep=True)
        files = {str(file.relative_to(place)): file for file in place.rglob("*") if file.is_file()}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} <= {0o600}
        return backup, {name: file.read_bytes() for name, file in files.items()}

    return read_one


def archive(*members: tuple[str, bytes], end: bytes = tar.END) -> bytes:
    """An encrypted archive of these members, as somebody who knows the public key can make one."""
    plain = b"".join(
        tar.head(name, len(content), modified_at=0) + content + tar.padding(len(content)) for name, content in members
    )
    target = io.BytesIO()
    encrypt([plain + end], target, [RECIPIENT])
    return target.getvalue()


def part(name: str, content: bytes) -> Part:
    return Part(name, len(content), hashlib.sha256(content).hexdigest(), Content({"bytes": len(content)}))


GOOD = (("backup.json", encode(HEADER)), ("blobs/a", b"hello"))
MANIFEST = ("manifest.json", encode(Manifest([part("blobs/a", b"hello")])))

PATTERN = random.Random(1).randbytes(200_000)
LARGE = archive(GOOD[0], ("blobs/a", PATTERN), ("manifest.json", encode(Manifest([part("blobs/a", PATTERN)]))))


def test_everything_comes_back(section, make, read):
    contents = {
        f"blobs/{size}": random.Random(size).randbytes(size) for size in (0, 1, 511, 512, 513, 65_536, 1_000_001)
    }
    for name, content in contents.items():
        section.add(name.removeprefix("blobs/"), content)
    backup, files = read(make())
    assert files == contents
    assert backup.header == HEADER
    assert backup.parts == [part(name, contents[name]) for name in sorted(contents)]
    assert backup.rows == sum(map(len, contents.values()))
    assert backup.damaged == {}


def test_nothing_is_a_backup_too(make, read):
    assert read(make()) == (Backup(HEADER, []), {})


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9~é ]{1,120}", fullmatch=True), st.binary(max_size=2000), max_size=6))
def test_any_files_come_back_whatever_they_are_called(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("any")
    section = FilesSection(root)
    for name, content in files.items():
        section.add(name, content)
    create_backup([section], HEADER, [RECIPIENT], output=root / "b", scratch=root)
    (root / "place").mkdir()
    with (root / "b").open("rb") as encrypted:
        backup = read_backup(encrypted, IDENTITY, [section], root / "place", keep=True)
    assert {one.name.removeprefix("blobs/") for one in backup.parts} == set(files)
    for name, content in files.items():
        assert (root / "place" / "blobs" / name).read_bytes() == content


def test_sections_stand_one_after_the_other(tmp_path, make, read):
    first, second = FilesSection(tmp_path / "one", "z"), FilesSection(tmp_path / "two", "a")
    first.add("1", b"1")
    second.add("2", b"2")
    backup, files = read(make(first, second), second, first)
    assert [one.name for one in backup.parts] == ["z/1", "a/2"]
    assert files == {"z/1": b"1", "a/2": b"2"}


def test_parts_are_taken_away_at_once_when_they_are_only_checked(tmp_path, section, make):
    for number in range(3):
        section.add(str(number), bytes(number))
    place = tmp_path / "place"
    place.mkdir()
    seen = []
    examine = section.examine

    def watched(name, file):
        seen.append(len([one for one in place.rglob("*") if one.is_file()]))
        return examine(name, file)

    section.examine = watched
    content = make()
    seen.clear()
    read_backup(io.BytesIO(content), IDENTITY, [section], place, keep=False)
    assert seen == [1, 1, 1]
    assert [one for one in place.rglob("*") if one.is_file()] == []


def test_what_was_damaged_before_is_kept_and_told(section, make, read):
    section.add("a", b"bad")
    section.add("b", b"good")
    backup, files = read(make())
    assert backup.damaged == {"blobs/a": "bad"}
    assert files == {"blobs/a": b"bad", "blobs/b": b"good"}


def test_every_flipped_bit_of_a_small_backup_is_noticed(section, make, read):
    section.add("a", b"hello")
    content = make()
    source = random.Random(20261125)
    header_end = content.index(b"\n---") + 60
    places = {*range(header_end), *source.sample(range(header_end, len(content)), 400)}
    for place in sorted(places):
        flipped = bytearray(content)
        flipped[place] ^= 1 << source.randrange(8)
        with pytest.raises(Unprocessable):
            read(bytes(flipped))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_a_backup_is_noticed(tmp_path_factory, data):
    """Flipped bytes, bytes cut out, put in or doubled, chunks exchanged: of a backup of several of age's chunks."""
    content = LARGE
    start = data.draw(st.integers(0, 200_000))
    length = data.draw(st.integers(1, 70_000))
    changed = data.draw(
        st.sampled_from(
            [
                content[:start] + bytes([content[start] ^ data.draw(st.integers(1, 255))]) + content[start + 1 :],
                content[:start],
                content[:start] + content[start + length :],
                content[:start] + content[start : start + length] * 2 + content[start + length :],
                content[:start] + data.draw(st.binary(min_size=1, max_size=40)) + content[start:],
                content + content[start:],
            ]
        )
    )
    if changed == content:
        return
    place = tmp_path_factory.mktemp("place")
    with pytest.raises(Unprocessable) as failure:
        read_backup(io.BytesIO(changed), IDENTITY, [FilesSection(place / "none")], place, keep=False)
    assert failure.value.reason in {"backup_damaged", "backup_not_opened"}


def test_cut_at_every_end_of_an_age_chunk_is_noticed(tmp_path, read):
    """Where a cut leaves whole chunks, their seals are right: only the mark of the last one is missing."""
    content = LARGE
    body = content.index(b"\n---") + 4 + 1 + 43 + 1 + 16
    for end in range(body, len(content), 65_536 + 16):
        with pytest.raises(Unprocessable):
            read(content[:end])


def test_another_key_does_not_open_it(make, read):
    stranger, _ = make_identity()
    with pytest.raises(Unprocessable, match="does not open with this private key") as failure:
        read(make(), identity=parse_identities(stranger))
    assert failure.value.reason == "backup_not_opened"
    both = [*parse_identities(stranger), *IDENTITY]
    assert read(make(), identity=both)[0].header == HEADER


@pytest.mark.parametrize("content", [b"", b"age-encryption.org/v1\n", b"SQLite format 3\0" * 100, os.urandom(100_000)])
def test_other_files_are_no_backups(read, content):
    with pytest.raises(Unprocessable):
        read(content)


def test_newer_format_is_refused_with_the_version_that_is_needed(read):
    newer = encode(Header(FORMAT + 1, "9.9.9", 0)).replace(b"{", b'{"what_nobody_knows_yet": [1],', 1)
    with pytest.raises(Conflict, match=r"9\.9\.9") as failure:
        read(archive(("backup.json", newer), ("things/of-the-future", b"?")))
    assert failure.value.reason == "backup_too_new"


FORGERIES = {
    "no manifest": archive(*GOOD),
    "nothing": archive(),
    "no header": archive(GOOD[1], MANIFEST),
    "a header that is none": archive(("backup.json", b"{}"), GOOD[1], MANIFEST),
    "a manifest that is none": archive(*GOOD, ("manifest.json", b"[]")),
    "a part too few": archive(GOOD[0], MANIFEST),
    "a part too many": archive(*GOOD, ("blobs/b", b""), MANIFEST),
    "a part twice": archive(*GOOD, GOOD[1], MANIFEST),
    "parts in another order": archive(
        GOOD[0], ("blobs/b", b""), GOOD[1], ("manifest.json", encode(Manifest([part("blobs/a", b"hello"), part("blobs/b", b"")])))
    ),
    "another content": archive(GOOD[0], ("blobs/a", b"hallo"), MANIFEST),
    "another count": archive(
        *GOOD, ("manifest.json", encode(Manifest([msgspec.structs.replace(part("blobs/a", b"hello"), content=Content())])))
    ),
    "something after the manifest": archive(*GOOD, MANIFEST, ("blobs/b", b"")),
    "something after the end": archive(*GOOD, MANIFEST, end=tar.END + bytes(512)),
    "a shorter end": archive(*GOOD, MANIFEST, end=bytes(512)),
    "no end": archive(*GOOD, MANIFEST, end=b""),
    "an unknown part": archive(*GOOD, ("secrets/a", b""), MANIFEST),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGERIES)
def test_archive_that_is_not_as_its_manifest_says_is_refused(read, kind):
    with pytest.raises(Unprocessable) as failure:
        read(FORGERIES[kind])
    assert failure.value.reason == "backup_damaged"


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "blobs/../../a", "blobs/", "blobs/..", "blobs", "", "blobs/a/b", "blobs\\a", "a" * 2000]
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(tmp_path, read, name):
    with pytest.raises(Unprocessable):
        read(archive(GOOD[0], (name, b"x"), MANIFEST))
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.XHDTYPE])
def test_members_that_are_no_files_are_refused(read, kind):
    member = tarfile.TarInfo("blobs/a")
    member.type, member.linkname = kind, "/etc/passwd"
    head = member.tobuf(tarfile.GNU_FORMAT)
    plain = tar.head("backup.json", len(GOOD[0][1]), modified_at=0) + GOOD[0][1] + tar.padding(len(GOOD[0][1])) + head
    target = io.BytesIO()
    encrypt([plain, tar.END], target, [RECIPIENT])
    with pytest.raises(Unprocessable):
        read(target.getvalue())


def test_list_that_no_reader_would_take_is_not_written(section, make, read, monkeypatch):
    for number in range(20):
        section.add(str(number), b"")
    content = make()
    monkeypatch.setattr(manifests, "MAX_JSON_BYTES", 1000)
    with pytest.raises(TooLarge, match="1000 bytes"):
        make()
    monkeypatch.setattr("orama.services.backup.reading.MAX_JSON_BYTES", 1000)
    with pytest.raises(Unprocessable, match="passes 1000 bytes"):
        read(content)


def test_existing_file_is_not_written_over(tmp_path, section):
    output = tmp_path / "backup.age"
    output.write_text("precious")
    with pytest.raises(Conflict, match="exists already"):
        create_backup([section], HEADER, [RECIPIENT], output=output, scratch=tmp_path)
    assert output.read_text() == "precious"


def test_file_that_appears_meanwhile_is_not_written_over(tmp_path, section):
    output = tmp_path / "backup.age"
    section.add("a", b"hello")
    export = section.export

    def late(name, scratch):
        output.write_text("precious")
        return export(name, scratch)

    section.export = late
    with pytest.raises(Conflict):
        create_backup([section], HEADER, [RECIPIENT], output=output, scratch=tmp_path)
    assert output.read_text() == "precious"


class Broken(Exception):
    pass


@pytest.mark.parametrize("error", [Broken(), KeyboardInterrupt(), SystemExit(143), OSError(28, "No space left")])
def test_failure_is_itself_and_leaves_nothing(tmp_path, section, error):
    for number in range(3):
        section.add(str(number), bytes(100_000))
    calls = iter(range(10))

    def failing(name, file):
        if next(calls) == 1:
            raise error
        return Content()

    section.examine = failing
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(type(error)) as failure:
        create_backup([section], HEADER, [RECIPIENT], output=tmp_path / "backup.age", scratch=tmp_path)
    assert failure.value is error
    assert sorted(tmp_path.rglob("*")) == before


def test_failure_in_reading_ends_the_decryption(section, make, read):
    section.add("a", bytes(3_000_000))
    content = make()

    def failing(name, file):
        raise KeyboardInterrupt

    section.examine = failing
    with pytest.raises(KeyboardInterrupt):
        read(content)


def test_copies_in_clear_are_one_at_a_time_and_gone_afterwards(tmp_path, section, make):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for number in range(3):
        section.add(str(number), bytes(10))
    seen = []

    def copying(name, target: Path):
        target.write_bytes(bytes(10))
        seen.append(len(list(scratch.rglob("copy"))))
        return target

    section.export = copying
    create_backup([section], HEADER, [RECIPIENT], output=tmp_path / "b", scratch=scratch)
    assert seen == [1, 1, 1]
    assert list(scratch.iterdir()) == []


def test_tar_itself_reads_what_is_inside(tmp_path, section, make):
    name = "n" * 200
    section.add(name, b"long")
    section.add("short", b"hello")
    plain = tmp_path / "plain.tar"
    from pyrage import decrypt

    plain.write_bytes(decrypt(make(), IDENTITY))
    listed = subprocess.run(["tar", "-tf", plain], capture_output=True, text=True, check=True).stdout.split()
    assert listed == ["backup.json", f"blobs/{name}", "blobs/short", "manifest.json"]
    with tarfile.open(plain) as opened:
        assert opened.extractfile("blobs/short").read() == b"hello"
        assert {member.mode for member in opened.getmembers()} == {0o600}


def test_every_refusal_has_a_text_and_a_reason(read):
    for content in FORGERIES.values():
        with pytest.raises(OramaError) as failure:
            read(content)
        assert failure.value.text.startswith("this is no whole backup: ")
