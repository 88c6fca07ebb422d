"""Request ids and trace context: what ties a reply, a log line and a backend call together."""

from __future__ import annotations

import itertools
import re
import secrets
from typing import Final

from orama.gateway.kernel.call import Call

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


class Correlation:
    """Keeps the caller's ``X-Request-ID`` if it is harmless, else makes one; reads W3C ``traceparent``.

    Ids are a random prefix of 64 bits, drawn once per process, and a counter: unique, short, and cheaper than a UUID.
    """

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._counter = itertools.count(1)

    def __call__(self, call: Call) -> None:
        """Set `call.request_id` and, if one was sent, `call.trace_id`."""
        headers = call.request.headers
        given = headers.get("x-request-id")
        if given is not None and _ID.fullmatch(given) is not None:
            call.request_id = given
        else:
            call.request_id = f"{self._prefix}-{next(self._counter):x}"
        call.headers.append(("x-request-id", call.request_id))
        traceparent = headers.get("traceparent")
        if traceparent is not None and (match := _TRACEPARENT.fullmatch(traceparent)) is not None:
            call.trace_id = match[1]
