"""A row of the table: a figure, what was asked of it, and whether it holds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec

Verdict = Literal["PASS", "FAIL", "info"]


class Goal(msgspec.Struct, frozen=True):
    """The target of a figure: at least `limit`, or with `most` at most."""

    limit: float
    most: bool = False

    def met_by(self, figure: float) -> bool:
        """Whether `figure` holds."""
        return figure <= self.limit if self.most else figure >= self.limit


class Sample(msgspec.Struct, frozen=True):
    """What one load cost and gave. `cpu_us` is the server's processor time per request, all threads."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    rss_mb: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: the median over the rounds, with the lowest and the highest of them."""

    name: str
    figure: float
    low: float
    high: float
    unit: str
    goal: Goal | None = None
    sample: Sample | None = None
    floor: Sample | None = None

    @property
    def verdict(self) -> Verdict:
        """``info`` where nothing is asked."""
        if self.goal is None:
            return "info"
        return "PASS" if self.goal.met_by(self.figure) else "FAIL"


def row_of(
    name: str,
    figures: Sequence[float],
    unit: str,
    goal: Goal | None = None,
    *,
    samples: Sequence[Sample] = (),
    floors: Sequence[Sample] = (),
) -> Row:
    """The row of a figure that was taken in several rounds."""
    return Row(
        name=name,
        figure=median(figures),
        low=min(figures),
        high=max(figures),
        unit=unit,
        goal=goal,
        sample=middle(samples) if samples else None,
        floor=middle(floors) if floors else None,
    )


def ratio_row(name: str, goal: Goal, samples: Sequence[Sample], floors: Sequence[Sample]) -> Row:
    """Answers a second against the floor's. Each round has its own ratio: what slows the machine slows both."""
    ratios = [one.per_second / floor.per_second for one, floor in zip(samples, floors, strict=True)]
    return row_of(name, ratios, "×", goal, samples=samples, floors=floors)


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each measure by itself."""
    columns = zip(*(msgspec.structs.astuple(sample) for sample in samples), strict=True)
    return Sample(*(median(column) for column in columns))
