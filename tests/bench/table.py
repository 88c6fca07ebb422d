"""Rows as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from .row import Goal, Row, Sample

_HEAD: Final = (
    "row", "figure", "min–max", "target", "", "req/s", "floor req/s", "p50 ms", "p99 ms", "CPU µs/req", "floor CPU", "RSS MB",
)  # fmt: skip


class Run(msgspec.Struct, frozen=True):
    """All that a run has to say. `machine` is what the figures depend on, `notes` what they mean."""

    taken_at: str
    machine: dict[str, str]
    rows: list[Row]
    notes: str


def markdown(run: Run) -> str:
    """The run as a document, its table aligned for terminals."""
    machine = ", ".join(f"{name}: {value}" for name, value in run.machine.items())
    return f"# {run.taken_at}\n\n{machine}\n\n{_table(run.rows)}\n{run.notes}"


def store(run: Run, directory: Path) -> Path:
    """Write ``<time>.md`` and ``<time>.json`` into `directory`; the path of the first."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{run.taken_at.replace(':', '')}.md"
    path.write_text(markdown(run))
    verdicts = {row.name: row.verdict for row in run.rows}
    document = {**msgspec.to_builtins(run), "verdicts": verdicts}
    path.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(document)))
    return path


def _table(rows: Sequence[Row]) -> str:
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        f"{_number(row.figure)} {row.unit}",
        f"{_number(row.low)}–{_number(row.high)}",
        _goal(row.goal),
        row.verdict,
        *_load(row.sample, row.floor),
    )


def _goal(goal: Goal | None) -> str:
    return "–" if goal is None else f"{'≤' if goal.most else '≥'} {goal.limit:g}"


def _load(sample: Sample | None, floor: Sample | None) -> tuple[str, ...]:
    if sample is None:
        return ("–",) * 7
    return (
        f"{sample.per_second:,.0f}",
        "–" if floor is None else f"{floor.per_second:,.0f}",
        f"{sample.p50_ms:.2f}",
        f"{sample.p99_ms:.2f}",
        f"{sample.cpu_us:.1f}",
        "–" if floor is None else f"{floor.cpu_us:.1f}",
        f"{sample.rss_mb:.0f}",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
