"""The set of wanted blocks forgets none and takes few bytes."""

from __future__ import annotations

import os

from orama.backends.blobs.local.live_set import LiveSet


def test_nothing_that_was_added_is_denied_and_little_else_affirmed():
    added = [b"\x12\x20" + os.urandom(32) for _ in range(20_000)]
    live = LiveSet(len(added))
    for multihash in added:
        live.add(multihash)
    assert all(multihash in live for multihash in added)
    assert sum(b"\x12\x20" + os.urandom(32) in live for _ in range(20_000)) < 20_000 * 0.01
    assert len(live._bits) <= 2 * len(added) + 1


def test_two_sets_err_about_different_blocks():
    added = [b"\x12\x20" + os.urandom(32) for _ in range(20_000)]
    others = [b"\x12\x20" + os.urandom(32) for _ in range(200_000)]
    wrong = []
    for _ in range(2):
        live = LiveSet(len(added))
        for multihash in added:
            live.add(multihash)
        wrong.append({multihash for multihash in others if multihash in live})
    assert wrong[0]
    assert len(wrong[0] & wrong[1]) < len(wrong[0]) / 10
