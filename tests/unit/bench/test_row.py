"""Medians and verdicts."""

from __future__ import annotations

import pytest

from bench.row import Goal, Row, Sample, middle, ratio_row, row_of


def sample(per_second: float, p99_ms: float = 1.0) -> Sample:
    return Sample(per_second, 0.5, p99_ms, 20.0, 70.0)


@pytest.mark.parametrize(
    ("goal", "figure", "verdict"),
    [
        (Goal(1.2), 1.2, "PASS"),
        (Goal(1.2), 1.19, "FAIL"),
        (Goal(90, most=True), 90.0, "PASS"),
        (Goal(90, most=True), 90.1, "FAIL"),
        (None, 0.0, "info"),
    ],
)
def test_verdict(goal: Goal | None, figure: float, verdict: str):
    assert Row(name="one", figure=figure, low=figure, high=figure, unit="×", goal=goal).verdict == verdict


def test_a_figure_is_the_median_of_its_rounds_with_their_spread():
    row = row_of("one", [3.0, 1.0, 100.0], "ms")
    assert (row.low, row.figure, row.high) == (1.0, 3.0, 100.0)
    assert row.sample is None


def test_each_round_has_its_own_ratio_when_the_machine_slows_down():
    samples = [sample(200), sample(20), sample(150)]
    floors = [sample(100), sample(10), sample(100)]
    row = ratio_row("one", Goal(2.0), samples, floors)
    assert (row.low, row.figure, row.high) == (1.5, 2.0, 2.0)
    assert row.verdict == "PASS"
    assert row.sample == sample(150)
    assert row.floor == sample(100)


def test_middle_takes_the_median_of_each_measure_by_itself():
    assert middle([sample(10, 9.0), sample(20, 1.0), sample(30, 2.0)]) == sample(20, 2.0)
