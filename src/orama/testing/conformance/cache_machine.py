"""A cache beside a dict: hypothesis looks for the shortest story in which they differ."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from orama.contracts.cache import Cache, CacheGuarantees
from orama.domain.cache import PutCondition
from orama.domain.namespace import Namespace
from orama.errors import Unprocessable

_Place = tuple[Namespace, str, str]
_INTEGERS: Final = range(-(2**63), 2**63)
_KEYS: Final = ("a", "b", "ab")

_places = st.tuples(
    st.sampled_from((Namespace("n"), Namespace("na"))), st.sampled_from(("a", "aa")), st.sampled_from(_KEYS)
)
_values = st.sampled_from((b"", b"x", b"7", b"-1", b"%d" % (2**63 - 1))) | st.binary(max_size=40)
_seconds = st.sampled_from((1.0, 5.0, 30.0))


class _Model:
    """What the contract says, as plainly as it can be said."""

    def __init__(self) -> None:
        self.now = 0.0
        self._values: dict[_Place, tuple[bytes, float | None]] = {}

    def get(self, place: _Place) -> bytes | None:
        value, ends = self._values.get(place, (None, None))
        return value if ends is None or self.now < ends else None

    def put(self, place: _Place, value: bytes, ttl_s: float | None) -> None:
        self._values[place] = (value, None if ttl_s is None else self.now + ttl_s)

    def increment(self, place: _Place, delta: int) -> int | None:
        before = self.get(place)
        if before is not None and not re.fullmatch(rb"-?(0|[1-9][0-9]{0,18})", before):
            return None
        total = int(before or 0) + delta
        if total not in _INTEGERS:
            return None
        ends = None if before is None else self._values[place][1]
        self._values[place] = (b"%d" % total, ends)
        return total

    def delete(self, place: _Place) -> None:
        self._values.pop(place, None)

    def keys(self, namespace: Namespace, dmap: str) -> list[str]:
        return sorted(
            key
            for (ns, dm, key) in self._values
            if (ns, dm) == (namespace, dmap) and self.get((ns, dm, key)) is not None
        )


def check_against_model(
    open_cache: Callable[[], Coroutine[Any, Any, Cache]],
    advance: Callable[[float], Coroutine[Any, Any, None]],
    guarantees: CacheGuarantees,
    *,
    manual_time: bool,
) -> None:
    """Run the machine. Time passes only where it costs none; methods are called that the guarantees include."""

    class CacheMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.runner = asyncio.Runner()
            self.model = _Model()
            self.cache = self.runner.run(open_cache())

        def teardown(self) -> None:
            self.runner.run(self.cache.close())
            self.runner.close()

        @rule(place=_places)
        def get(self, place: _Place) -> None:
            assert self.runner.run(self.cache.get(*place)) == self.model.get(place)

        @rule(place=_places)
        def get_many(self, place: _Place) -> None:
            namespace, dmap, _ = place
            expected = [self.model.get((namespace, dmap, key)) for key in _KEYS]
            assert self.runner.run(self.cache.get_many(namespace, dmap, _KEYS)) == expected

        @rule(place=_places, value=_values, condition=st.sampled_from(PutCondition))
        def put(self, place: _Place, value: bytes, condition: PutCondition) -> None:
            self._put(place, value, None, condition)

        @precondition(lambda _: manual_time)
        @rule(place=_places, value=_values, ttl_s=_seconds, condition=st.sampled_from(PutCondition))
        def put_with_ttl(self, place: _Place, value: bytes, ttl_s: float, condition: PutCondition) -> None:
            if guarantees.conditional_ttl or condition is PutCondition.ALWAYS:
                self._put(place, value, ttl_s, condition)

        def _put(self, place: _Place, value: bytes, ttl_s: float | None, condition: PutCondition) -> None:
            present = self.model.get(place) is not None
            effective = {
                PutCondition.ALWAYS: True,
                PutCondition.IF_ABSENT: not present,
                PutCondition.IF_PRESENT: present,
            }[condition]
            namespace, dmap, key = place
            put = self.cache.put(namespace, dmap, key, value, ttl_s=ttl_s, condition=condition)
            assert self.runner.run(put) is effective
            if effective:
                self.model.put(place, value, ttl_s)

        @precondition(lambda _: guarantees.atomic_updates)
        @rule(place=_places, value=_values)
        def get_put(self, place: _Place, value: bytes) -> None:
            assert self.runner.run(self.cache.get_put(*place, value)) == self.model.get(place)
            self.model.put(place, value, None)

        @precondition(lambda _: guarantees.atomic_updates)
        @rule(place=_places, delta=st.integers(_INTEGERS.start, _INTEGERS.stop - 1) | st.integers(-2, 2))
        def increment(self, place: _Place, delta: int) -> None:
            expected = self.model.increment(place, delta)
            try:
                assert self.runner.run(self.cache.increment(*place, delta)) == expected
            except Unprocessable:
                assert expected is None

        @precondition(lambda _: guarantees.changes_ttl and manual_time)
        @rule(place=_places, ttl_s=_seconds)
        def expire(self, place: _Place, ttl_s: float) -> None:
            value = self.model.get(place)
            assert self.runner.run(self.cache.expire(*place, ttl_s)) is (value is not None)
            if value is not None:
                self.model.put(place, value, ttl_s)

        @rule(place=_places)
        def delete(self, place: _Place) -> None:
            self.runner.run(self.cache.delete(*place))
            self.model.delete(place)

        @rule(place=_places)
        def scan(self, place: _Place) -> None:
            namespace, dmap, _ = place
            found = self.runner.run(self.cache.scan(namespace, dmap, pattern=None, limit=10))
            assert sorted(found) == self.model.keys(namespace, dmap)

        @precondition(lambda _: manual_time)
        @rule(seconds=_seconds)
        def pass_time(self, seconds: float) -> None:
            self.runner.run(advance(seconds))
            self.model.now += seconds

    run_state_machine_as_test(CacheMachine, settings=settings(max_examples=60, stateful_step_count=30))
