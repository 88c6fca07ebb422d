"""Clients that repeat what was not answered, with a key, against a node that is killed again and again."""

from __future__ import annotations

import random
import signal
import sqlite3
import threading
import time
from contextlib import suppress

import httpx2
import pytest

from support.examples import fresh_wallet
from support.node import node_process

LIVES = 20


class Client:
    """Sends one request after the other until its reply came; at most one is ever open. Sometimes it hangs up first."""

    def __init__(self, number: int, credential: str) -> None:
        self.number = number
        self.headers = {"X-API-Key": credential}
        self.answered: dict[str, dict[str, object]] = {}
        self.replayed = 0
        self._open: tuple[str, str, dict[str, object]] | None = None
        self._count = 0

    def run(self, url: str) -> None:
        """Work until the node is gone."""
        with httpx2.Client(base_url=url, timeout=30) as http:
            try:
                while True:
                    key, path, body = self._open = self._open or self._next(http)
                    headers = {**self.headers, "Idempotency-Key": key}
                    if self._count % 3 == 0:
                        self._hang_up(http, path, body, headers)
                    reply = http.post(path, json=body, headers=headers)
                    assert reply.status_code == 200, reply.text
                    self.replayed += "idempotency-replayed" in reply.headers
                    self.answered[key] = reply.json()
                    self._open = None
            except httpx2.TransportError:
                return

    def _hang_up(self, http: httpx2.Client, path: str, body: dict[str, object], headers: dict[str, str]) -> None:
        """Send, and lose patience before the reply comes, or just as it does."""
        with suppress(httpx2.ReadTimeout):
            http.post(path, json=body, headers=headers, timeout=httpx2.Timeout(30, read=0.003))

    def _next(self, http: httpx2.Client) -> tuple[str, str, dict[str, object]]:
        self._count += 1
        key = f"{self.number}-{self._count}"
        if self._count % 8:
            sql = "INSERT INTO made (key) VALUES (?) RETURNING id"
            return key, "/v1/rqlite/transaction", {
                "ops": [{"kind": "query", "sql": sql, "args": [key]}], "return_results": True,
            }  # fmt: skip
        wallet = fresh_wallet()
        asked = http.post("/v1/auth/challenge", json={"wallet": wallet.address, "namespace": f"own{key}"})
        text = asked.json()["nonce"]
        body = {"wallet": wallet.address, "nonce": text, "signature": wallet.sign(text), "namespace": f"own{key}"}
        return key, "/v1/auth/api-key", body


@pytest.mark.timeout(300)
def test_each_request_with_a_key_takes_effect_once_when_the_node_is_killed_at_20_random_points(tmp_path):
    source = random.Random(20261125)
    environment = {"ORAMA_LIMITS__ENABLED": "false"}
    with node_process(tmp_path / "data", environment=environment) as node:
        credential = node.key()
        table = {"schema": "CREATE TABLE made (id INTEGER PRIMARY KEY, key TEXT)"}
        made = httpx2.post(f"{node.url}/v1/rqlite/create-table", json=table, headers={"X-API-Key": credential})
        assert made.status_code == 201
        node.stop(signal.SIGKILL)
    clients = [Client(number, credential) for number in range(4)]
    for life in range(LIVES + 1):
        with node_process(tmp_path / "data", environment=environment) as node:
            threads = [threading.Thread(target=client.run, args=(node.url,)) for client in clients]
            for thread in threads:
                thread.start()
            time.sleep(source.uniform(0.0, 0.15) if life < LIVES else 1.0)
            node.stop(signal.SIGKILL)
            for thread in threads:
                thread.join(timeout=30)
    with node_process(tmp_path / "data", environment=environment) as node:
        query = {"sql": "SELECT key, count(*), max(id) FROM made GROUP BY key"}
        reply = httpx2.post(f"{node.url}/v1/rqlite/query", json=query, headers={"X-API-Key": credential})
        rows = {key: (count, number) for key, count, number in reply.json()["rows"]}
        assert {count for count, _ in rows.values()} == {1}, "a row for each key, not two"
        answers = {key: answer for client in clients for key, answer in client.answered.items()}
        for key, answer in answers.items():
            if "results" in answer:
                assert answer["results"] == [[{"id": rows[key][1]}]], "and the reply tells of that row"
            else:
                who = httpx2.get(f"{node.url}/v1/auth/whoami", headers={"X-API-Key": answer["api_key"]})
                assert who.status_code == 200
        node.stop()
    file = sqlite3.connect(tmp_path / "data" / "system.db")
    issued = dict(file.execute("SELECT namespace, group_concat(id) FROM api_keys WHERE namespace <> 'demo' GROUP BY 1"))
    file.close()
    keys = {one["namespace"]: one["api_key"].split("_")[1] for one in answers.values() if "api_key" in one}
    assert keys.items() <= issued.items(), "a key for each namespace, not two, and it was handed out"
    assert len(issued) - len(keys) <= len(clients)
    assert len(rows) - len([answer for answer in answers.values() if "results" in answer]) <= len(clients)
    assert len(answers) > 100, "the clients must have done something between the kills"
    assert sum(client.replayed for client in clients) > 0, "some reply must have been lost"
