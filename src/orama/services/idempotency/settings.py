"""The settings of keyed requests."""

from __future__ import annotations

import msgspec


class IdempotencySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests that carry an `Idempotency-Key`: sent however often, they take effect once."""

    retention_s: int = 24 * 3600
    """How long a key stands for its request; after that it may stand for another."""
    anonymous_retention_s: int = 600
    """The same for callers without a credential, who sign in: whoever makes up many of them fills no table, and the
    secrets of a sign-in can be had again only while its reply may still be on its way."""
    max_kept_bytes: int = 64 * 1024
    """Longest reply that a repeat gets again; of a longer one a repeat hears only that the request took effect."""
