"""Places are swept in turn, in small batches, with rests, and one that fails stops no other."""

from __future__ import annotations

import asyncio

import pytest

from orama.errors import Unavailable
from orama.services.sweep import Sweep
from orama.services.sweeper import Sweeper, SweeperSettings
from orama.testing.clock import ManualClock

SETTINGS = SweeperSettings(interval_s=60, batch_rows=10, pause_s=0.1, timeout_s=0.05)


class Place:
    """Somewhere with `rows` that are over."""

    def __init__(self, name, rows, log=None):
        self.name, self.rows = name, rows
        self.error = None
        self.log = [] if log is None else log

    async def remove(self, max_rows):
        if self.error is not None:
            raise self.error
        removed = min(max_rows, self.rows)
        self.rows -= removed
        self.log.append((self.name, removed))
        return removed

    def sweep(self):
        return Sweep(self.name, self.remove)


class Swept:
    """A sweeper over places, and what it told of failures."""

    def __init__(self, *places):
        self.clock = ManualClock()
        self.told = []
        sweeps = [place.sweep() for place in places]
        self.sweeper = Sweeper(sweeps, SETTINGS, self.clock, lambda *failure: self.told.append(failure))

    async def round(self):
        """One whole round, on a clock that moves as fast as it can."""
        task = asyncio.ensure_future(self.sweeper.round())
        while not task.done():
            await asyncio.sleep(0.001)
            self.clock.advance(SETTINGS.pause_s)
        await task


async def test_places_have_turns_batch_by_batch_until_nothing_is_left():
    log = []
    swept = Swept(Place("a", 25, log), Place("b", 3, log), Place("c", 10, log))
    await swept.round()
    assert log == [("a", 10), ("b", 3), ("c", 10), ("a", 10), ("c", 0), ("a", 5)]
    assert swept.sweeper.removed == {("a",): 25, ("b",): 3, ("c",): 10}
    assert swept.sweeper.failures == {("a",): 0, ("b",): 0, ("c",): 0}


async def test_sweeper_stands_back_after_each_batch():
    place = Place("a", 100)
    swept = Swept(place)
    task = asyncio.ensure_future(swept.sweeper.round())
    for batches in range(1, 5):
        await asyncio.sleep(0.005)
        assert place.rows == 100 - 10 * batches
        swept.clock.advance(0.09)
        await asyncio.sleep(0.005)
        assert place.rows == 100 - 10 * batches
        swept.clock.advance(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_place_that_fails_waits_for_the_next_round_and_stops_no_other():
    broken, sound = Place("broken", 5), Place("sound", 15)
    broken.error = Unavailable("it went out")
    swept = Swept(broken, sound)
    await swept.round()
    assert (broken.rows, sound.rows) == (5, 0)
    assert swept.told == [("broken", broken.error)]
    assert swept.sweeper.failures["broken",] == 1
    broken.error = None
    await swept.round()
    assert broken.rows == 0
    assert len(swept.told) == 1


async def test_removal_that_hangs_is_given_up():
    hanging = Sweep("hanging", lambda _rows: asyncio.Event().wait())
    place = Place("a", 3)
    told = []
    clock = ManualClock()
    sweeper = Sweeper([hanging, place.sweep()], SETTINGS, clock, lambda *failure: told.append(failure))
    task = asyncio.ensure_future(sweeper.round())
    while not task.done():
        await asyncio.sleep(0.01)
        clock.advance(SETTINGS.pause_s)
    assert place.rows == 0
    assert [(name, type(error)) for name, error in told] == [("hanging", TimeoutError)]


async def test_rounds_come_again_and_again_not_all_nodes_at_once():
    """From half of the interval on, and within one and a half."""
    places = [Place(str(number), 1) for number in range(40)]
    swept = [Swept(place) for place in places]
    tasks = [asyncio.ensure_future(one.sweeper.run()) for one in swept]
    await asyncio.sleep(0)

    async def advance(seconds):
        for one in swept:
            one.clock.advance(seconds)
        await asyncio.sleep(0.005)

    await advance(29.9)
    assert {place.rows for place in places} == {1}
    await advance(30)
    assert {place.rows for place in places} == {0, 1}, "they share the interval"
    await advance(30.2)
    assert {place.rows for place in places} == {0}
    for place in places:
        place.rows = 1
    await advance(0.2)
    await advance(90.1)
    assert {place.rows for place in places} == {0}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
