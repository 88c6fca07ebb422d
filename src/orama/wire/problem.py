"""The body of every error."""

from __future__ import annotations

from typing import Any

import msgspec


class Problem(msgspec.Struct):
    """What went wrong, for people (`error`, the same as `message`) and for programs (the rest).

    `code` is the kind of failure, `reason` a finer stable word, `retryable` whether the same request may succeed
    later. `request_id` finds the request in the node's log.
    """

    error: str
    code: str
    message: str
    request_id: str
    retryable: bool
    reason: str | msgspec.UnsetType = msgspec.UNSET
    details: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
