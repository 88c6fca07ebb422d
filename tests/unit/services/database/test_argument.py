from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.errors import InvalidArgument
from orama.services.database.argument import to_arguments


@pytest.mark.parametrize(
    ("json", "value"),
    [
        ("null", None),
        ("true", 1),
        ("false", 0),
        ("3", 3),
        ("3.0", 3),
        ("-2e3", -2000),
        ("1.5", 1.5),
        ("1e300", 1e300),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ('"text"', "text"),
        ('{"blob": "AP8="}', b"\x00\xff"),
        ('{"blob": ""}', b""),
    ],
)
def test_json_value_becomes_an_sql_value(json, value):
    (found,) = to_arguments([msgspec.json.decode(json)])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "json",
    [
        "[]",
        "{}",
        '{"blob": 1}',
        '{"blob": "?"}',
        '{"blob": "AA==", "x": 1}',
        "9223372036854775808",
        "-9223372036854775809",
    ],
)
def test_other_json_is_refused_with_its_position(json):
    with pytest.raises(InvalidArgument, match="argument 1"):
        to_arguments([None, msgspec.json.decode(json)])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_changes_its_value(number):
    (found,) = to_arguments([number])
    assert found == number
    if isinstance(found, int):
        assert -(2**63) <= found < 2**63
