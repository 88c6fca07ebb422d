"""``/v1/auth/login`` over HTTP: the page's headers and data, the redirect that the Go command line expects, codes."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from support.caller import Caller, signed
from support.examples import fresh_wallet
from support.solana import SolanaWallet

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"auth__login_callbacks": ["https://app.example/auth/"]}
APP, LOCAL = "https://app.example/auth/cb", "http://localhost:51234/callback"
VERIFIER = "v" * 43
CODE_CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
WITH_CODE = {"code_challenge": CODE_CHALLENGE, "code_challenge_method": "S256"}


async def page(node, **query):
    return await node.client.get("/v1/auth/login", params=query)


def data_of(reply):
    return msgspec.json.decode(html.unescape(re.search(r'data-page="([^"]*)"', reply.text)[1]))


async def finish(node, wallet, namespace, purpose, **asked):
    body = await signed(node.client, wallet, namespace, purpose, **asked)
    redirect = (await Caller(node.client).ok("/v1/auth/login", body))["redirect"]
    return redirect, dict(parse_qsl(urlsplit(redirect).query, keep_blank_values=True))


async def test_page_runs_nothing_but_its_own_script_and_is_neither_framed_nor_kept(node):
    reply = await page(node, callback=LOCAL)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", reply.text, re.DOTALL)
        assert len(texts) == 1
        digest = base64.b64encode(hashlib.sha256(texts[0].encode()).digest()).decode()
        assert policy.pop(kind) == f"'sha256-{digest}'"
    assert policy == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    markup = reply.text.partition("<script>")[0]
    assert re.findall(r'(?:src|href|action)="([^"]*)"', markup) == ["data:,"], "nothing is loaded from anywhere"
    assert "url(" not in markup
    assert "@import" not in markup
    assert len(reply.content) < 25_000
    head = await node.client.head("/v1/auth/login", params={"callback": LOCAL})
    assert head.headers["content-security-policy"] == reply.headers["content-security-policy"]


async def test_page_carries_what_was_asked(node):
    reply = await page(node, callback=APP, namespace="shop", state="a b", **WITH_CODE)
    assert data_of(reply) == {
        "callback": APP,
        "asker": "app.example",
        "is_loopback": False,
        "cancel": f"{APP}?error=access_denied&state=a+b",
        "namespace": "shop",
        "state": "a b",
        "purpose": "login_page",
        "chain_id": 1,
        **WITH_CODE,
    }
    local = data_of(await page(node, callback=LOCAL))
    assert (local["namespace"], local["purpose"], local["is_loopback"]) == ("default", "api_key_generation", True)


async def test_page_is_the_same_bytes_but_for_its_data(node):
    """So that a policy by hash is enough: nothing of the request stands in script, style or markup."""

    def without_data(reply):
        return re.sub(r'data-page="[^"]*"', "", reply.text)

    plain = without_data(await page(node, callback=LOCAL))
    for state in (
        "</script><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "@script@",
        "@data@",
        "&quot;",
    ):
        reply = await page(node, callback=APP, state=state, **WITH_CODE)
        assert without_data(reply) == plain
        assert data_of(reply)["state"] == state


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, "callback parameter is required"),
        ({"callback": ""}, "callback parameter is required"),
        ({"callback": "https://evil.example/"}, "not allowed"),
        ({"callback": "javascript:alert(1)"}, "not allowed"),
        ({"callback": "//evil.example"}, "not allowed"),
        ({"callback": "http://localhost@evil.example"}, "not allowed"),
        ({"callback": APP}, "code_challenge is required"),
        ({"callback": APP, "code_challenge": CODE_CHALLENGE}, "must be S256"),
        ({"callback": APP, **WITH_CODE, "code_challenge_method": "plain"}, "must be S256"),
        ({"callback": LOCAL, "code_challenge": "short", "code_challenge_method": "S256"}, "43 characters"),
        ({"callback": LOCAL, "namespace": "a b"}, "invalid namespace"),
        ({"callback": LOCAL, "state": "x" * 513}, "512"),
    ],
)  # fmt: skip
async def test_what_may_not_be_asked_is_refused_before_anything_is_shown(node, query, text):
    reply = await page(node, **query)
    assert reply.status_code == 400
    assert text in reply.json()["error"]
    assert "evil" not in reply.text


async def test_of_a_parameter_that_comes_twice_one_alone_counts_everywhere(node):
    reply = await node.client.get(f"/v1/auth/login?callback=http://localhost:1/a&callback={LOCAL}")
    assert data_of(reply)["callback"] == LOCAL
    reply = await node.client.get(f"/v1/auth/login?callback={LOCAL}&callback=https://evil.example/")
    assert reply.status_code == 400


@pytest.mark.parametrize("wallet", [fresh_wallet(), SolanaWallet(77)])
async def test_redirect_is_what_the_go_command_line_reads(node, wallet):
    place = f"golang{wallet.bare[:6]}"
    redirect, handed = await finish(node, wallet, place, "api_key_generation", callback=LOCAL)
    assert redirect.startswith(f"{LOCAL}?api_key=ak_")
    assert list(handed) == ["api_key", "namespace", "wallet", "plan"]
    assert (handed["namespace"], handed["wallet"], handed["plan"]) == (place, wallet.bare, "free")
    caller = Caller.with_key(node.client, handed["api_key"])
    assert (await caller.get("/v1/auth/whoami")).json()["namespace"] == place


async def test_code_is_exchanged_for_everything_that_a_sign_in_gives(node):
    wallet = fresh_wallet()
    place = f"code{wallet.bare[:6]}"
    redirect, handed = await finish(node, wallet, place, "login_page", callback=APP, state="s 1", **WITH_CODE)
    assert set(handed) == {"code", "state"}
    assert handed["state"] == "s 1"
    assert "ak_" not in redirect
    anonymous = Caller(node.client)
    body = {"code": handed["code"], "code_verifier": VERIFIER, "callback": APP}
    for wrong in ({"code_verifier": "w" * 43}, {"callback": LOCAL}, {"code": "0" * 43}):
        refusal = await anonymous.refused("/v1/auth/login/exchange", {**body, **wrong}, 401, "invalid or expired code")
        assert refusal["reason"] == "invalid_code"
    answer = await anonymous.ok("/v1/auth/login/exchange", body)
    assert set(answer) == {
        *("access_token", "token", "jwt_token", "token_type", "expires_in", "refresh_token"),
        *("subject", "wallet", "namespace", "api_key"),
    }
    assert (answer["subject"], answer["wallet"], answer["namespace"]) == (wallet.subject, wallet.bare, place)
    token, key = Caller.with_token(node.client, answer["token"]), Caller.with_key(node.client, answer["api_key"])
    assert (await token.get("/v1/auth/whoami")).json()["subject"] == wallet.subject
    assert (await key.get("/v1/auth/whoami")).status_code == 200
    await anonymous.ok("/v1/auth/refresh", {"refresh_token": answer["refresh_token"]})
    replay = await anonymous.refused("/v1/auth/login/exchange", body, 401)
    assert replay["reason"] == "code_reused"
    assert (await token.get("/v1/auth/whoami")).status_code == 401, "two hold the code: what it became ends"
    assert (await key.get("/v1/auth/whoami")).status_code == 401


@pytest.mark.parametrize("missing", ["code", "code_verifier", "callback"])
async def test_exchange_names_what_is_required(anonymous, missing):
    body = {"code": "c", "code_verifier": "v", "callback": APP, missing: ""}
    await anonymous.refused("/v1/auth/login/exchange", body, 400, "code, code_verifier and callback are required")


@pytest.mark.parametrize("callback", ["https://evil.example/", "javascript:alert(1)", "http://localhost@evil.example/"])
async def test_signature_alone_sends_nobody_elsewhere(node, anonymous, callback):
    """The page checks nothing that the gateway does not check again."""
    body = await signed(node.client, fresh_wallet(), "elsewhere", "login_page", callback=callback, **WITH_CODE)
    assert (await anonymous.refused("/v1/auth/login", body, 400))["reason"] == "invalid_callback"
    body = await signed(node.client, fresh_wallet(), "elsewhere", "api_key_generation", callback=APP)
    assert (await anonymous.refused("/v1/auth/login", body, 400))["reason"] == "missing_field"


async def test_finishing_wants_a_signature_that_counts(node, anonymous):
    mine, other = fresh_wallet(), fresh_wallet()
    body = await signed(node.client, mine, "login", "login_page", callback=APP, **WITH_CODE)
    forged = {**body, "signature": other.sign(body["nonce"])}
    await anonymous.refused("/v1/auth/login", forged, 401, "signature verification failed")
    await anonymous.refused("/v1/auth/login", {**body, "signature": ""}, 400, "signature are required")
    await anonymous.ok("/v1/auth/login", body)
    await anonymous.refused("/v1/auth/login", body, 401)
