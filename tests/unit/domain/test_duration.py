"""Durations as Go reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.duration import parse_duration_s

# From the table of Go's own tests (time/time_test.go, parseDurationTests).
GO = {
    "0": 0, "5s": 5, "30s": 30, "1478s": 1478, "-5s": -5, "+5s": 5, "-0": 0, "+0": 0, "5.0s": 5, "5.6s": 5.6, "5.s": 5,
    ".5s": 0.5, "1.0s": 1, "1.00s": 1, "1.004s": 1.004, "1.0040s": 1.004, "100.00100s": 100.001, "10ns": 10e-9,
    "11us": 11e-6, "12µs": 12e-6, "12μs": 12e-6, "13ms": 13e-3, "14s": 14, "15m": 900, "16h": 57600, "3h30m": 12600,
    "10.5s4m": 250.5, "-2m3.4s": -123.4, "1h2m3s4ms5us6ns": 3723.004005006, "39h9m14.425s": 140954.425,
    "52763797000ns": 52.763797, "0.3333333333333333333h": 1200, "9007199254740993ns": 9007199.254740993,
    "9223372036854775807ns": 9223372036.854775807, "0.9223372036854775807h": 3320.413933,
}  # fmt: skip
NOT_GO = ["", "3", "-", "s", ".", "-.", ".s", "+.s", "5", "1d", "1h 2m", " 1s", "1s ", "1e3s", "--5s", "+-5s", "5s-", "0x1s", "١s", "1S",
          "9223372036854775808ns", "3000000h", "9" * 100 + "s", "1s" * 40, "\0", "1.2.3s", "nan", "inf"]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), GO.items())
def test_reads_what_go_reads(text, seconds):
    assert parse_duration_s(text) == pytest.approx(seconds, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("text", NOT_GO)
def test_refuses_what_go_refuses(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_duration_s(text)


UNITS = {"ns": 1, "us": 1000, "µs": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
terms = st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(sorted(UNITS))), min_size=1, max_size=5)


@given(terms=terms, sign=st.sampled_from(["", "+", "-"]))
def test_terms_add_up(terms, sign):
    text = sign + "".join(f"{count}{unit}" for count, unit in terms)
    total_ns = sum(count * UNITS[unit] for count, unit in terms)
    assert parse_duration_s(text) == (-total_ns if sign == "-" else total_ns) / 10**9


@given(st.text(alphabet="0123456789.+-hmsuµn ", max_size=20) | st.text(max_size=20))
def test_any_text_is_a_duration_or_a_value_error(text):
    try:
        seconds = parse_duration_s(text)
    except ValueError:
        return
    assert abs(seconds) <= 2**63 / 10**9
