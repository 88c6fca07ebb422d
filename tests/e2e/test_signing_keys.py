"""Signing keys are replaced while a node runs: nobody is signed out, and nobody can make the node read for nothing."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time

import httpx2
import jwt
import pytest

from orama.config.loader import load
from orama.domain.namespace import PLATFORM
from orama.node.assembly import operator_identity
from support.node import ORAMA, NodeProcess, node_process, wait_until
from support.sqlite import on_disk

QUICK = {"ORAMA_AUTH__SIGNING_KEY_REFRESH_S": "1"}


def exchange(node: NodeProcess, key: str) -> str:
    return httpx2.post(f"{node.url}/v1/auth/token", headers={"X-API-Key": key}).json()["access_token"]


def key_set(node: NodeProcess) -> dict[str, dict[str, str]]:
    return {key["kid"]: key for key in httpx2.get(f"{node.url}/v1/auth/jwks").json()["keys"]}


def holds(node: NodeProcess, token: str) -> bool:
    return httpx2.get(f"{node.url}/v1/auth/whoami", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def kid_of(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
def test_rotation_while_the_node_runs_keeps_old_tokens_and_signs_new_ones_with_the_new_key(tmp_path, algorithm):
    with node_process(tmp_path / "data", environment={**QUICK, "ORAMA_AUTH__JWT_ALGORITHM": algorithm}) as node:
        key = node.key()
        before = exchange(node, key)
        rotated = node.admin("keys", "rotate-signing", "--json")
        assert rotated.returncode == 0, rotated.stderr
        facts = json.loads(rotated.stdout)
        assert facts["algorithm"] == algorithm
        assert facts["signs_from"] < facts["old_verify_until"]
        wait_until(lambda: kid_of(exchange(node, key)) == facts["kid"])
        after = exchange(node, key)
        assert holds(node, before)
        assert holds(node, after)
        assert list(key_set(node)) == [facts["kid"], kid_of(before)]
        for token in (before, after):
            public = jwt.PyJWK(key_set(node)[kid_of(token)])
            assert jwt.decode(token, public, algorithms=[algorithm], audience="gateway")["namespace"] == "demo"
        node.stop()
    with node_process(tmp_path / "data", environment=QUICK) as node:
        assert holds(node, before)
        assert holds(node, after)
        assert kid_of(before) in key_set(node)


def test_rotation_tells_people_what_happens_when(tmp_path):
    with node_process(tmp_path / "data") as node:
        told = node.admin("keys", "rotate-signing")
        assert told.returncode == 0, told.stderr
        assert re.search(r"new signing key [0-9a-f]{16} \(EdDSA\).*signs from 20", told.stdout)
        assert "tokens of the old keys stay good" in told.stdout


def test_rotations_at_once_leave_one_key_and_every_token_good(tmp_path):
    with node_process(tmp_path / "data", environment=QUICK) as node:
        key = node.key()
        before = exchange(node, key)
        racing = [
            subprocess.Popen(
                [ORAMA, "admin", "keys", "rotate-signing", "--json", "--data-dir", node.data_dir],
                env=node.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(4)
        ]  # fmt: skip
        answers = [one.communicate(timeout=60) for one in racing]
        assert [one.returncode for one in racing] == [0] * 4, answers
        made = {json.loads(out)["kid"] for out, _ in answers}
        file = on_disk(node.data_dir, PLATFORM)
        ((last,),) = file.execute("SELECT kid FROM signing_keys WHERE retired_at IS NULL").fetchall()
        file.close()
        assert last in made
        wait_until(lambda: kid_of(exchange(node, key)) == last)
        assert set(key_set(node)) == made | {kid_of(before)}
        assert holds(node, before)
        assert holds(node, exchange(node, key))


async def test_token_of_a_key_made_a_moment_ago_elsewhere_is_good_at_once(tmp_path):
    """Another gateway of the same cluster, of another algorithm, makes its key and signs; the node has just looked."""
    with node_process(tmp_path / "data") as node:
        key = node.key()
        old = exchange(node, key)
        assert not holds(node, forged(old, "0" * 16))
        config = load(environment={}, flags={"node.data_dir": str(node.data_dir), "auth.jwt_algorithm": "RS256"}).config
        async with operator_identity(config) as other:
            token, _ = await other.sessions.exchange(key)
        assert kid_of(token.text) != kid_of(old)
        assert holds(node, token.text)


async def test_made_up_kids_make_the_node_read_ten_times_a_second_at_most(tmp_path):
    # Without rate limits, which are per address: a crowd of callers does not meet them.
    with node_process(tmp_path / "data", environment={"ORAMA_LIMITS__ENABLED": "false"}) as node:
        token = exchange(node, node.key())
        async with httpx2.AsyncClient(base_url=node.url, timeout=60) as client:
            await client.get("/v1/auth/whoami", headers={"Authorization": f"Bearer {token}"})
            before, began = await queries(client), time.monotonic()
            numbers = iter(range(600))

            async def knock() -> None:
                for number in numbers:
                    bearer = {"Authorization": f"Bearer {forged(token, f'{number:016x}')}"}
                    assert (await client.get("/v1/auth/whoami", headers=bearer)).status_code == 401

            await asyncio.gather(*(knock() for _ in range(100)))
            spent = time.monotonic() - began
            assert await queries(client) - before <= spent / 0.1 + 2
            good = await client.get("/v1/auth/whoami", headers={"Authorization": f"Bearer {token}"})
            assert good.status_code == 200


def forged(token: str, kid: str) -> str:
    payload = jwt.api_jws.decode_complete(token, options={"verify_signature": False})["payload"]
    return jwt.api_jws.encode(payload, "k" * 32, "HS256", {"kid": kid})


async def queries(client: httpx2.AsyncClient) -> float:
    text = (await client.get("/metrics")).text
    (value,) = re.findall(
        r'^orama_port_duration_seconds_count\{method="query",port="database"\} (\S+)', text, re.MULTILINE
    )
    return float(value)
