"""The life of a request: one function over a tuple of stages. Every driver calls it, and nothing else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import msgspec

from orama.contracts.clock import Clock
from orama.errors import Cancelled, Code, Deadline, Internal, OramaError
from orama.gateway.kernel.body import BodyStream
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.in_flight import Cancel, InFlight
from orama.gateway.kernel.message import Reply, Request
from orama.gateway.kernel.operation import RouteClass
from orama.gateway.kernel.problem import problem
from orama.gateway.kernel.route import Router
from orama.gateway.websocket.socket import NORMAL, RESTART, Conversation, Socket


class Stage(Protocol):
    """One concern of every request."""

    def __call__(self, call: Call) -> Awaitable[None] | None:
        """Look at the call before its handler; raise an `OramaError` to end it here.

        An awaitable is returned only when there is something to wait for: most requests never do.
        """
        ...


class Observer(Protocol):
    """Something that sees every finished call, also the refused ones."""

    def finished(self, call: Call, reply: Reply, duration_s: float) -> None:
        """Take note. Must not raise and must not wait."""
        ...

    def failed(self, call: Call, cause: BaseException) -> None:
        """Take note of the private cause of a failure on our side (5xx), before `finished`."""
        ...


class Pipeline:
    """Runs calls. Holds no state of any request.

    Args:
        router: finds the operation.
        marks: what every reply carries, even one to bytes that were no request; these stages cannot fail.
        stages: what else happens before the handler, in this order.
        observers: who sees the finished call, in this order.
        in_flight: the calls under way, with their deadlines.
        clock: measures durations.
        request_timeout_s: how long a call may take from its last byte read to its first byte written.
    """

    def __init__(
        self,
        router: Router,
        marks: Sequence[Stage],
        stages: Sequence[Stage],
        observers: Sequence[Observer],
        in_flight: InFlight,
        clock: Clock,
        *,
        request_timeout_s: float,
    ) -> None:
        self.router = router
        self._marks = tuple(marks)
        self._stages = (*marks, *stages)
        self._observers = tuple(observers)
        self._in_flight = in_flight
        self._monotonic = clock.monotonic
        self._request_timeout_s = request_timeout_s
        self._encode = msgspec.json.Encoder().encode

    async def run(self, request: Request, cancel: Cancel) -> Reply:
        """Answer `request`. Errors are replies, too; only cancellation by the driver is raised.

        `cancel` cancels the task that this runs in; the pipeline uses it when the deadline ends.
        """
        started = self._monotonic()
        call = Call(request, started, self.router.unknown)
        call.deadline = started + self._request_timeout_s
        self._in_flight.enter(call, cancel)
        streaming = False
        if request.stream is not None:
            self._watch(request.stream, call)
        try:
            reply = await self._answer(call)
            if reply.stream is not None:
                await self._begin_stream(call, reply)
                streaming = True
        except OramaError as error:
            reply = self._error_reply(call, error)
        except asyncio.CancelledError:
            if not call.expired:
                self._finish(call, self._error_reply(call, Cancelled("the caller went away")))
                raise
            # The cancellation was our own and ends here.
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            reply = self._error_reply(call, _deadline_error(call, self._request_timeout_s))
        except Exception as fault:  # noqa: BLE001  the last net: whatever a handler lets through is our fault, logged whole
            reply = self._error_reply(call, Internal("internal error"), fault)
        finally:
            if not streaming:
                self._in_flight.leave(call)
        if not streaming:
            self._finish(call, reply)
        return reply

    def refuse(self, request: Request, error: OramaError) -> Reply:
        """The reply to a request that a driver could not even read; logged and counted like any other."""
        call = Call(request, self._monotonic(), self.router.unknown)
        for mark in self._marks:
            mark(call)
        reply = self._error_reply(call, error)
        self._finish(call, reply)
        return reply

    async def _answer(self, call: Call) -> Reply:
        for stage in self._stages:
            waiting = stage(call)
            if waiting is not None:
                await waiting
        route = call.route
        result: Any
        if call.arguments is None:
            result = await route.handler(call)
        else:
            result = await route.handler(call, call.arguments)
        if type(result) is Reply:
            if result.conversation is not None:
                result.conversation = _Guarded(self._converse, call, result.conversation)
            return result
        return Reply(route.operation.status, self._encode(result), headers=[])

    async def _converse(self, call: Call, conversation: Conversation, socket: Socket) -> None:
        """Run a WebSocket's conversation; errors are close codes, as they are statuses elsewhere."""
        try:
            await conversation(socket)
        except OramaError as error:
            self._note(call, error)
            hidden = isinstance(error, Internal)
            socket.close(error.code.websocket_close, "internal error" if hidden else error.text)
        except asyncio.CancelledError:
            socket.close(RESTART, "the node restarts: connect again")
            raise
        except Exception as fault:  # noqa: BLE001  the last net, as in `run`
            self._note(call, Internal("internal error"), fault)
            socket.close(Code.INTERNAL.websocket_close, "internal error")
        else:
            socket.close(NORMAL)

    def _watch(self, body: BodyStream, call: Call) -> None:
        """Let the call's deadline rest while its client is waited for."""

        def rest() -> None:
            call.deadline = math.inf

        def go_on() -> None:
            call.deadline = self._monotonic() + self._request_timeout_s

        body.on_wait, body.on_arrival = rest, go_on

    async def _begin_stream(self, call: Call, reply: Reply) -> None:
        """Make the first piece, so that a failure up to here is still an error reply."""
        pieces = reply.stream
        assert pieces is not None
        assert call.route.operation.streaming, f"{call.route.name} streams its reply and does not say so"
        try:
            first = await anext(pieces, None)
        except BaseException:
            await pieces.aclose()
            raise
        reply.headers.extend(call.headers)
        reply.stream = self._stream(call, reply, first, pieces)
        await anext(reply.stream)  # a generator that was never begun would not notice that it is closed

    async def _stream(
        self, call: Call, reply: Reply, piece: bytes | None, pieces: AsyncGenerator[bytes]
    ) -> AsyncGenerator[bytes]:
        """The pieces of a reply; the first, empty one says that it has begun. The call ends with it.

        The call's deadline counts while a piece is made, not while the client takes it: that is the driver's business.
        """
        failure: OramaError | None = Cancelled("the caller went away")
        fault: BaseException | None = None
        call.deadline = math.inf
        try:
            yield b""
            while piece is not None:
                reply.sent_bytes += len(piece)
                yield piece
                call.deadline = self._monotonic() + self._request_timeout_s
                piece = await anext(pieces, None)
                call.deadline = math.inf
            failure = None
        except OramaError as error:
            failure = error
            raise
        except asyncio.CancelledError:
            if not call.expired:
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            failure = _deadline_error(call, self._request_timeout_s)
            raise failure from None
        except Exception as error:
            failure, fault = Internal("internal error"), error
            raise failure from error
        finally:
            self._in_flight.leave(call)
            if failure is not None:
                call.error_code = failure.code.label
                self._note(call, failure, fault)
            self._observe(call, reply)
            await pieces.aclose()

    def _error_reply(self, call: Call, error: OramaError, fault: BaseException | None = None) -> Reply:
        call.error_code = error.code.label
        self._note(call, error, fault)
        return problem(error, call.request_id)

    def _note(self, call: Call, error: OramaError, fault: BaseException | None = None) -> None:
        """Tell the observers of what went wrong on our side."""
        cause = fault or error.__cause__ or (error if isinstance(error, Internal) else None)
        # What a caller did wrong is not for the log: anybody can cause it, and its cause may quote what was sent.
        if cause is not None and error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            for observer in self._observers:
                observer.failed(call, cause)

    def _finish(self, call: Call, reply: Reply) -> None:
        reply.headers.extend(call.headers)
        self._observe(call, reply)

    def _observe(self, call: Call, reply: Reply) -> None:
        duration_s = self._monotonic() - call.started
        for observer in self._observers:
            observer.finished(call, reply, duration_s)


class _Guarded:
    """A conversation whose errors the pipeline takes care of."""

    def __init__(
        self,
        converse: Callable[[Call, Conversation, Socket], Awaitable[None]],
        call: Call,
        conversation: Conversation,
    ) -> None:
        self._converse = converse
        self._call = call
        self._conversation = conversation
        self.abandon = conversation.abandon

    async def __call__(self, socket: Socket) -> None:
        await self._converse(self._call, self._conversation, socket)


def _deadline_error(call: Call, timeout_s: float) -> Deadline:
    if call.route.operation.route_class is RouteClass.WRITE:
        return Deadline(
            f"no answer within {timeout_s:g} s; the write may or may not have happened", reason="outcome_unknown"
        )
    return Deadline(f"no answer within {timeout_s:g} s", reason="request_timeout")
