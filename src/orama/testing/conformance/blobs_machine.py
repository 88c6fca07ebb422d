"""Content beside a dict: hypothesis looks for the shortest story in which something is lost, or garbage stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from orama.contracts.blobs import Blobs, BlobsGuarantees, Hold
from orama.domain.content.cid import Cid
from orama.errors import NotFound
from orama.testing.content import pieces

_CHUNK: Final = 1024 * 1024
_LIMIT: Final = 8 * _CHUNK
# Few contents that share blocks, so that they meet.
_contents = st.tuples(st.sampled_from((b"", b"1", b"2")), st.sampled_from((b"", b"x")))
_Content = tuple[bytes, bytes]
_numbers = st.integers(0, 3)


def _bytes_of(content: _Content) -> bytes:
    """A chunk of one letter, or none, and a tail."""
    letter, tail = content
    return letter * _CHUNK + tail


def check_against_model(
    open_blobs: Callable[[], Coroutine[Any, Any, Blobs]], guarantees: BlobsGuarantees, *, max_examples: int = 20
) -> None:
    """Run the machine: uploads end, fail or stay held; wishes come and go; the collector comes between."""

    class BlobsMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.runner = asyncio.Runner()
            self.blobs = self.runner.run(open_blobs())
            self.wanted: dict[Cid, _Content] = {}
            self.held: list[tuple[AsyncExitStack, dict[Cid, _Content]]] = []
            self.known: dict[Cid, _Content] = {}

        def teardown(self) -> None:
            for stack, _ in self.held:
                self.runner.run(stack.aclose())
            self.runner.run(self.blobs.close())
            self.runner.close()

        async def _add(self, hold: Hold, content: _Content) -> Cid:
            stored = await self.blobs.add(hold, pieces(_bytes_of(content)), max_bytes=_LIMIT)
            assert self.known.setdefault(stored.cid, content) == content
            return stored.cid

        @rule(content=_contents)
        def upload(self, content: _Content) -> None:
            async def work() -> None:
                async with self.blobs.hold() as hold:
                    self.wanted[await self._add(hold, content)] = content

            self.runner.run(work())

        @rule(content=_contents)
        def upload_that_fails(self, content: _Content) -> None:
            async def work() -> None:
                async with self.blobs.hold() as hold:
                    await self._add(hold, content)

            self.runner.run(work())

        @precondition(lambda self: len(self.held) < 3)
        @rule(content=_contents)
        def upload_that_lingers(self, content: _Content) -> None:
            async def work() -> None:
                stack = AsyncExitStack()
                hold = await stack.enter_async_context(self.blobs.hold())
                self.held.append((stack, {await self._add(hold, content): content}))

            self.runner.run(work())

        @precondition(lambda self: self.held)
        @rule(number=_numbers, commits=st.booleans())
        def end_of_a_hold(self, number: int, commits: bool) -> None:
            stack, contents = self.held.pop(number % len(self.held))
            if commits:
                self.wanted.update(contents)
            self.runner.run(stack.aclose())

        @precondition(lambda self: self.wanted)
        @rule(number=_numbers)
        def wish_is_taken_back(self, number: int) -> None:
            del self.wanted[sorted(self.wanted, key=lambda cid: cid.text)[number % len(self.wanted)]]

        @rule(content=st.none() | _contents)
        def collect(self, content: _Content | None) -> None:
            """Somebody may upload while the collector asks what is wanted."""

            async def keep() -> AsyncIterator[Cid]:
                for cid in list(self.wanted):
                    yield cid
                if content is not None:
                    async with self.blobs.hold() as hold:
                        self.wanted[await self._add(hold, content)] = content

            self.runner.run(self.blobs.collect(keep()))

        @rule()
        def collect_and_look_for_garbage(self) -> None:
            async def keep() -> AsyncIterator[Cid]:
                for cid in self.wanted:
                    yield cid

            async def is_there(cid: Cid) -> bool:
                try:
                    await self.blobs.block(cid)
                except NotFound:
                    return False
                return True

            self.runner.run(self.blobs.collect(keep()))
            if guarantees.collects_at_once:
                # A chunk may be wanted for the sake of another content.
                alive = {cid for _, contents in self.held for cid in contents} | set(self.wanted)
                needed = {part for cid in alive for part in (self.known[cid], (self.known[cid][0], b""), (b"", b"x"))}
                for cid, content in self.known.items():
                    if content not in needed:
                        assert not self.runner.run(is_there(cid)), f"garbage stays: {content}"

        @invariant()
        def everything_wanted_or_held_is_whole(self) -> None:
            async def read(cid: Cid) -> bytes:
                return b"".join([piece async for piece in self.blobs.read(cid)])

            for cid, content in (*self.wanted.items(), *(pair for _, held in self.held for pair in held.items())):
                assert self.runner.run(read(cid)) == _bytes_of(content)

    run_state_machine_as_test(
        BlobsMachine, settings=settings(max_examples=max_examples, stateful_step_count=15, deadline=None)
    )
