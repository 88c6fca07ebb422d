"""Connections end with the credential that opened them, and with nothing else."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.namespace import PLATFORM, Namespace
from orama.domain.sql import Statement
from orama.errors import PermissionDenied, Unauthenticated
from orama.services.auth.authenticator import Credentials
from orama.services.auth.watch import CredentialWatch
from support.identity import SHOP
from support.wallet import Wallet


class Connections:
    """Connections of one gateway, and what they were told."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.watch = gateway.auth.watch
        self.told = []

    async def open(self, **credentials):
        found = Credentials(**credentials)
        caller = await self.gateway.auth.authenticator.authenticate(found)
        return self.watch.watch(found, caller, self.told.append)


@pytest.fixture
def connections(gateway):
    return Connections(gateway)


async def operators_key(gateway, **options):
    await gateway.auth.namespaces.create(Namespace("made"))
    return await gateway.auth.api_keys.create(Namespace("made"), **options)


async def test_good_credential_keeps_its_connections_for_ever(gateway, connections, clock):
    key = await operators_key(gateway)
    await connections.open(api_key=key.text)
    for _ in range(100):
        clock.advance(7)
        await connections.watch.check()
    assert connections.told == []


async def test_revoked_key_ends_all_its_connections_at_the_next_look_and_no_others(gateway, connections):
    key, other = await operators_key(gateway), await gateway.auth.api_keys.create(Namespace("made"))
    for text in (key.text, key.text, other.text):
        await connections.open(api_key=text)
    await gateway.auth.api_keys.revoke(Namespace("made"), key.id)
    await connections.watch.check()
    await connections.watch.check()
    assert [type(error) for error in connections.told] == [Unauthenticated] * 2
    assert {error.code.websocket_close for error in connections.told} == {4401}
    assert len(connections.watch) == 1


async def test_key_revoked_by_another_gateway_is_noticed_within_its_decision_and_a_second(gateway, connections, clock):
    key = await operators_key(gateway)
    await connections.open(api_key=key.text)
    other = await type(gateway).open(gateway.database, clock)
    await other.auth.api_keys.revoke(Namespace("made"), key.id)
    for _ in range(6):
        clock.advance(1)
        await connections.watch.check()
    assert len(connections.told) == 1


async def test_expired_token_ends_its_connections(gateway, connections, clock):
    signed_in = await gateway.sign_in(Wallet(1))
    await connections.open(jwt=signed_in.access_token.text)
    clock.advance(900)
    await connections.watch.check()
    assert connections.told == []  # the clocks of two gateways may differ by so much
    clock.advance(61)
    await connections.watch.check()
    assert [error.reason for error in connections.told] == ["invalid_token"]


async def test_expired_key_ends_its_connections(gateway, connections, clock):
    key = await operators_key(gateway, expires_at=int(clock.now() * 1000) + 10_000)
    await connections.open(api_key=key.text)
    clock.advance(9)
    await connections.watch.check()
    assert connections.told == []
    clock.advance(2)
    await connections.watch.check()
    assert len(connections.told) == 1


async def test_signing_out_ends_the_connections_of_the_sign_in(gateway, connections):
    signed_in = await gateway.sign_in(Wallet(2))
    await connections.open(jwt=signed_in.access_token.text)
    await connections.open(api_key=signed_in.api_key.text)
    await gateway.auth.sessions.logout(None, refresh_token=signed_in.refresh_token, namespace=SHOP, everywhere=False)
    await connections.watch.check()
    assert len(connections.told) == 2


async def test_outage_ends_nothing(gateway, connections, clock):
    key = await operators_key(gateway)
    await connections.open(api_key=key.text)
    gateway.database.away = True
    for _ in range(100):
        clock.advance(10)
        await connections.watch.check()
    assert connections.told == []
    gateway.database.away = False
    await gateway.auth.api_keys.revoke(Namespace("made"), key.id)
    clock.advance(10)
    await connections.watch.check()
    assert len(connections.told) == 1


async def test_change_of_rights_ends_the_connections(gateway, connections, clock):
    key = await operators_key(gateway, scopes=("cache:*",))
    await connections.open(api_key=key.text)
    sql = "UPDATE api_keys SET scopes = 'db:*' WHERE id = ?"
    await gateway.database.execute(PLATFORM, [Statement(sql, (key.id,))])
    clock.advance(6)
    await connections.watch.check()
    assert [type(error) for error in connections.told] == [PermissionDenied]
    assert connections.told[0].code.websocket_close == 4403


async def test_connection_that_ended_is_told_nothing_and_nothing_is_left_of_it(gateway, connections):
    key = await operators_key(gateway)
    first, second = await connections.open(api_key=key.text), await connections.open(api_key=key.text)
    first.end()
    first.end()
    assert len(connections.watch) == 1
    second.end()
    assert len(connections.watch) == 0
    third = await connections.open(api_key=key.text)
    second.end()
    await gateway.auth.api_keys.revoke(Namespace("made"), key.id)
    await connections.watch.check()
    assert len(connections.told) == 1
    third.end()
    assert len(connections.watch) == 0


async def test_one_question_serves_all_connections_of_a_credential(gateway, connections, clock):
    key = await operators_key(gateway)
    for _ in range(50):
        await connections.open(api_key=key.text)
    clock.advance(6)
    calls = gateway.database.calls
    await connections.watch.check()
    assert gateway.database.calls - calls == 1


async def test_looking_never_stops(gateway, connections, clock):
    watch = CredentialWatch(gateway.auth.authenticator, clock)
    task = asyncio.create_task(watch.run())
    key = await operators_key(gateway)
    found = Credentials(api_key=key.text)
    told = []
    watch.watch(found, await gateway.auth.authenticator.authenticate(found), told.append)
    await gateway.auth.api_keys.revoke(Namespace("made"), key.id)
    for _ in range(50):
        clock.advance(1)
        await asyncio.sleep(0.01)
        if told:
            break
    task.cancel()
    assert len(told) == 1
