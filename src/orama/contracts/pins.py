"""The port for pins: the wish that content be kept, on how many peers, and how far that is fulfilled."""

from __future__ import annotations

from typing import Protocol

import msgspec

from orama.domain.content.cid import Cid
from orama.domain.content.pin import Pin


class PinsGuarantees(msgspec.Struct, frozen=True):
    """What an engine promises beyond the contract. The conformance suite skips on these, never on a class."""

    immediate: bool
    """A pin is fulfilled when `Pins.pin` returns. Where False, `Pins.status` tells how far it is."""
    survives_restart: bool
    """An acknowledged pin is there after the process dies and starts again."""
    max_name_bytes: int
    """The longest name that fits, in UTF-8."""


class Pins(Protocol):
    """Pins by identifier. An identifier has one pin or none, whoever wished for it.

    Identifiers of version 0 and of version 1 of one block are the same.

    Common to all methods:

    Raises:
        StorageFull: no room.
        Unavailable: the engine is away or closed; nothing was changed.
        Deadline: reason ``outcome_unknown``: a change may or may not have happened.
    """

    @property
    def guarantees(self) -> PinsGuarantees:
        """What this engine promises beyond the contract; known also while the engine is away."""
        ...

    async def pin(self, cid: Cid, *, name: str) -> None:
        """Wish that content be kept, durably. A second pin changes the name and nothing else."""
        ...

    async def unpin(self, cid: Cid) -> None:
        """Take the wish back; without one nothing happens."""
        ...

    async def status(self, cid: Cid) -> Pin | None:
        """The pin as it stands; None if there is none."""
        ...

    async def ping(self) -> None:
        """Ask the engine for a sign of life."""
        ...

    async def close(self) -> None:
        """Let go of everything. A second call does nothing."""
        ...
