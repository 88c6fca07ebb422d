"""Requests that carry an ``Idempotency-Key``: sent however often, they take effect once (ADR 0004).

A service method that changes something in SQL takes ``attempt: Attempt | None``, None for a request without a key. One
that works on a tenant's database executes its batch by the attempt instead of the port::

    results = await attempt.execute(namespace, batch, keep_rows=True)

One that works on the platform's states its outcome together with the batch, and is wrapped so that a repeat gets that
outcome before anything else is looked at::

    async def create(self, …, attempt: Attempt | None = None) -> ApiKey:
        async def create() -> ApiKey:
            …
            return await carry_out(self._database, batch, key, attempt)

        return await once(attempt, ApiKey, create)

What does not work in SQL declares `RECORDED` at its operation and needs nothing else.
"""
