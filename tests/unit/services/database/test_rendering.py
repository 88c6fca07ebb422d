from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.sql import Rows
from orama.services.database.rendering import render


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
