"""What wrk prints, read."""

from __future__ import annotations

import pytest

from bench.exchange import CannotMeasure
from bench.wrk import parse

SAID = """Running 7s test @ http://127.0.0.1:43210/
  1 threads and 32 connections
Requests/sec:  30000.00
RESULT {"requests":60000,"duration_us":2000000,"p50_us":900,"p99_us":4100,"bad_status":3,"lost":1}
"""


def test_the_line_of_the_script_is_read():
    load = parse(SAID)
    assert load.per_second == 30_000
    assert (load.p50_us, load.p99_us, load.bad_status, load.lost) == (900, 4100, 3, 1)


@pytest.mark.parametrize("said", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_no_result_is_told_with_what_wrk_said(said: str):
    with pytest.raises(CannotMeasure, match=said.strip() or "no result"):
        parse(said)
