"""Rules that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from orama import errors
from orama.errors import Code, OramaError

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_every_code_has_one_class_and_every_class_one_code():
    classes = OramaError.__subclasses__()
    direct = [kind for kind in classes if kind.__module__ == errors.__name__]
    assert {kind.code for kind in direct} == set(Code)
    assert len(direct) == len(Code)
    assert {label: kind.code.label for label, kind in errors.BY_LABEL.items()} == {
        code.label: code.label for code in Code
    }


def test_the_error_tree_in_the_docstring_is_the_tree():
    drawn = re.findall(r"[├└]── (\w+) +(\d+)", errors.__doc__)
    assert {name: int(status) for name, status in drawn} == {
        kind.__name__: kind.code.http_status
        for kind in OramaError.__subclasses__()
        if kind.__module__ == errors.__name__
    }


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT / "src")))
def test_module_says_what_it_is_for_and_reads_no_environment_and_no_clock(file):
    tree = ast.parse(file.read_text())
    assert ast.get_docstring(tree), "a module says in one sentence what it is for"
    text = file.read_text()
    if "config" not in file.parts:
        assert "os.environ" not in text, "the environment is read in config only"
        assert "os.getenv" not in text
    if file.name != "clock.py":
        assert not re.search(r"\btime\.(time|monotonic|sleep)\(", text), "time comes from the Clock port"


def test_nothing_committed_names_a_machine_or_a_registry():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    locks = [name for name in listed if name.startswith("requirements/")]
    assert locks
    for name in locks:
        assert "://" not in (ROOT / name).read_text(), f"{name} holds an address"


def test_no_file_of_the_package_is_long_without_a_reason():
    allowed = {"http1.py": "one connection's whole state machine, which is read in one piece"}
    long = {file.name for file in SOURCES if "testing" not in file.parts and len(file.read_text().splitlines()) > 300}
    assert long <= set(allowed)
