"""What was applied, held against a set of files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.migration import Applied, DriftKind, Fingerprint, Migration, compare

FIRST, SECOND, THIRD = (Fingerprint(number, f"n{number}", f"sum{number}") for number in (1, 2, 3))


def applied(*files):
    return [Applied(one.version, one.name, one.checksum, 0) for one in files]


def test_checksum_is_of_the_bytes_that_others_would_hash():
    """As ``printf 'SELECT 1; -- ö' | sha256sum`` says."""
    one = Migration(7, "a", "SELECT 1; -- ö").fingerprint
    assert (one.file, one.checksum) == (
        "0007_a.sql",
        "fe9a154dd6f6db3928b62d2d033d0f914fd7928f878d78948e275240e3ba8297",
    )


@pytest.mark.parametrize(
    ("history", "files", "pending", "drift"),
    [
        ([], [], [], []),
        ([], [SECOND, FIRST], [FIRST, SECOND], []),
        ([FIRST], [FIRST, SECOND], [SECOND], []),
        ([FIRST, SECOND], [SECOND, FIRST], [], []),
        ([FIRST, SECOND], [FIRST], [], [(DriftKind.MISSING, SECOND)]),
        ([FIRST], [], [], [(DriftKind.MISSING, FIRST)]),
        ([FIRST], [Fingerprint(1, "n1", "other")], [], [(DriftKind.CHANGED, Fingerprint(1, "n1", "other"))]),
        ([FIRST], [Fingerprint(1, "renamed", "sum1")], [], []),
        ([FIRST, THIRD], [FIRST, SECOND, THIRD], [SECOND], [(DriftKind.OUT_OF_ORDER, SECOND)]),
        ([SECOND], [FIRST, THIRD], [FIRST, THIRD], [(DriftKind.OUT_OF_ORDER, FIRST), (DriftKind.MISSING, SECOND)]),
    ],
)
def test_comparison_tells_what_waits_and_what_differs(history, files, pending, drift):
    comparison = compare(applied(*history), files)
    assert comparison.pending == tuple(pending)
    assert [(one.kind, one.migration.version) for one in comparison.drift] == [
        (kind, one.version) for kind, one in drift
    ]
    for one in comparison.drift:
        assert one.text.startswith(f"{one.migration.file} ")


_files = st.dictionaries(st.integers(0, 6), st.sampled_from("ab"), max_size=6).map(
    lambda chosen: [Fingerprint(version, "n", checksum) for version, checksum in chosen.items()]
)


@given(_files, _files)
def test_no_drift_means_that_the_history_is_the_beginning_of_the_files(history, files):
    comparison = compare(applied(*history), files)
    begun = sorted((one.version, one.checksum) for one in history)
    wanted = sorted((one.version, one.checksum) for one in files)
    assert (not comparison.drift) is (wanted[: len(begun)] == begun)
    if not comparison.drift:
        assert [(one.version, one.checksum) for one in comparison.pending] == wanted[len(begun) :]
