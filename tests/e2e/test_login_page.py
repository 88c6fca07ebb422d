"""The login page in a real Chromium, with wallets that are injected into it and sign in this process."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx2
import pytest
from playwright.sync_api import expect

from support.browser import ANNOUNCED, ETHEREUM, SOLANA, STANDARD, Program, Visitor, chromium, needs_chromium
from support.node import node_process
from support.solana import SolanaWallet
from support.wallet import Wallet

pytestmark = needs_chromium

APP = "https://app.example/auth/cb"
VERIFIER = "v" * 43
WITH_CODE = {
    "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
    "code_challenge_method": "S256",
}
REJECTED = {"code": 4001, "message": "User rejected the request."}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    environment = {
        "ORAMA_LIMITS__ENABLED": "false",
        "ORAMA_AUTH__LOGIN_CALLBACKS": '["https://app.example/auth/"]',
    }
    with node_process(tmp_path_factory.mktemp("login") / "data", environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def visit(browser):
    """Somebody who opens the browser with these wallets in it; whatever happens, no policy is broken, no dialog shown."""
    visitors = []

    def open_browser(*scripts, **options):
        visitors.append(Visitor(browser, *scripts, **options))
        return visitors[-1]

    yield open_browser
    for visitor in visitors:
        if "/v1/auth/login" in visitor.page.url:
            assert visitor.page.evaluate("window.violations") == []
        visitor.close()
        assert visitor.dialogs == []
        refusals = "Failed to load resource"  # what the browser says of a 4xx
        assert [text for text in visitor.complaints if not text.startswith(refusals)] == []


@pytest.fixture
def program():
    running = Program()
    yield running
    running.close()


def address(node, **query):
    return f"{node.url}/v1/auth/login?{urlencode(query)}"


def open_page(visitor, node, **query):
    reply = visitor.page.goto(address(node, **query))
    assert reply.status == 200, reply.text()


def press(visitor, name):
    visitor.page.get_by_role("button", name=name).click()


def trouble(visitor, text):
    """Wait for a complaint that says `text`."""
    alert = visitor.page.get_by_role("alert")
    expect(alert).to_contain_text(text)
    expect(alert).to_be_focused()
    return alert


def app_answers(visitor):
    """The web application at app.example, which is not on this machine: what the browser asks of it."""
    asked = []

    def answer(route):
        asked.append(route.request.url)
        route.fulfill(status=200, content_type="text/html", body="<title>app</title>")

    visitor.context.route("https://app.example/**", answer)
    return asked


def whoami(node, **headers):
    return httpx2.get(f"{node.url}/v1/auth/whoami", headers=headers)


def exchange(node, **body):
    return httpx2.post(f"{node.url}/v1/auth/login/exchange", json=body)


WALLETS = {
    "window.ethereum": (ETHEREUM, "MetaMask Ethereum"),
    "EIP-6963": (ANNOUNCED.replace("NAME", "'Rabby'"), "Rabby Ethereum"),
    "window.solana": (SOLANA, "Phantom Solana"),
    "Wallet Standard": (STANDARD, "Standard Solana"),
}


@pytest.mark.parametrize("kind", WALLETS)
def test_program_on_this_computer_is_handed_a_key_by_every_kind_of_wallet(node, visit, program, kind):
    number = 100 + list(WALLETS).index(kind)
    script, name = WALLETS[kind]
    visitor = visit(script, ethereum=Wallet(number), solana=SolanaWallet(number))
    open_page(visitor, node, callback=program.callback(), namespace=f"local{number}")
    expect(visitor.page.get_by_text("A program on this computer")).to_be_visible()
    press(visitor, name)
    visitor.page.wait_for_url("http://localhost:*/callback?*")
    (handed,) = program.visits
    wallet = visitor.ethereum if "Ethereum" in name else visitor.solana
    assert list(handed) == ["api_key", "namespace", "wallet", "plan"]
    assert (handed["namespace"], handed["wallet"], handed["plan"]) == (f"local{number}", wallet.bare, "free")
    who = whoami(node, **{"X-API-Key": handed["api_key"]})
    assert (who.status_code, who.json()["namespace"]) == (200, f"local{number}")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_program_that_has_a_code_challenge_exchanges_a_code(node, visit, program, host):
    wallet = Wallet(120 + len(host))
    visitor = visit(ETHEREUM, ethereum=wallet)
    asked = {"callback": program.callback(host), "namespace": f"code{len(host)}", "state": "a b&c=d"}
    open_page(visitor, node, **asked, **WITH_CODE)
    press(visitor, "MetaMask")
    visitor.page.wait_for_url("**/callback?*")
    (handed,) = program.visits
    assert set(handed) == {"code", "state"}
    assert handed["state"] == asked["state"]
    body = {"code": handed["code"], "code_verifier": VERIFIER, "callback": asked["callback"]}
    assert exchange(node, **{**body, "code_verifier": "w" * 43}).status_code == 401, "a stolen code is worth nothing"
    answer = exchange(node, **body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["subject"] == wallet.subject
    bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert whoami(node, **bearer).status_code == 200
    assert exchange(node, **body).json()["reason"] == "code_reused"
    assert whoami(node, **bearer).status_code == 401


def test_web_application_gets_a_code_at_its_callback_and_never_a_key(node, visit):
    visitor = visit(STANDARD, solana=SolanaWallet(130))
    asked = app_answers(visitor)
    open_page(visitor, node, callback=APP, namespace="webapp", state="s", **WITH_CODE)
    expect(visitor.page.locator("#asker")).to_have_text("app.example")
    press(visitor, "Standard")
    visitor.page.wait_for_url("https://app.example/**")
    (url,) = [one for one in asked if "/auth/cb" in one]
    handed = dict(parse_qsl(urlsplit(url).query))
    assert set(handed) == {"code", "state"}
    assert exchange(node, code=handed["code"], code_verifier=VERIFIER, callback=APP).json()["namespace"] == "webapp"


def test_wallet_is_shown_a_text_for_the_page_it_is_on(node, visit, program):
    visitor = visit(ETHEREUM, ethereum=Wallet(131))
    open_page(visitor, node, callback=program.callback(), namespace="text")
    press(visitor, "MetaMask")
    visitor.page.wait_for_url("**/callback?*")
    text = bytes.fromhex(dict(visitor.asked)["personal_sign"][0][2:]).decode()
    assert text.startswith(f"{urlsplit(node.url).netloc} wants you to sign in with your Ethereum account:")
    assert f"\nURI: {node.url}\n" in text
    assert "\nCreate an API key for the namespace text.\n" in text


def test_callback_does_not_learn_where_the_browser_came_from(node, visit):
    visitor = visit(ETHEREUM, ethereum=Wallet(132))
    referrers = []
    visitor.context.route(
        "https://app.example/**",
        lambda route: (referrers.append(route.request.headers.get("referer")), route.fulfill(body="ok")),
    )
    open_page(visitor, node, callback=APP, namespace="referrer", **WITH_CODE)
    press(visitor, "MetaMask")
    visitor.page.wait_for_url("https://app.example/**")
    assert set(referrers) == {None}


def test_back_button_does_not_lead_to_a_page_that_signs_in_again(node, visit, program):
    visitor = visit(ETHEREUM, ethereum=Wallet(133))
    visitor.page.goto(f"{node.url}/health")
    open_page(visitor, node, callback=program.callback(), namespace="history")
    press(visitor, "MetaMask")
    visitor.page.wait_for_url("**/callback?*")
    visitor.page.go_back()
    assert visitor.page.url == f"{node.url}/health"


# --- What can go wrong, said so that somebody can do something ---


def test_without_a_wallet_it_says_so_and_finds_one_after_a_reload(node, visit, program):
    visitor = visit()
    open_page(visitor, node, callback=program.callback())
    trouble(visitor, "No wallet was found in this browser")
    visitor.context.add_init_script(ETHEREUM)
    press(visitor, "Try again")
    expect(visitor.page.get_by_role("button", name="MetaMask")).to_be_enabled()
    expect(visitor.page.get_by_role("alert")).to_be_hidden()


def test_wallet_that_comes_late_is_offered(node, visit, program):
    visitor = visit()
    open_page(visitor, node, callback=program.callback())
    trouble(visitor, "No wallet was found")
    visitor.page.evaluate(ANNOUNCED.replace("NAME", "'Late'"))
    expect(visitor.page.get_by_role("button", name="Late")).to_be_enabled()
    expect(visitor.page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize(
    ("method", "script", "name"),
    [
        ("eth_requestAccounts", ETHEREUM, "MetaMask"),
        ("personal_sign", ETHEREUM, "MetaMask"),
        ("signMessage", SOLANA, "Phantom"),
        ("signMessage", STANDARD, "Standard"),
    ],
)
def test_declining_in_the_wallet_is_told_and_can_be_repeated(node, visit, program, method, script, name):
    visitor = visit(script, ethereum=Wallet(140), solana=SolanaWallet(140))
    visitor.refuse = {method: REJECTED}
    open_page(visitor, node, callback=program.callback(), namespace=f"decline{name.lower()}")
    press(visitor, name)
    trouble(visitor, "You declined in your wallet")
    assert program.visits == []
    visitor.refuse = {}
    press(visitor, "Try again")
    visitor.page.wait_for_url("**/callback?*")
    assert len(program.visits) == 1


def test_wallet_on_another_network_is_asked_to_switch(node, visit, program):
    visitor = visit(ETHEREUM, ethereum=Wallet(141))
    visitor.chain_id = 137
    open_page(visitor, node, callback=program.callback(), namespace="network")
    press(visitor, "MetaMask")
    visitor.page.wait_for_url("**/callback?*")
    assert dict(visitor.asked)["wallet_switchEthereumChain"] == [{"chainId": "0x1"}]


@pytest.mark.parametrize("refusal", [REJECTED, {"code": 4902, "message": "Unrecognized chain ID"}])
def test_wrong_network_is_told_and_can_be_repeated(node, visit, program, refusal):
    visitor = visit(ETHEREUM, ethereum=Wallet(142))
    visitor.chain_id, visitor.refuse = 137, {"wallet_switchEthereumChain": refusal}
    open_page(visitor, node, callback=program.callback(), namespace="network2")
    press(visitor, "MetaMask")
    trouble(visitor, "wrong network. Switch it to Ethereum (chain id 1)")
    assert "personal_sign" not in dict(visitor.asked)
    visitor.chain_id = 1
    press(visitor, "Try again")
    visitor.page.wait_for_url("**/callback?*")


def test_wallet_that_already_waits_is_told(node, visit, program):
    visitor = visit(ETHEREUM)
    visitor.refuse = {"eth_requestAccounts": {"code": -32002, "message": "Request already pending"}}
    open_page(visitor, node, callback=program.callback())
    press(visitor, "MetaMask")
    trouble(visitor, "already waiting for an answer")


def test_expired_text_is_told_and_a_new_one_is_signed(visit, program, tmp_path):
    with node_process(tmp_path / "data", environment={"ORAMA_AUTH__CHALLENGE_S": "4"}) as quick:
        visitor = visit(ETHEREUM, ethereum=Wallet(143))
        open_page(visitor, quick, callback=program.callback(), namespace="late")
        slow = {"wait": 4.1}

        def hesitate(text):
            visitor.page.wait_for_timeout(slow["wait"] * 1000)
            return text

        visitor.alter = hesitate
        press(visitor, "MetaMask")
        trouble(visitor, "expired")
        slow["wait"] = 0
        press(visitor, "Try again")
        visitor.page.wait_for_url("**/callback?*")


def test_signature_of_another_text_or_account_is_told(node, visit, program):
    visitor = visit(ETHEREUM, ethereum=Wallet(144))
    visitor.alter = lambda text: text + " "
    open_page(visitor, node, callback=program.callback(), namespace="altered")
    press(visitor, "MetaMask")
    trouble(visitor, "not that of the account")
    visitor.alter = lambda text: text
    press(visitor, "Try again")
    visitor.page.wait_for_url("**/callback?*")


def test_refusal_of_the_gateway_is_shown_in_its_words(node, visit, program):
    owner = visit(ETHEREUM, ethereum=Wallet(145))
    open_page(owner, node, callback=program.callback(), namespace="taken")
    press(owner, "MetaMask")
    owner.page.wait_for_url("**/callback?*")
    stranger = visit(ETHEREUM, ethereum=Wallet(146))
    open_page(stranger, node, callback=program.callback(), namespace="taken")
    press(stranger, "MetaMask")
    trouble(stranger, "The gateway says: the namespace 'taken' is another's")
    assert len(program.visits) == 1


def test_gateway_that_is_away_is_told(node, visit, program):
    visitor = visit(ETHEREUM, ethereum=Wallet(147))
    open_page(visitor, node, callback=program.callback(), namespace="away")
    visitor.context.set_offline(True)
    press(visitor, "MetaMask")
    trouble(visitor, "cannot be reached")
    visitor.context.set_offline(False)
    press(visitor, "Try again")
    visitor.page.wait_for_url("**/callback?*")


def test_cancel_tells_the_program(node, visit, program):
    visitor = visit(ETHEREUM)
    open_page(visitor, node, callback=program.callback(), state="s")
    press(visitor, "Cancel")
    visitor.page.wait_for_url("**/callback?*")
    assert program.visits == [{"error": "access_denied", "state": "s"}]


def test_page_can_be_used_by_keyboard_and_tells_a_reader_what_it_is(node, visit, program):
    visitor = visit(ETHEREUM, ethereum=Wallet(148))
    open_page(visitor, node, callback=program.callback(), namespace="keyboard")
    page = visitor.page
    expect(page).to_have_title("Sign in · Orama")
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in with your wallet")
    expect(page.get_by_role("list", name="Your wallets").get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("status")).to_be_attached()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="MetaMask Ethereum")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/callback?*")


def test_wallets_wait_while_one_is_asked(node, visit, program):
    visitor = visit(ETHEREUM, STANDARD, ethereum=Wallet(149))
    open_page(visitor, node, callback=program.callback(), namespace="once")
    seen = []

    def look(text):
        names = ("MetaMask", "Standard")
        seen.extend(visitor.page.get_by_role("button", name=name).is_enabled() for name in names)
        return text

    visitor.alter = look
    press(visitor, "MetaMask")
    visitor.page.wait_for_url("**/callback?*")
    assert seen == [False, False]
    assert len(program.visits) == 1


# --- What somebody may try ---


HOSTILE = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,<script>alert(1)</script>", "//evil.example",
    "\\\\evil.example", "https://evil.example/", "http://localhost@evil.example/", "http://localhost:1@evil.example/", "http://evil.example#localhost",
    "http://localhost.evil.example/", "http://localhost\\@evil.example", "http://localhost/%0d%0aX: y", "https://app.example/auth/%2e%2e/open",
    "https://app.example/auth/../open", "https://app.example@evil.example/auth/", "https://app.example/auth/cb?x=1", "http://localhost/cb#x",
    '"><script>alert(1)</script>', "http://localhost/'-alert(1)-'", "http://localhost/</script><script>alert(1)</script>",
]  # fmt: skip


def test_hostile_callbacks_are_refused_before_anything_is_shown(node, visit):
    visitor = visit(ETHEREUM)
    for callback in HOSTILE:
        once = quote(callback, safe="")
        reply = visitor.page.goto(f"{node.url}/v1/auth/login?callback={once}&{urlencode(WITH_CODE)}")
        assert (reply.status, reply.headers["content-type"]) == (400, "application/json"), callback
        assert visitor.page.get_by_role("button").count() == 0
        twice = httpx2.get(f"{node.url}/v1/auth/login?callback={quote(once, safe='')}&{urlencode(WITH_CODE)}")
        assert (twice.status_code, twice.headers["content-type"]) == (400, "application/json"), callback
    assert visitor.asked == []


MARKUP = [
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'><svg onload=alert(1)>",
    "';alert(1)//", '";alert(1)//', "`${alert(1)}`", "{{constructor.constructor('alert(1)')()}}", "javascript:alert(1)", "&quot;><script>alert(1)</script>",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e", "]]><script>alert(1)</script>", "--><script>alert(1)</script>", "<!--<script>", "@script@",
]  # fmt: skip
PARAMETERS = {"callback": APP, "namespace": "shop", "state": "s", **WITH_CODE}


@pytest.mark.parametrize("name", [*PARAMETERS, "unknown"])
def test_markup_in_a_parameter_is_refused_or_stays_text(node, visit, name):
    if name not in {"state", "unknown"}:
        for text in MARKUP:
            reply = httpx2.get(address(node, **{**PARAMETERS, name: text}))
            assert (reply.status_code, reply.headers["content-type"]) == (400, "application/json"), text
        return
    visitor = visit(ETHEREUM)
    asked = app_answers(visitor)
    for text in MARKUP:
        open_page(visitor, node, **{**PARAMETERS, name: text})
        expect(visitor.page.get_by_role("button", name="MetaMask")).to_be_visible()
        assert (visitor.page.locator("script").count(), visitor.page.locator("img").count()) == (1, 0), text
        assert visitor.page.evaluate("window.violations") == []
        press(visitor, "Cancel")
        visitor.page.wait_for_url("https://app.example/**")
        handed = dict(parse_qsl(urlsplit(asked[-1]).query))
        assert handed == {"error": "access_denied", "state": text if name == "state" else "s"}


def test_wallet_with_markup_for_a_name_or_script_for_an_icon_stays_text(node, visit, program):
    name = "<img src=x onerror=alert(1)>"
    script = ANNOUNCED.replace("NAME", repr(name)).replace("data:image/svg+xml,", "javascript:alert(1)//")
    visitor = visit(script)
    open_page(visitor, node, callback=program.callback())
    expect(visitor.page.locator(".name")).to_have_text(name)
    assert visitor.page.locator("img").count() == 0
    visitor.refuse = {"eth_requestAccounts": {"code": 1, "message": f"{name}<script>alert(1)</script>"}}
    press(visitor, name)
    trouble(visitor, name)
    assert visitor.page.locator("img").count() == 0


def test_script_that_gets_into_the_page_does_not_run(node, browser, program):
    """The policy is what stands when all else has failed: an injected script, handler, style or request does nothing."""
    visitor = Visitor(browser, ETHEREUM)
    open_page(visitor, node, callback=program.callback())
    visitor.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.pwned = 1";
          document.body.append(script);
          const far = document.createElement("script");
          far.src = "https://evil.example/x.js";
          document.body.append(far);
          document.body.insertAdjacentHTML("beforeend",
            "<img src=x onerror='window.pwned = 2'><style>body { display: none }</style><iframe src='https://evil.example/'></iframe>");
          const form = document.createElement("form");
          form.action = "https://evil.example/";
          document.body.append(form);
          form.submit();
          const base = document.createElement("base");
          base.href = "https://evil.example/";
          document.head.append(base);
          return fetch("https://evil.example/").catch(() => null);
        }"""
    )
    kinds = "[...new Set(window.violations.map((text) => text.split(' ')[0]))].sort()"
    visitor.page.wait_for_function(f"{kinds}.length >= 8")
    assert visitor.page.evaluate(kinds) == [
        "base-uri",
        "connect-src",
        "form-action",
        "frame-src",
        "img-src",
        "script-src-attr",
        "script-src-elem",
        "style-src-elem",
    ]
    assert visitor.page.evaluate("window.pwned") is None
    assert visitor.page.is_visible("main")
    visitor.close()


def test_page_cannot_be_framed(node, visit, program):
    visitor = visit(ETHEREUM)
    login, health = address(node, callback=program.callback()), f"{node.url}/health"
    program.page = f"<iframe src='{login}'></iframe><iframe src='{health}'></iframe>"
    visitor.page.goto(f"http://localhost:{program.port}/frames")
    inner = [frame.url for frame in visitor.page.frames if frame != visitor.page.main_frame]
    assert inner == ["chrome-error://chromewebdata/", health], "another answer shows that frames work at all"
    assert any("frame-ancestors 'none'" in text for text in visitor.complaints)
    visitor.complaints.clear()
