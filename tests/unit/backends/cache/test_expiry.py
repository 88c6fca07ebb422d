"""The wheel of expiring entries, beside a plain list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orama.backends.cache.expiry import ExpiryWheel


class Entry:
    def __init__(self, expires_at):
        self.expires_at = expires_at


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.none() | st.floats(0, 50)),
        st.tuples(st.just("drop"), st.integers(0, 100)),
        st.tuples(st.just("pass"), st.floats(0, 20)),
    ),
    max_size=60,
)


@given(steps=steps, limit=st.integers(1, 5))
def test_each_entry_is_due_once_its_second_is_over(steps, limit):
    wheel, alive, now = ExpiryWheel(), [], 0.0
    for step, argument in steps:
        if step == "add":
            entry = Entry(None if argument is None else now + argument)
            wheel.add(entry)
            alive.append(entry)
        elif step == "drop" and alive:
            wheel.discard(alive.pop(argument % len(alive)))
        elif step == "pass":
            now += argument
            expected = {one for one in alive if one.expires_at is not None and int(one.expires_at) < int(now)}
            found = set()
            while due := wheel.due(now, limit):
                assert len(due) <= limit
                assert found.isdisjoint(due)
                found.update(due)
                for entry in due:
                    wheel.discard(entry)
                    alive.remove(entry)
            assert found == expected
    assert bool(wheel) == any(one.expires_at is not None for one in alive)
