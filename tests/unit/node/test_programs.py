"""Programs of others: found, asked for their version, built by Go; here a script stands for each."""

from __future__ import annotations

import stat

import pytest

from orama.errors import InvalidArgument, Unavailable
from orama.node.programs import BUILT, PROGRAMS, build, find, is_recent, named

KUBO = PROGRAMS["kubo"]
TELLS_ITS_VERSION = '#!/bin/sh\ntest "$*" = "version --number" && echo 0.43.1\n'


def script(place, name, text):
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text)
    (place / name).chmod(0o755)


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """A directory that is on PATH beside the system's own, which have none of the programs."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    (tmp_path / "path").mkdir()
    return tmp_path / "path"


def test_program_is_looked_for_on_path_and_then_in_its_own_directory(tmp_path, on_path):
    assert find(KUBO, tmp_path / "bin") is None
    script(tmp_path / "bin", "ipfs", TELLS_ITS_VERSION)
    assert find(KUBO, tmp_path / "bin").path == tmp_path / "bin" / "ipfs"
    script(on_path, "ipfs", TELLS_ITS_VERSION)
    assert find(KUBO, tmp_path / "bin").path == on_path / "ipfs"


@pytest.mark.parametrize(
    ("name", "said", "version", "recent"),
    [
        ("kubo", "0.43.1", "0.43.1", True),
        ("kubo", "0.43.0", "0.43.0", False),
        ("kubo", "0.100.0", "0.100.0", True),
        ("olric", "olric-server version 0.7.0 go1.26.8 linux/amd64", "0.7.0", True),
        ("rqlite", "rqlited v8.42.9 linux amd64 go1.23 (commit abc)", "8.42.9", False),
        ("rqlite", "rqlited v10.0.1 linux amd64", "10.0.1", True),
        ("ipfs-cluster", "ipfs-cluster-service version 1.1.4", "1.1.4", True),
        ("ipfs-cluster", "it works", None, False),
    ],
)
def test_version_is_read_from_what_the_program_says(tmp_path, on_path, name, said, version, recent):
    program = PROGRAMS[name]
    script(on_path, program.executable, f"#!/bin/sh\necho '{said}'\n")
    found = find(program, tmp_path)
    assert (found.version, is_recent(program, found)) == (version, recent)


def test_unknown_name_is_refused_and_none_means_all(tmp_path):
    assert [program.name for program in named((), BUILT)] == ["kubo", "olric"]
    assert named(("rqlite",), BUILT) == [PROGRAMS["rqlite"]]
    with pytest.raises(InvalidArgument, match="unknown backend 'redis': use kubo, olric, rqlite, ipfs-cluster"):
        named(("kubo", "redis"), BUILT)


def test_program_is_built_by_go_in_a_module_of_its_own(tmp_path, on_path):
    script(on_path, "go", f"""#!/bin/sh
{{ echo "$GOFLAGS"; echo "$@"; cat go.mod; }} > {tmp_path}/seen
printf '%s' '{TELLS_ITS_VERSION}' > "$GOBIN/ipfs" && chmod 755 "$GOBIN/ipfs"
""")  # fmt: skip
    found = build(KUBO, tmp_path / "home" / "bin")
    assert (found.path, found.version) == (tmp_path / "home" / "bin" / "ipfs", "0.43.1")
    assert find(KUBO, tmp_path / "home" / "bin") == found
    assert [one.name for one in (tmp_path / "home" / "bin").iterdir()] == ["ipfs"]
    assert stat.S_IMODE((tmp_path / "home" / "bin").stat().st_mode) == 0o700
    assert (tmp_path / "seen").read_text().splitlines() == [
        "-mod=mod -buildvcs=false",
        "install github.com/ipfs/kubo/cmd/ipfs",
        "module orama.invalid/backends",
        "",
        "go 1.26.5",
        "",
        "require github.com/ipfs/kubo v0.43.1",
        "",
        "replace github.com/quic-go/quic-go => github.com/quic-go/quic-go v0.60.0",
        "replace github.com/quic-go/webtransport-go => github.com/quic-go/webtransport-go v0.11.1",
    ]


@pytest.mark.parametrize(
    ("go", "why"),
    [
        ("#!/bin/sh\necho 'no such module' >&2; exit 1\n", "could not be built: no such module"),
        ("#!/bin/sh\ntrue\n", "says that it is nothing"),
        ("#!/bin/sh\nprintf '#!/bin/sh\\necho 0.1.0' > $GOBIN/ipfs; chmod 755 $GOBIN/ipfs\n", "says that it is 0.1.0"),
    ],
)
def test_failed_build_says_why_and_leaves_the_older_one(tmp_path, on_path, go, why):
    script(tmp_path / "bin", "ipfs", "old")
    script(on_path, "go", go)
    with pytest.raises(Unavailable, match=why):
        build(KUBO, tmp_path / "bin")
    assert [one.name for one in (tmp_path / "bin").iterdir()] == ["ipfs"]
    assert (tmp_path / "bin" / "ipfs").read_text() == "old"


def test_without_go_or_a_recipe_it_says_where_to_get_it(tmp_path, on_path, monkeypatch):
    monkeypatch.setenv("PATH", str(on_path))
    with pytest.raises(Unavailable, match=r"needs Go on PATH: https://go.dev/dl/"):
        build(KUBO, tmp_path / "bin")
    with pytest.raises(InvalidArgument, match=r"rqlite has to be installed by you: https://"):
        build(PROGRAMS["rqlite"], tmp_path / "bin")
