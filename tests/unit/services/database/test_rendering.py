from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.sql import Rows
from orama.services.database.rendering import render, render_apart


def _rendered(declared, value):
    return render(Rows(("c",), (declared,), [(value,)])).rows[0][0]


@pytest.mark.parametrize(
    ("declared", "value", "rendered"),
    [
        ("BOOLEAN", 1, True),
        ("boolean", 0, False),
        ("BOOLEAN", 7, True),
        ("BOOLEAN", "yes", "yes"),
        ("BOOLEAN", None, None),
        ("BOOL", 1, 1),
        ("INTEGER", 2**63 - 1, 2**63 - 1),
        (None, "2024-01-02 03:04:05", "2024-01-02 03:04:05"),
        ("TEXT", "2024-01-02 03:04:05", "2024-01-02 03:04:05"),
        ("DATETIME", "2024-01-02 03:04:05", "2024-01-02T03:04:05Z"),
        ("datetime", "2024-01-02T03:04", "2024-01-02T03:04:00Z"),
        ("TIMESTAMP", "2024-01-02 03:04:05.120", "2024-01-02T03:04:05.12Z"),
        ("TIMESTAMP", "2024-01-02 03:04:05.000", "2024-01-02T03:04:05Z"),
        ("TIMESTAMP", "2024-01-02T03:04:05+02:00", "2024-01-02T03:04:05+02:00"),
        ("TIMESTAMP", "2024-01-02 03:04:05Z", "2024-01-02T03:04:05Z"),
        ("DATE", "2024-01-02", "2024-01-02T00:00:00Z"),
        ("DATE", "2024-02-30", "2024-02-30"),
        ("DATE", "yesterday", "yesterday"),
        ("DATE", "٢٠٢٤-٠١-٠٢", "٢٠٢٤-٠١-٠٢"),
        ("DATETIME", 1704164645, "2024-01-02T03:04:05Z"),
        ("DATETIME", 1704164645120, "2024-01-02T03:04:05.12Z"),
        ("DATETIME", 2**62, 2**62),
        ("DATETIME", 1.5, 1.5),
        ("DATETIME", None, None),
        ("DATETIME", b"x", b"x"),
    ],
)
def test_value_is_rendered_by_the_declared_type(declared, value, rendered):
    found = _rendered(declared, value)
    assert found == rendered
    assert type(found) is type(rendered)


@given(
    st.sampled_from(["DATE", "BOOLEAN", "TIMESTAMP"]), st.none() | st.integers() | st.floats() | st.text() | st.binary()
)
def test_anything_can_be_rendered_and_encoded(declared, value):
    msgspec.json.encode(_rendered(declared, value))


def test_blobs_are_base64_on_the_wire():
    assert msgspec.json.encode(render(Rows(("b",), ("BLOB",), [(b"\x00\xff",)])).rows) == b'[["AP8="]]'


def test_items_are_objects_in_which_the_later_of_two_equal_names_wins():
    table = render(Rows(("id", "id", "n"), (None, None, None), [(1, 2, 3)]))
    assert table.items() == [{"id": 2, "n": 3}]
    assert table.columns == ("id", "id", "n")


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_unix_time_is_that_of_the_calendar(seconds):
    if abs(seconds) <= 10**12:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        assert _rendered("DATETIME", seconds) == moment.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("seconds", [-62_135_596_801, 253_402_300_800])
def test_unix_time_outside_the_calendar_stays_a_number(seconds):
    assert _rendered("DATETIME", seconds) == seconds


async def test_large_answer_is_rendered_while_the_loop_goes_on():
    columns = tuple(f"c{number}" for number in range(100))
    rows = Rows(columns, ("DATETIME",) * 100, [tuple(range(number, number + 100)) for number in range(3_000)])
    rendering = asyncio.ensure_future(render_apart(rows))
    turns = 0
    while not rendering.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 2
    assert rendering.result() == render(rows)


async def test_small_or_plain_answer_is_rendered_at_once():
    for declared, count in (("DATETIME", 100), (None, 50_000)):
        rows = Rows(("c",), (declared,), [(1,)] * count)
        rendering = render_apart(rows)
        with pytest.raises(StopIteration) as done:
            rendering.send(None)
        assert done.value.value == render(rows)
