"""Encryption: to whom one wants, readable by age's own tool, and nothing secret in what is told."""

from __future__ import annotations

import io
import shutil
import subprocess

import pyrage
import pytest

from orama.errors import InvalidArgument, Unprocessable
from orama.services.backup.age import decrypting, encrypt, make_identity, parse_identities, parse_recipient

AGE = shutil.which("age")
needs_age = pytest.mark.skipif(AGE is None, reason="age is not installed: apt-get install age")


def encrypted(plain: bytes, *recipients: str) -> bytes:
    target = io.BytesIO()
    encrypt([plain], target, [parse_recipient(one) for one in recipients])
    return target.getvalue()


def decrypted(content: bytes, identity: str) -> bytes:
    with decrypting(io.BytesIO(content), parse_identities(identity)) as source:
        return source.read()


@needs_age
def test_the_tool_age_reads_what_we_write(tmp_path):
    text, recipient = make_identity()
    (tmp_path / "identity").write_text(text)
    plain = bytes(range(256)) * 1000
    done = subprocess.run(
        [AGE, "-d", "-i", tmp_path / "identity"], input=encrypted(plain, recipient), capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, plain), done.stderr


@needs_age
def test_keys_of_age_keygen_work_as_ours_do(tmp_path):
    file = tmp_path / "identity"
    subprocess.run(["age-keygen", "-o", file], capture_output=True, check=True)
    recipient = subprocess.run(["age-keygen", "-y", file], capture_output=True, text=True, check=True).stdout.strip()
    assert decrypted(encrypted(b"hello", recipient), file.read_text()) == b"hello"


def test_each_of_several_recipients_can_read():
    (one, to_one), (two, to_two) = make_identity(), make_identity()
    content = encrypted(b"hello", to_one, to_two)
    assert decrypted(content, one) == decrypted(content, two) == b"hello"


def test_without_a_recipient_nothing_is_written():
    target = io.BytesIO()
    with pytest.raises(InvalidArgument):
        encrypt([b"hello"], target, [])
    assert target.getvalue() == b""


@pytest.mark.parametrize("text", ["", "age1", "age1" + "q" * 58, "AGE-SECRET-KEY-1X", "ssh-ed25519 AAAA", "é"])
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(InvalidArgument, match="no public key of age"):
        parse_recipient(text)


def test_identity_files_may_have_comments_and_blank_lines():
    (one, to_one), (two, _) = make_identity(), make_identity()
    assert decrypted(encrypted(b"hello", to_one), f"# mine\r\n\n  {two}\r\n{one}") == b"hello"


@pytest.mark.parametrize(
    "text", ["", "# only a comment\n", "AGE-SECRET-KEY-1SECRETSECRET", "-----BEGIN OPENSSH PRIVATE KEY-----"]
)
def test_what_is_no_private_key_is_refused_without_being_told(text):
    with pytest.raises(InvalidArgument, match="private key of age") as failure:
        parse_identities(text)
    assert "SECRETSECRET" not in str(failure.value)


def test_reader_that_leaves_early_does_not_wait_for_the_rest():
    text, recipient = make_identity()
    with decrypting(io.BytesIO(encrypted(bytes(5_000_000), recipient)), parse_identities(text)) as source:
        assert source.read(10) == bytes(10)


def test_failing_disk_is_no_damaged_backup():
    text, recipient = make_identity()
    content = encrypted(bytes(500_000), recipient)

    class FailingDisk(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 200_000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with (
        pytest.raises(OSError, match="Input/output error"),
        decrypting(FailingDisk(content), parse_identities(text)) as source,
    ):
        source.read()


def test_chunks_may_be_of_any_size():
    text, recipient = make_identity()
    target = io.BytesIO()
    encrypt([b"", b"a", b"", bytes(300_000), b"z"], target, [parse_recipient(recipient)])
    assert pyrage.decrypt(target.getvalue(), parse_identities(text)) == b"a" + bytes(300_000) + b"z"


def test_wrong_key_is_told_as_such_and_not_as_an_empty_file():
    _, recipient = make_identity()
    other, _ = make_identity()
    with pytest.raises(Unprocessable, match="made for another"):
        decrypted(encrypted(b"hello", recipient), other)
