"""What happens around the handlers of writes when a request carries an ``Idempotency-Key``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeAlias

import msgspec

from orama.domain.once import Once
from orama.errors import OramaError
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Reply
from orama.gateway.kernel.operation import PUBLIC, Handler, Idempotency, Operation
from orama.services.idempotency.recorder import StoredReply
from orama.services.idempotency.service import Idempotency as IdempotencyService

_HEADER: Final = "idempotency-key"
_REPLAYED: Final = ("idempotency-replayed", "true")

_Run: TypeAlias = Callable[[Operation, Handler, Call, tuple[Any, ...]], Awaitable[Any]]


class IdempotencyKeys:
    """Wraps the handlers of operations that declare how they keep to a key; a request without one costs a look-up."""

    def __init__(self, service: IdempotencyService) -> None:
        self._service = service
        self._encode = msgspec.json.Encoder().encode

    def guard(self, operations: Iterable[Operation]) -> tuple[Operation, ...]:
        """The operations, each with its handler wrapped if it takes keys.

        Raises:
            TypeError: an operation cannot keep what it declares: a fault of the program, found at start.
        """
        return tuple(self._guarded(one) for one in operations)

    def _guarded(self, operation: Operation) -> Operation:
        handler = operation.handler
        if operation.idempotency is None or handler is None:
            return operation
        recorded = operation.idempotency is Idempotency.RECORDED
        if operation.streaming or (recorded and operation.scope == PUBLIC):
            raise TypeError(f"{operation.name}: a key needs a whole body, and a record needs a namespace")
        run: _Run = self._run_recorded if recorded else self._run_atomic

        def answer(call: Call, *arguments: Any) -> Awaitable[Any]:
            if _HEADER not in call.request.headers:
                return handler(call, *arguments)
            return run(operation, handler, call, arguments)

        return msgspec.structs.replace(operation, handler=answer)

    async def _run_atomic(self, operation: Operation, handler: Handler, call: Call, arguments: tuple[Any, ...]) -> Any:
        attempt = call.attempt = self._service.attempt(self._once(operation, call))
        result = await handler(call, *arguments)
        if attempt.replayed:
            call.headers.append(_REPLAYED)
        return result

    async def _run_recorded(
        self, operation: Operation, handler: Handler, call: Call, arguments: tuple[Any, ...]
    ) -> Reply:
        namespace, once, recorder = call.caller.namespace, self._once(operation, call), self._service.recorder
        stored = await recorder.begin(namespace, once)
        if stored is not None:
            call.headers.append(_REPLAYED)
            return Reply(stored.status, stored.body, stored.content_type, headers=list(stored.headers))
        try:
            result = await handler(call, *arguments)
        except OramaError as error:
            await recorder.fail(namespace, once, error)
            raise
        reply = result if isinstance(result, Reply) else Reply(operation.status, self._encode(result), headers=[])
        # A copy: the pipeline adds headers of this reply alone.
        stored = StoredReply(reply.status, reply.content_type, list(reply.headers), reply.body)
        await recorder.end(namespace, once, stored)
        return reply

    def _once(self, operation: Operation, call: Call) -> Once:
        request = call.request
        what = (operation.name.encode(), request.path.encode(), request.query.encode(), request.body)
        return self._service.once(request.headers[_HEADER], call.principal, *what)
