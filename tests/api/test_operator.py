"""What an operator relies on: metrics, health, status, version, logs and request ids."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from contextlib import asynccontextmanager

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.caller import Caller
from support.node import node_process, running_node, wait_until

PROMTOOL = shutil.which("promtool")

# Each by what an operator asks for.
METRICS = {
    "requests": ("orama_http_requests_total", {"operation", "method", "status"}),
    "latencies": ("orama_http_request_duration_seconds_bucket", {"operation", "le"}),
    "errors by route and code": ("orama_http_errors_total", {"operation", "code"}),
    "hits of the cache": ("orama_cache_lookups_total", {"result"}),
    "hits of local caches": ("orama_local_cache_lookups_total", {"cache", "result"}),
    "times of the database": ("orama_port_duration_seconds_bucket", {"port", "method", "le"}),
    "failures of backends": ("orama_port_errors_total", {"port", "method", "code"}),
    "requests in flight": ("orama_http_in_flight", set()),
    "open connections": ("orama_http_connections", set()),
    "memory of the process": ("process_resident_memory_bytes", set()),
    "processor time": ("process_cpu_seconds_total", set()),
    "open files": ("process_open_fds", set()),
    "lost log lines": ("orama_log_dropped_total", set()),
    "removed rows": ("orama_swept_rows_total", {"place"}),
    "failed removals": ("orama_sweep_failures_total", {"place"}),
}


@asynccontextmanager
async def used_node(tmp_path, **settings):
    """A node that has answered well and badly."""
    async with running_node(tmp_path, **settings) as node:
        owner = Caller.with_key(node.client, await node.key("demo"))
        await owner.ok("/v1/cache/put", {"dmap": "m", "key": "k", "value": 1})
        for key in ("k", "k", "k", "none"):
            await owner.post("/v1/cache/get", {"dmap": "m", "key": key})
        await owner.ok("/v1/rqlite/query", {"sql": "SELECT 1"})
        await owner.refused("/v1/rqlite/query", {"sql": "SELECT nonsense"}, 422)
        await node.client.get("/v1/auth/whoami")
        await node.client.get("/nowhere")
        yield node


async def samples_of(client):
    text = (await client.get("/metrics")).text
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def value_of(samples, name, **labels):
    (value,) = (one.value for one in samples if one.name == name and one.labels.items() >= labels.items())
    return value


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus")
async def test_metrics_are_clean_in_the_eyes_of_promtool(tmp_path):
    async with used_node(tmp_path) as node:
        reply = await node.client.get("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=reply.content, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("driver", ["http1", "asgi"])
async def test_metrics_that_operators_ask_for_are_there_and_count(tmp_path, driver):
    async with used_node(tmp_path, driver=driver) as node:
        samples = await samples_of(node.client)
    labels = {}
    for sample in samples:
        labels.setdefault(sample.name, set()).update(sample.labels)
    assert {what: labels.get(name) for what, (name, _) in METRICS.items()} == {
        what: expected for what, (_, expected) in METRICS.items()
    }
    requests = "orama_http_requests_total"
    assert value_of(samples, requests, operation="cache.get", method="POST", status="200") == 3
    assert value_of(samples, requests, operation="cache.get", method="POST", status="404") == 1
    assert value_of(samples, requests, operation="unknown", status="404") == 1
    assert value_of(samples, "orama_http_errors_total", operation="auth.whoami", code="UNAUTHENTICATED") == 1
    assert value_of(samples, "orama_http_errors_total", operation="database.query", code="UNPROCESSABLE") == 1
    assert value_of(samples, "orama_http_request_duration_seconds_count", operation="cache.get") == 4
    assert value_of(samples, "orama_cache_lookups_total", result="hit") == 3
    assert value_of(samples, "orama_cache_lookups_total", result="miss") == 1
    assert value_of(samples, "orama_local_cache_lookups_total", cache="credentials", result="miss") == 1
    assert value_of(samples, "orama_local_cache_lookups_total", cache="credentials", result="hit") == 6
    assert value_of(samples, "orama_port_errors_total", port="database", method="query", code="UNPROCESSABLE") == 1
    assert value_of(samples, "orama_http_in_flight") == 1, "the one that asks"


async def test_labels_of_metrics_have_as_few_values_as_there_are_operations(tmp_path):
    async with used_node(tmp_path) as node:
        before = len(await samples_of(node.client))
        for number in range(50):
            await node.client.get(f"/path/{number}", params={"q": number})
            await node.client.request(f"METHOD{number}", "/health")
            await node.client.get("/v1/auth/whoami", headers={"X-API-Key": f"ak_{number}"})
        after = await samples_of(node.client)
    assert len(after) - before < 30, "one more operation and one more error, not one for each request"
    assert not [one for one in after if "METHOD" in str(one.labels)]


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 200),
        ({"metrics__networks": ["10.0.0.0/8"]}, {}, 403),
        ({}, {"X-Forwarded-For": "127.0.0.1"}, 403),
        ({}, {"Forwarded": "for=127.0.0.1"}, 403),
        ({"server__trusted_proxies": ["127.0.0.1"]}, {"X-Forwarded-For": "192.0.2.9"}, 403),
        ({"server__trusted_proxies": ["127.0.0.1"]}, {"X-Forwarded-For": "127.0.0.1, 192.0.2.9"}, 403),
        (
            {"server__trusted_proxies": ["127.0.0.1"], "metrics__networks": ["192.0.2.0/24"]},
            {"X-Forwarded-For": "192.0.2.9"},
            200,
        ),
    ],
)
@pytest.mark.parametrize("driver", ["http1", "asgi"])
async def test_metrics_are_for_the_configured_networks(tmp_path, driver, settings, headers, status):
    async with running_node(tmp_path, driver=driver, **settings) as node:
        reply = await node.client.get("/metrics", headers=headers)
    assert reply.status_code == status
    if status == 403:
        assert reply.json()["reason"] == "network_not_allowed"
        assert "orama_" not in reply.text


async def test_lost_database_is_told_by_ready_status_and_metrics_while_health_stays_ok(tmp_path):
    async with used_node(tmp_path) as node:
        key = await node.key("demo")
        caller = Caller.with_key(node.client, key)
        assert (await node.client.get("/ready")).status_code == 200
        await node.node.auth.api_keys._database.close()
        await asyncio.sleep(1.05)  # a probe counts for a second
        ready = await node.client.get("/ready")
        assert (ready.status_code, ready.json()["reason"], ready.json()["retryable"]) == (503, "not_ready", True)
        assert "database" in ready.json()["error"]
        assert int(ready.headers["retry-after"]) >= 1
        status = (await node.client.get("/v1/status")).json()
        assert status["status"] == "degraded"
        assert status["services"]["database"]["status"] == "down"
        assert status["services"]["database"]["error"]
        assert status["services"]["cache"]["status"] == "ok"
        assert (await node.client.get("/health")).json()["status"] == "ok"
        assert (await caller.post("/v1/rqlite/query", {"sql": "SELECT 1"})).status_code == 503
        samples = await samples_of(node.client)
        assert value_of(samples, "orama_port_errors_total", port="database", method="ping", code="UNAVAILABLE") == 1


async def test_status_probes_at_most_once_a_second(tmp_path):
    async with running_node(tmp_path) as node:
        replies = await asyncio.gather(*(node.client.get("/v1/status") for _ in range(50)))
        assert {reply.status_code for reply in replies} == {200}
        samples = await samples_of(node.client)
    assert value_of(samples, "orama_port_duration_seconds_count", port="database", method="ping") <= 2


async def test_node_that_leaves_is_not_ready_and_still_serves(tmp_path):
    async with used_node(tmp_path) as node:
        node.node.health.drain()
        reply = await node.client.get("/ready")
        assert (reply.status_code, reply.json()["reason"]) == (503, "draining")
        assert (await node.client.get("/health")).status_code == 200
        caller = Caller.with_key(node.client, await node.key("demo"))
        assert (await caller.post("/v1/rqlite/query", {"sql": "SELECT 1"})).status_code == 200


@pytest.mark.parametrize("driver", ["http1", "asgi"])
async def test_request_id_goes_in_and_out_also_of_errors(tmp_path, driver):
    async with running_node(tmp_path, driver=driver) as node:
        for path in ("/health", "/nowhere", "/v1/auth/whoami"):
            given = await node.client.get(path, headers={"X-Request-ID": "My-Id_1.2:3"})
            assert given.headers["x-request-id"] == "My-Id_1.2:3"
            made = [(await node.client.get(path)).headers["x-request-id"] for _ in range(3)]
            assert len(set(made)) == 3
            if given.status_code >= 400:
                assert given.json()["request_id"] == "My-Id_1.2:3"
        for harmful in ("a b", "a" * 129, "<script>", '"', "é".encode()):
            reply = await node.client.get("/health", headers={b"X-Request-ID": harmful})
            assert re.fullmatch(r"[0-9a-f-]+", reply.headers["x-request-id"])


async def test_w50_each_request_is_logged_as_json_with_ids_and_allow_listed_fields_only(tmp_path):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with node_process(tmp_path / "data", environment={"ORAMA_LOG__LEVEL": "debug"}) as node:
        key = node.key("demo")
        async with httpx2.AsyncClient(base_url=node.url, timeout=30) as client:
            traced = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-Request-ID": "traced", "X-API-Key": key}
            await client.post("/v1/rqlite/query?x=1", json={"sql": "SELECT 1"}, headers=traced)
            await client.get("/v1/auth/whoami", headers={"traceparent": "00-nonsense-01", "X-Request-ID": "refused"})
            await client.get("/health", headers={"X-Request-ID": "healthy"})
            await client.get("/a%0d%0aforged%20line", headers={"X-Request-ID": "forger"})
            await asyncio.to_thread(wait_until, lambda: "forger" in node.log())
        lines = node.log().splitlines()
    records = {record["request_id"]: record for record in map(json.loads, lines) if "request_id" in record}
    for line in lines:
        assert {"timestamp", "level", "event"} <= set(json.loads(line)), "every line is JSON"
    traced = records["traced"]
    assert set(traced) == {
        *("timestamp", "level", "event", "request_id", "method", "path", "operation", "status", "bytes"),
        *("duration_ms", "client", "namespace", "subject", "trace_id"),
    }
    assert (traced["trace_id"], traced["path"], traced["operation"]) == (trace, "/v1/rqlite/query", "database.query")
    assert (traced["namespace"], traced["subject"]) == ("demo", "_".join(key.split("_")[:2]))
    assert (traced["level"], traced["status"]) == ("info", 200)
    assert records["refused"]["code"] == "UNAUTHENTICATED"
    assert "trace_id" not in records["refused"]
    assert records["healthy"]["level"] == "debug"
    assert records["forger"]["path"] == "/a%0d%0aforged%20line"


async def test_slow_statement_is_logged_with_its_shape_and_its_request(tmp_path):
    slow = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) SELECT count(*) AS found FROM n -- why"
    with node_process(tmp_path / "data", environment={"ORAMA_DATABASE__LIMITS__SLOW_STATEMENT_S": "0.02"}) as node:
        async with httpx2.AsyncClient(base_url=node.url, timeout=30) as client:
            owner = Caller.with_key(client, node.key("demo"))
            for name, rows in (("quick", 1), ("slow", 500_000)):
                reply = await owner.post(
                    "/v1/rqlite/query", {"sql": slow.format(rows)}, headers={"X-Request-ID": f"the-{name}-one"}
                )
                assert reply.json()["rows"] == [[rows]]
        assert node.stop() == 0
    (event,) = [
        one for one in node.log_records() if one["event"] == "slow statement" and one["namespace"] != "_platform"
    ]
    assert 20 < event.pop("duration_ms") < 5_000
    del event["timestamp"]
    assert event == {
        "level": "warning",
        "event": "slow statement",
        "request_id": "the-slow-one",
        "namespace": "demo",
        "shape": "WITH n(i) AS (SELECT ? UNION ALL SELECT i + ? FROM n LIMIT ?) SELECT count(*) AS found FROM n",
        "rows": 1,
        "failed": False,
    }


async def test_log_at_level_error_is_silent_about_what_callers_do_wrong(tmp_path):
    with node_process(tmp_path / "data", environment={"ORAMA_LOG__LEVEL": "error"}) as node:
        async with httpx2.AsyncClient(base_url=node.url, timeout=30) as client:
            owner = Caller.with_key(client, node.key("demo"))
            await owner.refused("/v1/rqlite/query", {"sql": "SELECT nonsense"}, 422)
            await owner.refused("/v1/rqlite/query", b"nonsense", 400)
            await owner.refused("/v1/cache/put", {"dmap": "m", "key": "k", "value": 1, "ttl": "soon"}, 400)
            body = {"wallet": "0x" + "1" * 40, "nonce": "n", "signature": "s"}
            await Caller(client).refused("/v1/auth/verify", body, 401)
        assert node.stop() == 0
        assert node.log() == ""


async def test_node_removes_what_is_over_by_itself(tmp_path):
    settings = {"sweeper__interval_s": 0.05, "auth__challenge_s": 1, "auth__clock_skew_s": 0}
    async with running_node(tmp_path, **settings) as node:
        await Caller(node.client).ok("/v1/auth/challenge", {"wallet": "0x" + "1" * 40})
        assert value_of(await samples_of(node.client), "orama_swept_rows_total", place="challenges") == 0
        async with asyncio.timeout(20):
            while value_of(await samples_of(node.client), "orama_swept_rows_total", place="challenges") == 0:
                await asyncio.sleep(0.05)
        assert value_of(await samples_of(node.client), "orama_swept_rows_total", place="challenges") == 1
        assert value_of(await samples_of(node.client), "orama_sweep_failures_total", place="challenges") == 0
