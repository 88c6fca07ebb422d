"""Health, status and version as load balancers, SDKs and installers read them (wire §8, decisions 16 and 17)."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPTIME = re.compile(r"(\d+h)?(\d+m)?\d+(\.\d)?s")


@pytest.mark.parametrize("path", ["/health", "/v1/health"])
async def test_health_is_200_with_status_ok(anonymous, path):
    answer = (await anonymous.get(path)).json()
    assert set(answer) == {"status", "server", "client"}
    assert (answer["status"], answer["server"]["status"]) == ("ok", "ok")
    assert UPTIME.fullmatch(answer["server"]["uptime"])
    assert datetime.fromisoformat(answer["server"]["started_at"]).tzinfo is not None


@pytest.mark.parametrize("path", ["/status", "/v1/status"])
async def test_status_names_the_server_the_network_and_each_service(anonymous, path):
    answer = (await anonymous.get(path)).json()
    assert set(answer) == {"status", "server", "network", "services"}
    assert answer["status"] == "ok"
    assert UPTIME.fullmatch(answer["server"]["uptime"])
    network = answer["network"]
    assert set(network) == {"node_id", "peer_id", "connected", "peer_count", "database_size", "uptime"}
    assert (network["connected"], network["peer_count"]) == (True, 0)
    assert network["database_size"] > 0
    assert network["uptime"] > 0
    assert set(answer["services"]) == {"database", "cache", "pubsub"}
    for service in answer["services"].values():
        assert service["status"] == "ok"
        assert service["latency_ms"] >= 0


async def test_version_says_what_runs_since_when(anonymous):
    answer = (await anonymous.get("/v1/version")).json()
    assert set(answer) == {"version", "commit", "build_time", "started_at", "uptime"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer["version"])


async def test_ready_is_200_while_the_node_wants_traffic(anonymous):
    assert (await anonymous.get("/ready")).json() == {"status": "ready"}


@pytest.mark.parametrize("path", ["/health", "/v1/version", "/v1/auth/whoami", "/v1/cache/health", "/v1/rqlite/schema"])
async def test_head_answers_as_get_without_a_body(owner, path):
    reply = await owner.send("HEAD", path)
    assert (reply.status_code, reply.content) == (200, b"")
    assert int(reply.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/v1/rqlite/query", "/v1/auth/challenge", "/nowhere", "/health"])
async def test_preflight_is_204_for_any_path_without_a_credential(anonymous, path):
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    reply = await anonymous.send("OPTIONS", path, headers=asked)
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-max-age"] == "600"
    assert {"GET", "PUT", "POST", "DELETE"} <= set(reply.headers["access-control-allow-methods"].split(", "))
    allowed = set(reply.headers["access-control-allow-headers"].split(", "))
    assert {"Content-Type", "Authorization", "X-API-Key", "X-Request-ID"} <= allowed


async def test_every_reply_can_be_read_by_a_browser_also_an_error(anonymous, owner):
    replies = [
        await anonymous.get("/health"),
        await anonymous.get("/v1/auth/whoami"),
        await anonymous.get("/nowhere"),
        await owner.post("/v1/rqlite/query", {"sql": "SELECT 1"}),
        await owner.post("/v1/rqlite/query", b"nonsense"),
    ]
    for reply in replies:
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in reply.headers
        exposed = set(reply.headers["access-control-expose-headers"].split(", "))
        assert {"X-Request-ID", "X-Duration-Ms", "X-RateLimit-Limit", "Retry-After", "Content-Disposition"} <= exposed
        assert reply.headers["x-content-type-options"] == "nosniff"


async def test_unknown_path_is_404_in_the_one_error_form(anonymous, owner):
    for caller in (anonymous, owner):
        for path in ("/nowhere", "/v1", "/v1/rqlite", "/v1/rqlite/nothing", "/v1//health", "/health/"):
            reply = await caller.get(path)
            assert (reply.status_code, reply.json()["code"]) == (404, "NOT_FOUND"), path


async def test_root_says_where_to_read_on_and_leads_browsers_there(node):
    reply = await node.client.get("/")
    assert (reply.status_code, reply.headers["location"]) == (303, "/docs")
    links = reply.json()
    assert links["name"] == "Orama"
    for name in ("docs", "openapi", "status"):
        assert (await node.client.get(links[name])).status_code == 200


async def test_page_of_the_documentation_runs_its_own_script_and_nothing_else(node):
    reply = await node.client.get("/docs")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";"))
    (script,) = re.findall(r"<script>(.*?)</script>", reply.text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    for name, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[name] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert not re.search("https?://", reply.text), "it names no other place"
    assert "innerHTML" not in script
