"""What the ORM's types promise, judged by the type checker that users have: basedpyright in its strict mode."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parents[2]
TYPED = Path(__file__).parent / "typed"
PAGE = TESTS.parent / "docs" / "how-to" / "orm.md"


def write_programs_of_the_page(directory):
    """The how-to's programs, as files."""
    programs = re.findall(r"cat > (\w+\.py) <<'PY'\n(.*?)^PY$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    directory.mkdir()
    for name, text in programs:
        (directory / name).write_text(text)
    return len(programs)


def judged(tmp_path):
    """The rules broken in each line of the files, by the type checker, which finds Orama where it is installed."""
    programs = write_programs_of_the_page(tmp_path / "page")
    assert programs == 4
    config = {
        "include": [str(TYPED), str(tmp_path / "page")],
        "extraPaths": [str(TESTS)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(tmp_path)],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(list(TYPED.glob("*.py"))) + programs
    found = defaultdict(set)
    for one in report["generalDiagnostics"]:
        place = Path(one["file"]).name, one["range"]["start"]["line"] + 1
        found[place].add(one.get("rule", one["message"]).removeprefix("report"))
    return dict(found)


def marked():
    """The rules that the files themselves say are broken in each line."""
    return {
        (file.name, number): set(mark[1].split(", "))
        for file in TYPED.glob("*.py")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (mark := re.search(r"# wrong: ([\w, ]+)$", line))
    }


def test_the_type_checker_refuses_each_marked_line_and_no_other(tmp_path):
    expected = marked()
    assert expected
    assert not any(file == "right.py" for file, _ in expected)
    assert judged(tmp_path) == expected
