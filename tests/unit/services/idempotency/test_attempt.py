"""Attempts: one effect, one outcome, known again to whoever made the request and to nobody else."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import Statement
from orama.errors import Conflict, Internal, Precondition, Unauthenticated, Unavailable
from orama.services.idempotency.attempt import carry_out, carry_out_unseen, once
from support.identity import SHOP
from support.sqlite import on_disk

COUNT = Statement("SELECT count(*) FROM made")
MAKE = Statement("INSERT INTO made DEFAULT VALUES")


class Secret(msgspec.Struct, frozen=True):
    text: str
    number: int = 0


@pytest.fixture(autouse=True)
async def tables(database):
    for namespace in (PLATFORM, SHOP):
        await database.execute(namespace, [Statement("CREATE TABLE made (id INTEGER PRIMARY KEY)")])


async def made(database, namespace=PLATFORM):
    ((number,),) = (await database.query(namespace, COUNT)).rows
    return number


def attempt(service, caller, key="k", *request):
    return service.attempt(service.once(key, caller, *(request or (b"what",))))


async def test_repeat_gets_the_first_outcome_from_any_gateway(database, gateway_of, caller):
    first = attempt(gateway_of(), caller)
    outcome, results = await first.carry_out([MAKE], Secret("first", 1))
    assert (outcome, results[0].last_insert_id, first.replayed) == (Secret("first", 1), 1, False)
    again = attempt(gateway_of(), caller)
    assert await again.carry_out([MAKE], Secret("second", 2)) == (outcome, results)
    assert again.replayed
    assert await made(database) == 1


async def test_outcome_is_sealed_and_opens_for_its_own_key_only(tmp_path, database, gateway_of, caller):
    await attempt(gateway_of(), caller).carry_out([MAKE], Secret("a-secret-shown-once"))
    await attempt(gateway_of(), caller, "other").carry_out([MAKE], Secret("another"))
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"a-secret-shown-once" not in stored
    with pytest.raises(Internal):
        await attempt(gateway_of(b"x" * 32), caller).recall(Secret)
    file = on_disk(tmp_path, PLATFORM)
    file.execute("UPDATE _orama_idempotency SET note = (SELECT max(note) FROM _orama_idempotency)")
    file.close()
    outcomes = await asyncio.gather(
        *(attempt(gateway_of(), caller, key).recall(Secret) for key in ("k", "other")), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["Internal", "Secret"]


async def test_key_is_its_callers_own(database, idempotency, caller):
    stranger = msgspec.structs.replace(caller, subject="0x" + "2" * 40)
    elsewhere = msgspec.structs.replace(caller, namespace=Namespace("bank"))
    # Whose names run together, but for their lengths.
    shifted = msgspec.structs.replace(caller, namespace=Namespace(SHOP + "0"), subject=caller.subject[1:])
    callers = (caller, stranger, elsewhere, shifted, None)
    for number, who in enumerate(callers):
        mine = attempt(idempotency, who, "k")
        assert await mine.recall(Secret) is None
        assert (await mine.carry_out([MAKE], Secret("", number)))[0].number == number
    for number, who in enumerate(callers):
        assert (await attempt(idempotency, who, "k").recall(Secret)).number == number
    assert await made(database) == len(callers)


@pytest.mark.parametrize("request_", [(b"other",), (b"wh", b"at"), (b"what", b""), ()])
async def test_key_of_another_request_is_refused(idempotency, caller, request_):
    await attempt(idempotency, caller).carry_out([MAKE], Secret(""))
    other = idempotency.attempt(idempotency.once("k", caller, *request_))
    for act in (other.recall(Secret), other.carry_out([MAKE], Secret(""))):
        with pytest.raises(Conflict) as refusal:
            await act
        assert refusal.value.reason == "idempotency_key_reused"


async def test_without_a_name_another_request_is_another_key(database, idempotency):
    for request in (b"a", b"b"):
        await attempt(idempotency, None, "k", request).carry_out([MAKE], Secret(request.decode()))
    for request in (b"a", b"b"):
        assert (await attempt(idempotency, None, "k", request).recall(Secret)).text == request.decode()
    assert await made(database) == 2


async def test_key_may_stand_for_another_request_after_the_retention(database, clock, gateway_of, caller):
    service = gateway_of(retention_s=60)
    await attempt(service, caller, "k", b"a").carry_out([MAKE], Secret("a"))
    clock.advance(59.9)
    assert await attempt(service, caller, "k", b"a").recall(Secret)
    clock.advance(0.1)
    assert await attempt(service, caller, "k", b"b").recall(Secret) is None
    assert (await attempt(service, caller, "k", b"b").carry_out([MAKE], Secret("b")))[0].text == "b"
    assert await made(database) == 2


async def test_without_a_name_a_key_lasts_as_long_as_a_lost_reply_may_matter(database, clock, gateway_of):
    service = gateway_of(retention_s=3600, anonymous_retention_s=60)
    await attempt(service, None).carry_out([MAKE], Secret("a"))
    clock.advance(59.9)
    assert await attempt(service, None).recall(Secret)
    clock.advance(0.1)
    assert await attempt(service, None).recall(Secret) is None
    platforms, _ = service.sweeps()
    assert await platforms.remove(10) == 1


async def test_outcome_too_long_to_be_kept_is_not_made_up(gateway_of, caller, database):
    service = gateway_of(max_kept_bytes=100)
    assert (await attempt(service, caller).carry_out([MAKE], Secret("x" * 100)))[0].text == "x" * 100
    for act in (attempt(service, caller).recall, lambda kind: attempt(service, caller).carry_out([MAKE], kind(""))):
        with pytest.raises(Conflict) as refusal:
            await act(Secret)
        assert refusal.value.reason == "idempotency_reply_not_kept"
    assert await made(database) == 1


class Renamed(msgspec.Struct, frozen=True):
    """The same outcome as another version of the program knows it."""

    words: str


async def test_outcome_that_another_version_kept_is_not_made_up(idempotency, caller):
    await attempt(idempotency, caller).carry_out([MAKE], Secret("a"))
    with pytest.raises(Conflict) as refusal:
        await attempt(idempotency, caller).recall(Renamed)
    assert refusal.value.reason == "idempotency_reply_not_kept"


async def test_batch_that_fails_may_be_tried_again_in_the_same_attempt(database, idempotency, caller):
    one = attempt(idempotency, caller)
    for _ in range(2):
        with pytest.raises(Precondition):
            await one.carry_out([MAKE, Statement("DELETE FROM made WHERE id = 9", expect_rows=1)], Secret(""))
    assert (await one.carry_out([MAKE], Secret("third")))[0].text == "third"
    assert (await made(database), one.replayed) == (1, False)


async def test_attempt_has_one_batch_for_a_second_would_not_be_executed(database, idempotency, caller):
    one = attempt(idempotency, caller)
    await one.carry_out([MAKE], Secret(""))
    with pytest.raises(Internal):
        await one.carry_out([MAKE], Secret(""))
    with pytest.raises(Internal):
        await one.execute(SHOP, [MAKE], keep_rows=True)
    assert (await made(database), await made(database, SHOP)) == (1, 0)


async def test_tenants_batch_is_kept_in_the_tenants_database(tmp_path, database, idempotency, caller):
    for _ in range(3):
        (inserted, counted) = await attempt(idempotency, caller).execute(SHOP, [MAKE, COUNT], keep_rows=True)
        assert (inserted.last_insert_id, counted.rows.rows) == (1, [(1,)])
    file = on_disk(tmp_path, SHOP)
    assert file.execute("SELECT count(*) FROM _orama_idempotency").fetchall() == [(1,)]
    file.close()
    assert (await database.query(PLATFORM, Statement("SELECT count(*) FROM _orama_idempotency"))).rows == [(0,)]


async def act_of(database, attempt, outcome):
    """A use case that looks first, changes something, and fails if that was done before."""
    if await made(database):
        raise Unauthenticated("used up")
    return await carry_out(database, [MAKE], outcome, attempt)


async def test_once_knows_an_earlier_outcome_before_it_acts(database, idempotency, caller):
    async def one(number):
        mine = attempt(idempotency, caller)
        return await once(mine, Secret, lambda: act_of(database, mine, Secret("", number))), mine.replayed

    outcomes = await asyncio.gather(*(one(number) for number in range(50)))
    assert len({outcome.number for outcome, _ in outcomes}) == 1
    assert [replayed for _, replayed in outcomes].count(False) == 1
    assert await one(99) == (outcomes[0][0], True)
    assert await made(database) == 1


async def test_once_that_was_overtaken_by_its_repeat_knows_the_outcome_of_that(database, idempotency, caller):
    slow, fast = attempt(idempotency, caller), attempt(idempotency, caller)

    async def overtaken():
        await once(fast, Secret, lambda: act_of(database, fast, Secret("fast")))
        return await act_of(database, slow, Secret("slow"))

    assert await once(slow, Secret, overtaken) == Secret("fast")
    assert (fast.replayed, slow.replayed) == (False, True)


async def test_once_fails_as_the_act_does_if_there_was_no_earlier_attempt(database, idempotency, caller):
    await carry_out(database, [MAKE], Secret(""), None)
    mine = attempt(idempotency, caller)
    with pytest.raises(Unauthenticated):
        await once(mine, Secret, lambda: act_of(database, mine, Secret("")))
    assert await made(database) == 1


async def test_without_an_attempt_each_act_has_its_effect(database):
    for _ in range(2):
        assert await once(None, Secret, lambda: carry_out(database, [MAKE], Secret("a"), None)) == Secret("a")
    assert await made(database) == 2


async def test_act_that_is_only_done_has_its_results_and_is_known_as_done(database, idempotency, caller):
    for batch_attempt in (None, attempt(idempotency, caller), attempt(idempotency, caller)):
        (result,) = await carry_out_unseen(database, [MAKE], batch_attempt)
        assert result.rows_affected == 1
    assert await attempt(idempotency, caller).recall(bool) is True
    assert await made(database) == 2


async def test_nothing_happens_while_the_platforms_database_is_away(database, idempotency, caller):
    database.away = True
    for act in (
        attempt(idempotency, caller).execute(SHOP, [MAKE], keep_rows=True),
        attempt(idempotency, caller).carry_out([MAKE], Secret("")),
        idempotency.recorder.begin(SHOP, idempotency.once("k", caller)),
    ):
        with pytest.raises(Unavailable):
            await act
    database.away = False
    assert (await made(database), await made(database, SHOP)) == (0, 0)
