"""The programs that a distributed node works with: which, in which versions, where they are, and how to build them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from orama.errors import InvalidArgument, OramaError, Unavailable

_VERSION: Final = re.compile(r"\bv?([0-9]+)\.([0-9]+)\.([0-9]+)")
_ASK_TIMEOUT_S: Final = 20
_BUILD_TIMEOUT_S: Final = 3600
_SHOWN_OUTPUT: Final = 2000


class Recipe(msgspec.Struct, frozen=True):
    """How `go install` builds a program.

    `go`: the least version of Go. `replacing`: modules that are taken in other versions than the program names.
    """

    module: str
    package: str
    go: str
    replacing: tuple[str, ...] = ()


class Program(msgspec.Struct, frozen=True):
    """A program as an operator knows it.

    `wanted`: the version that Orama is tested with. `least`: the oldest that will do. `page`: where to get it.
    """

    name: str
    executable: str
    wanted: str
    least: str
    version_arguments: tuple[str, ...]
    page: str
    recipe: Recipe | None = None


class Found(msgspec.Struct, frozen=True):
    """A program on this machine. `version` is None if it did not say."""

    path: Path
    version: str | None


PROGRAMS: Final = {
    program.name: program
    for program in (
        Program(
            name="kubo",
            executable="ipfs",
            wanted="0.43.1",
            least="0.43.1",
            version_arguments=("version", "--number"),
            page="https://dist.ipfs.tech/#kubo",
            recipe=Recipe(
                "github.com/ipfs/kubo",
                "github.com/ipfs/kubo/cmd/ipfs",
                "1.26.5",
                # Kubo's own builds take a fork of go-libp2p; the released one does not compile with what that needs.
                ("github.com/quic-go/quic-go v0.60.0", "github.com/quic-go/webtransport-go v0.11.1"),
            ),
        ),
        Program(
            name="olric",
            executable="olric-server",
            wanted="0.7.0",
            least="0.7.0",
            version_arguments=("--version",),
            page="https://github.com/olric-data/olric/releases",
            recipe=Recipe("github.com/olric-data/olric", "github.com/olric-data/olric/cmd/olric-server", "1.23.0"),
        ),
        Program(
            name="rqlite",
            executable="rqlited",
            wanted="10.0.0",
            least="8.43.0",
            version_arguments=("-version",),
            page="https://github.com/rqlite/rqlite/releases",
        ),
        Program(
            name="ipfs-cluster",
            executable="ipfs-cluster-service",
            wanted="1.1.4",
            least="1.0.0",
            version_arguments=("--version",),
            page="https://dist.ipfs.tech/#ipfs-cluster-service",
        ),
    )
}
BUILT: Final = tuple(name for name, program in PROGRAMS.items() if program.recipe is not None)
"""What `install` can build; the others are the operator's to bring."""


def named(names: Sequence[str], default: Sequence[str]) -> list[Program]:
    """The programs called `names`; those of `default`, if there are none.

    Raises:
        InvalidArgument: there is no such program.
    """
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown:
        raise InvalidArgument(f"unknown backend {unknown[0]!r}: use {', '.join(PROGRAMS)}")
    return [PROGRAMS[name] for name in names or default]


def find(program: Program, bin_directory: Path) -> Found | None:
    """The program on PATH, else in `bin_directory`. Asks it for its version."""
    path = shutil.which(program.executable) or shutil.which(program.executable, path=str(bin_directory))
    return None if path is None else _ask(program, Path(path))


def _ask(program: Program, path: Path) -> Found:
    try:
        said = subprocess.run(  # noqa: S603  a program from our table
            [path, *program.version_arguments], capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return Found(path, None)
    version = _VERSION.search(said.stdout + said.stderr)
    return Found(path, ".".join(version.groups()) if version else None)


def is_recent(program: Program, found: Found) -> bool:
    """Whether the version found will do."""
    return found.version is not None and _numbers(found.version) >= _numbers(program.least)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def build(program: Program, bin_directory: Path) -> Found:
    """Build the wanted version from source with `go install`, into `bin_directory`. Takes minutes.

    Go checks what it downloads against its sum database. An older build is replaced only by a new one that runs.

    Raises:
        InvalidArgument: it is none of those that can be built.
        Unavailable: there is no Go, or it failed; the text says how.
    """
    recipe = program.recipe
    if recipe is None:
        raise InvalidArgument(f"{program.name} has to be installed by you: {program.page}")
    go = shutil.which("go")
    if go is None:
        raise Unavailable("building needs Go on PATH: https://go.dev/dl/", reason="go_missing")
    bin_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bin_directory, prefix=".build-") as directory:
        place = Path(directory)
        (place / "go.mod").write_text(_go_mod(recipe, program.wanted), "utf-8")
        # A module of its own, so that `replace` counts; -mod=mod lets Go write down the sums that it has checked.
        command = ["env", f"GOBIN={place}", "GOFLAGS=-mod=mod -buildvcs=false"]
        try:
            done = subprocess.run(  # noqa: S603  all of it is from our table
                [*command, go, "install", recipe.package],
                cwd=place, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as cause:
            raise _failed(program, f"it took longer than {_BUILD_TIMEOUT_S // 60} minutes") from cause
        if done.returncode != 0:
            raise _failed(program, done.stderr.strip()[-_SHOWN_OUTPUT:])
        built = _ask(program, place / program.executable)
        if built.version != program.wanted:
            raise _failed(program, f"what was built says that it is {built.version or 'nothing'}")
        target = bin_directory / program.executable
        built.path.replace(target)
    return Found(target, built.version)


def _go_mod(recipe: Recipe, version: str) -> str:
    lines = ["module orama.invalid/backends", "", f"go {recipe.go}", "", f"require {recipe.module} v{version}", ""]
    lines += [f"replace {entry.split()[0]} => {entry}" for entry in recipe.replacing]
    return "\n".join([*lines, ""])


def _failed(program: Program, why: str) -> OramaError:
    return Unavailable(f"{program.name} {program.wanted} could not be built: {why}", reason="build_failed")
