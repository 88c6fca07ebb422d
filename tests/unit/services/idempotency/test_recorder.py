"""Requests whose effect is not in SQL: recorded before it and after it."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.sql import Statement
from orama.errors import (
    BadBackend,
    Conflict,
    Deadline,
    Internal,
    NotFound,
    StorageFull,
    TooLarge,
    Unavailable,
    Unimplemented,
    Unprocessable,
)
from orama.services.idempotency.recorder import StoredReply
from support.identity import SHOP

REPLY = StoredReply(201, "text/plain", [("location", "/there"), ("etag", '"1"')], b"\0body")


@pytest.fixture
def recorder(idempotency):
    return idempotency.recorder


@pytest.fixture
def keyed(idempotency, caller):
    """A request; each call is another time it is sent."""
    return lambda key="k", request=b"what": idempotency.once(key, caller, request)


async def test_first_is_to_be_carried_out_and_repeats_get_its_reply(recorder, keyed, gateway_of):
    assert await recorder.begin(SHOP, keyed()) is None
    await recorder.end(SHOP, keyed(), REPLY)
    for _ in range(2):
        assert await recorder.begin(SHOP, keyed()) == REPLY
        assert await gateway_of().recorder.begin(SHOP, keyed()) == REPLY


async def test_one_of_50_at_once_is_to_be_carried_out(recorder, keyed):
    outcomes = await asyncio.gather(*(recorder.begin(SHOP, keyed()) for _ in range(50)), return_exceptions=True)
    assert outcomes.count(None) == 1
    refusals = [one for one in outcomes if one is not None]
    assert {(type(one), one.reason, one.retry_after_s) for one in refusals} == {(Conflict, "idempotency_key_in_use", 1)}


async def test_one_that_never_ended_has_an_unknown_outcome(recorder, keyed, clock, gateway_of):
    await recorder.begin(SHOP, keyed())
    clock.advance(29.9)
    with pytest.raises(Conflict):
        await recorder.begin(SHOP, keyed())
    clock.advance(0.1)
    for another in (recorder, gateway_of().recorder):
        with pytest.raises(Deadline) as refusal:
            await another.begin(SHOP, keyed())
        assert refusal.value.reason == "outcome_unknown"


async def test_one_that_ended_late_is_answered(recorder, keyed, clock):
    await recorder.begin(SHOP, keyed())
    clock.advance(60)
    await recorder.end(SHOP, keyed(), REPLY)
    assert await recorder.begin(SHOP, keyed()) == REPLY


@pytest.mark.parametrize(
    "error", [Unprocessable, NotFound, Conflict, TooLarge, Unavailable, StorageFull, Unimplemented]
)
async def test_one_that_failed_and_changed_nothing_is_carried_out_again(recorder, keyed, error):
    for _ in range(3):
        assert await recorder.begin(SHOP, keyed()) is None
        await recorder.fail(SHOP, keyed(), error("no"))
    assert await recorder.begin(SHOP, keyed(request=b"something else")) is None


@pytest.mark.parametrize("error", [Deadline, Internal, BadBackend])
async def test_one_that_may_have_changed_something_is_not(recorder, keyed, clock, error):
    await recorder.begin(SHOP, keyed())
    await recorder.fail(SHOP, keyed(), error("perhaps"))
    clock.advance(30)
    with pytest.raises(Deadline):
        await recorder.begin(SHOP, keyed())


async def test_key_of_another_request_is_refused(recorder, keyed):
    await recorder.begin(SHOP, keyed())
    for _ in range(2):
        with pytest.raises(Conflict) as refusal:
            await recorder.begin(SHOP, keyed(request=b"other"))
        assert refusal.value.reason == "idempotency_key_reused"
        await recorder.end(SHOP, keyed(), REPLY)


async def test_reply_too_long_to_be_kept_is_not_made_up(gateway_of, caller):
    service = gateway_of(max_kept_bytes=100)
    once = service.once("k", caller)
    await service.recorder.begin(SHOP, once)
    await service.recorder.end(SHOP, once, StoredReply(200, "text/plain", [], b"x" * 101))
    with pytest.raises(Conflict) as refusal:
        await service.recorder.begin(SHOP, once)
    assert refusal.value.reason == "idempotency_reply_not_kept"


async def test_effect_is_acknowledged_although_its_reply_cannot_be_recorded(recorder, keyed, database, clock):
    await recorder.begin(SHOP, keyed())
    database.away = True
    await recorder.end(SHOP, keyed(), REPLY)
    await recorder.fail(SHOP, keyed(), NotFound("no"))
    database.away = False
    clock.advance(30)
    with pytest.raises(Deadline):
        await recorder.begin(SHOP, keyed())


async def test_records_are_in_the_namespaces_own_database(recorder, keyed, database):
    await recorder.begin(SHOP, keyed())
    counting = Statement("SELECT count(*) FROM _orama_idempotency", privileged=True)
    assert (await database.query(SHOP, counting)).rows == [(1,)]
