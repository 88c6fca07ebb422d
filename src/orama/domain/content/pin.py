"""What is known of a pin: the wish that content be kept, and how far that is fulfilled."""

from __future__ import annotations

from enum import Enum

import msgspec

from orama.domain.content.cid import Cid


class PinState(Enum):
    """How far a pin is fulfilled, in the words of IPFS Cluster, which existing clients know."""

    PINNED = "pinned"
    PINNING = "pinning"
    QUEUED = "queued"
    ERROR = "error"
    UNPINNED = "unpinned"


class Pin(msgspec.Struct, frozen=True):
    """A pin as it stands.

    `replication_min` and `replication_max`: how many peers are wanted. `peers`: those that have the content now.
    `error`: what keeps it from being fulfilled; public text.
    """

    cid: Cid
    name: str
    state: PinState
    replication_min: int
    replication_max: int
    peers: tuple[str, ...]
    error: str | None = None
