"""Pages: how long, and from where."""

from __future__ import annotations

import pytest

from orama.domain.page import MAX_PAGE, cursor, page_size, parse_cursor
from orama.errors import InvalidArgument


def test_cursor_is_read_as_it_was_written():
    assert parse_cursor(cursor(1_800_000_000_123, "aB3")) == (1_800_000_000_123, "aB3")


@pytest.mark.parametrize("text", ["", "1", ".", "1.", ".a", "-1.a", "1.a-b", "9" * 16 + ".a", "1.a\0", "1.a'", "x.y"])
def test_text_that_is_no_cursor_is_refused(text):
    with pytest.raises(InvalidArgument) as failure:
        parse_cursor(text)
    assert failure.value.reason == "invalid_cursor"


def test_page_has_its_bounds():
    assert [page_size(size) for size in (1, MAX_PAGE)] == [1, MAX_PAGE]
    for size in (0, -1, MAX_PAGE + 1):
        with pytest.raises(InvalidArgument, match=f"from 1 to {MAX_PAGE}"):
            page_size(size)
