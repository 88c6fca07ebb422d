"""What the documentation tells a user to type works, word by word; what it links to exists."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.node import ORAMA, node_process

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
DEFAULT_URL = "http://127.0.0.1:6001"


def snippets(page: Path) -> str:
    """The page's shell snippets in order, less the `make` commands that tests themselves run under."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return "".join(block for block in blocks if not block.startswith("make "))


def promised(page: Path) -> list[str]:
    """What the page says that its snippets print."""
    return re.findall(r"^```output\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)], ids=lambda page: page.stem)
def test_snippets_of_the_page_work_when_pasted(page, tmp_path):
    with node_process(tmp_path / "home" / ".orama" / "data") as node:
        script = snippets(page).replace(DEFAULT_URL, node.url).replace("$PWD/.venv/bin", str(ORAMA.parent))
        environment = {**os.environ, "HOME": str(tmp_path / "home"), "PATH": f"{ORAMA.parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{node.log()}"
        assert "Traceback" not in done.stderr
        for output in promised(page):
            assert output in done.stdout, f"{output} is not in:\n{done.stdout}"
        if page.name == "README.md":
            check_first_page(done.stdout)


def check_first_page(printed: str) -> None:
    for expected in (
        '"method":"api_key"',
        '"namespace":"notes"',
        '"last_insert_id":1',
        '"text":"buy milk","done":false',
        '"results":[{"rows_affected":1,"last_insert_id":0},[{"id":1,"done":true}]]',
        '"value":{"cart": [1, 2]}',
        '"value":1',
        'orama_http_requests_total{method="POST",operation="database.exec",status="200"} 1.0',
        "no such table: notess",
    ):
        assert expected in printed, f"{expected} is not in:\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_the_page_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_begins_with_the_two_commands_that_matter():
    commands = re.findall(r"^make \w+", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands[:2] == ["make run", "make test"]
