"""Credentials of connections that last: when one ends, so do the connections that it opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from orama.contracts.clock import Clock
from orama.domain.identity import Principal
from orama.errors import OramaError, PermissionDenied, Unauthenticated
from orama.services.auth.authenticator import Authenticator, Credentials

_INTERVAL_S: Final = 1.0
_AT_ONCE: Final = 200
"""Credentials looked at before other tasks have their turn."""

Lost: TypeAlias = Callable[[OramaError], None]


class Watched:
    """One connection under watch. `lost` is called at most once, with what to tell the client."""

    __slots__ = ("_group", "lost")

    def __init__(self, group: _Group, lost: Lost) -> None:
        self._group = group
        self.lost = lost

    def end(self) -> None:
        """Watch no more. A second call does nothing."""
        self._group.release(self)


class CredentialWatch:
    """Asks every second whether the credentials of open connections still hold: revoked, expired, signed out.

    It asks as requests do (see `Authenticator`), once for all connections of a credential: what was revoked on this
    node is noticed within that second, on another within `AuthSettings.decision_s` and it, and an outage of the
    database closes nothing.
    """

    def __init__(self, authenticator: Authenticator, clock: Clock) -> None:
        self._authenticator = authenticator
        self._clock = clock
        self._groups: dict[Credentials, _Group] = {}

    def __len__(self) -> int:
        """How many credentials are watched."""
        return len(self._groups)

    def watch(self, credentials: Credentials, caller: Principal, lost: Lost) -> Watched:
        """Call `lost` when `credentials` do not make somebody `caller` any more; who gets this ends it."""
        group = self._groups.get(credentials)
        if group is None:
            group = self._groups[credentials] = _Group(self._groups, credentials, caller)
        return group.add(lost)

    async def run(self) -> None:
        """Check for ever. The owner cancels this task."""
        while True:
            await self._clock.sleep(_INTERVAL_S)
            await self.check()

    async def check(self) -> None:
        """Look at every credential once."""
        for number, (credentials, group) in enumerate(list(self._groups.items())):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            caller = self._authenticator.recall(credentials)
            if caller is None:
                try:
                    caller = await self._authenticator.authenticate(credentials)
                except Unauthenticated as error:
                    group.lose(error)
                    continue
                except OramaError:
                    continue  # nobody can say now; the next check asks again
            if caller is None or caller.scopes != group.caller.scopes:
                group.lose(PermissionDenied("what this credential may do has changed: connect again"))


class _Group:
    """The connections of one credential."""

    def __init__(self, groups: dict[Credentials, _Group], credentials: Credentials, caller: Principal) -> None:
        self._groups = groups
        self._credentials = credentials
        self.caller = caller
        self._watched: set[Watched] = set()

    def add(self, lost: Lost) -> Watched:
        watched = Watched(self, lost)
        self._watched.add(watched)
        return watched

    def release(self, watched: Watched) -> None:
        self._watched.discard(watched)
        if not self._watched and self._groups.get(self._credentials) is self:
            del self._groups[self._credentials]

    def lose(self, error: OramaError) -> None:
        for watched in tuple(self._watched):
            self.release(watched)
            watched.lost(error)
