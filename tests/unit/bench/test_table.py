"""The table, on paper and for programs."""

from __future__ import annotations

import json
from pathlib import Path

from bench.row import Goal, Row, Sample
from bench.table import Run, markdown, store

SAMPLE = Sample(per_second=65_432.1, p50_ms=0.456, p99_ms=2.0, cpu_us=14.72, rss_mb=71.4)
FLOOR = Sample(per_second=40_000.0, p50_ms=0.8, p99_ms=3.0, cpu_us=24.0, rss_mb=40.0)
RUN = Run(
    taken_at="2026-11-24T00:05:59Z",
    machine={"python": "3.11", "cores": "2"},
    rows=[
        Row(name="GET /health", figure=1.64, low=1.5, high=1.7, unit="×", goal=Goal(1.2), sample=SAMPLE, floor=FLOOR),
        Row(name="idle", figure=95.0, low=95.0, high=95.0, unit="MB", goal=Goal(90, most=True)),
        Row(name="loop", figure=5900.0, low=5000.0, high=6000.0, unit="/s"),
    ],
    notes="\n- What it means.\n",
)


def lines() -> list[list[str]]:
    rows = [line for line in markdown(RUN).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]


def test_a_ratio_stands_beside_its_floor():
    assert lines()[2] == [
        "GET /health", "1.64 ×", "1.50–1.70", "≥ 1.2", "PASS", "65,432", "40,000", "0.46", "2.00", "14.7", "24.0", "71",
    ]  # fmt: skip


def test_a_missed_target_and_a_mere_figure():
    assert lines()[3][:5] == ["idle", "95.00 MB", "95.00–95.00", "≤ 90", "FAIL"]
    assert lines()[4][:5] == ["loop", "5,900 /s", "5,000–6,000", "–", "info"]


def test_all_lines_are_equally_long():
    assert len({len(line) for line in markdown(RUN).splitlines() if line.startswith("|")}) == 1


def test_a_run_is_stored_for_people_and_programs(tmp_path: Path):
    path = store(RUN, tmp_path / "results")
    assert path.name == "2026-11-24T000559Z.md"
    assert "What it means." in path.read_text()
    document = json.loads(path.with_suffix(".json").read_bytes())
    assert document["rows"][0]["figure"] == 1.64
    assert document["verdicts"] == {"GET /health": "PASS", "idle": "FAIL", "loop": "info"}
