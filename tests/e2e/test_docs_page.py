"""The page at /docs in a real Chromium: it shows what there is, and what it sends is what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect

import orama.gateway.pages
from support.browser import chromium, needs_chromium
from support.node import node_process

pytestmark = needs_chromium

STYLE = (Path(orama.gateway.pages.__file__).with_name("docs.css")).read_text()
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with node_process(tmp_path_factory.mktemp("docs") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def key(node):
    return node.key("docs")


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def open_docs(browser, node):
    """Opens the page. Whatever a test does there, nothing is asked of anybody but the node, and no policy is broken."""
    visits = []

    def visit(fragment="", **options):
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **options)
        context.add_init_script(WATCH)
        page = context.new_page()
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        visits.append((context, page, asked, complaints))
        page.goto(f"{node.url}/docs{fragment}")
        page.locator("article").first.wait_for()
        page.asked, page.complaints = asked, complaints
        return page

    yield visit
    for context, page, asked, complaints in visits:
        assert page.evaluate("window.violations") == []
        context.close()
        assert [url for url in asked if not url.startswith(node.url + "/")] == []
        assert [text for text in complaints if "Security Policy" in text or "Error" in text.split(":")[0]] == []


def operation(page, name):
    """The place of one operation, opened."""
    place = page.locator(f'[id="{name}"]')
    if place.locator("details").get_attribute("open") is None:
        place.locator("summary").click()
    return place


def send(place, body=None):
    if body is not None:
        place.get_by_label(re.compile("^Body")).fill(body if isinstance(body, str) else json.dumps(body))
    place.get_by_role("button", name="Send").click()
    expect(place.get_by_role("button", name="Send")).to_be_visible()
    return place


def test_page_shows_every_operation_and_loads_nothing_but_the_document(open_docs, node):
    page = open_docs()
    assert page.asked == [f"{node.url}/docs", f"{node.url}/v1/openapi.json"]
    document = httpx2.get(f"{node.url}/v1/openapi.json").json()
    described = {
        (one["operationId"], method.upper(), path)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    }
    shown = {
        (place.get_attribute("id"), place.locator(".method").inner_text(), place.locator(".path").inner_text())
        for place in page.locator("article").all()
    }
    assert shown == described
    assert page.locator("nav li a").count() == len(described)
    assert page.get_by_role("heading", level=1).inner_text().startswith("Orama API")
    groups = page.locator("main h2").all_inner_texts()
    assert {one["tags"][0] for methods in document["paths"].values() for one in methods.values()} == {
        group.lower() for group in groups
    }


def test_every_operation_opens_with_all_its_fields_named(open_docs):
    page = open_docs()
    for name in page.eval_on_selector_all("article", "all => all.map((one) => one.id)"):
        place = operation(page, name)
        place.locator("form").wait_for()
        expect(place.get_by_role("button", name=re.compile("^(Send|Connect)$"))).to_be_visible()
        assert name.split(".")[-1].isdigit() or place.locator(".inside > p").count() >= 1
    unnamed = page.evaluate(
        """[...document.querySelectorAll("input, textarea, select")]
             .filter((one) => !one.labels.length && !one.ariaLabel).map((one) => one.outerHTML)"""
    )
    assert unnamed == []
    double = page.evaluate(
        """[...document.querySelectorAll("[id]")].map((one) => one.id).filter((id, at, all) => all.indexOf(id) !== at)"""
    )
    assert double == []
    assert page.complaints == []


def test_call_is_answered_with_status_headers_and_body(open_docs, key):
    page = open_docs("#database.create_table")
    place = page.locator('[id="database.create_table"]')
    expect(place.locator("form")).to_be_visible()
    send(place, {"schema": "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"})
    expect(place.locator(".reply .status")).to_have_text("401 Unauthorized")
    page.get_by_label("Credential").fill(key)
    send(place)
    expect(place.locator(".reply .status")).to_have_text("201 Created")
    place = send(
        operation(page, "database.exec"),
        {"sql": "INSERT INTO notes (text) VALUES (?)", "args": ['<img src=x onerror=alert(1)>\n"é"']},
    )
    expect(place.locator(".reply-body")).to_contain_text('"last_insert_id": 1')
    place = send(operation(page, "database.query"), {"sql": "SELECT text, 9223372036854775807 AS n FROM notes"})
    headers, body = place.locator(".reply-headers").inner_text(), place.locator(".reply-body").inner_text()
    assert "content-type: application/json" in headers
    assert "x-request-id: " in headers
    assert json.loads(body)["rows"] == [['<img src=x onerror=alert(1)>\n"é"', 9223372036854775807]]
    assert "9223372036854775807" in body, "as it was sent, not as a browser counts"
    assert body.count("\n") > 10
    assert page.locator("main img").count() == 0
    place = send(operation(page, "database.query"), {"sql": "SELECT nonsense"})
    expect(place.locator(".reply .status")).to_have_text(re.compile("^422 "))
    expect(place.locator(".reply-body")).to_contain_text("no such column")


def test_shown_command_does_what_the_page_does(open_docs, key):
    page = open_docs("#database.query")
    page.get_by_label("Credential").fill(key)
    place = page.locator('[id="database.query"]')
    send(place, {"sql": "SELECT ? AS text", "args": ["it's a \\ 'quoted' $HOME `x`"]})
    expect(place.locator(".reply-body")).to_contain_text("quoted")
    shown = place.locator(".curl").inner_text()
    assert key not in shown
    place.get_by_role("button", name="Copy curl").click()
    assert page.evaluate("navigator.clipboard.readText()") == shown
    done = subprocess.run(
        ["bash", "-euc", shown.replace("curl ", "curl -sS ", 1)],
        env={**os.environ, "API_KEY": key}, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(place.locator(".reply-body").inner_text())
    page.get_by_label("Credential").fill("a.b.c")
    assert '-H "Authorization: Bearer $TOKEN"' in place.locator(".curl").inner_text()


def test_credential_is_hidden_until_asked_for_and_gone_with_the_page(open_docs, key):
    page = open_docs()
    field = page.get_by_label("Credential")
    field.fill(key)
    assert field.get_attribute("type") == "password"
    page.get_by_role("button", name="Show").click()
    assert field.get_attribute("type") == "text"
    page.get_by_role("button", name="Hide").click()
    assert field.get_attribute("type") == "password"
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
    assert key not in stored
    page.reload()
    page.locator("article").first.wait_for()
    assert field.input_value() == ""


def test_key_of_a_request_is_made_by_the_page_and_its_repeat_is_told(open_docs, key):
    page = open_docs("#cache.incr")
    page.get_by_label("Credential").fill(key)
    place = page.locator('[id="cache.incr"]')
    place.get_by_role("button", name="New").click()
    made = place.get_by_label(re.compile("^Idempotency-Key")).input_value()
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert f"-H 'Idempotency-Key: {made}'" in place.locator(".curl").inner_text()
    for replayed in (False, True):
        send(place, {"dmap": "docs", "key": "n", "delta": 5})
        expect(place.locator(".reply-body")).to_contain_text('"value": 5')
        assert ("idempotency-replayed: true" in place.locator(".reply-headers").inner_text()) is replayed


def test_search_narrows_and_keys_reach_everything(open_docs):
    page = open_docs()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("cache write")
    expect(page.get_by_role("status").first).to_have_text(re.compile(r"^5 of \d+ operations$"))
    shown = page.eval_on_selector_all("article:not([hidden])", "all => all.map((one) => one.id)")
    assert shown == ["cache.put", "cache.getput", "cache.incr", "cache.expire", "cache.delete"]
    assert page.locator("main h2:visible").all_inner_texts() == ["Cache"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    place = page.locator('[id="cache.put"]')
    expect(place.locator("summary")).to_be_focused()
    expect(place.locator("form")).to_be_visible()
    assert page.url.endswith("#cache.put")
    assert page.locator("nav a[aria-current]").inner_text().endswith("/v1/cache/put")
    page.keyboard.press("Space")
    expect(place.locator("form")).to_be_hidden()
    page.get_by_role("searchbox").fill("no such words")
    assert page.locator("article:visible").count() == 0
    page.get_by_role("searchbox").press("Escape")
    assert page.locator("article:not([hidden])").count() > 20
    page = open_docs()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the operations")).to_be_focused()


def test_websocket_can_be_tried(open_docs, key):
    page = open_docs("#pubsub.ws")
    place = page.locator('[id="pubsub.ws"]')
    log = place.locator(".log")
    place.get_by_role("button", name="Connect").click()
    expect(log).to_contain_text("# topic is required")
    page.get_by_label("Credential").fill(key)
    place.get_by_label(re.compile("^topic")).fill("docs")
    place.get_by_role("button", name="Connect").click()
    expect(log).to_contain_text("# connected")
    place.get_by_label("Frame to send").fill("<b>hello</b>")
    place.get_by_role("button", name="Send frame").click()
    expect(log).to_contain_text("→ <b>hello</b>")
    expect(log).to_contain_text('← {"data":"PGI+aGVsbG88L2I+"')
    place.get_by_role("button", name="Disconnect").click()
    expect(log).to_contain_text("# closed: 1000")
    expect(place.get_by_role("button", name="Send frame")).to_be_disabled()


def test_slow_call_can_be_stopped(open_docs, key):
    page = open_docs("#database.query")
    page.get_by_label("Credential").fill(key)
    place = page.locator('[id="database.query"]')
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    place.get_by_label(re.compile("^Body")).fill(json.dumps({"sql": slow}))
    place.get_by_role("button", name="Send").click()
    place.get_by_role("button", name="Stop").click()
    expect(place.get_by_role("alert")).to_have_text("Stopped.")
    expect(place.get_by_role("button", name="Send")).to_be_visible()


def test_node_that_is_gone_is_told(open_docs, key):
    page = open_docs("#system.health")
    place = page.locator('[id="system.health"]')
    page.context.set_offline(True)
    place.get_by_role("button", name="Send").click()
    expect(place.get_by_role("alert")).to_contain_text("No reply")
    page.context.set_offline(False)
    send(place)
    expect(place.locator(".reply .status")).to_have_text("200 OK")


def test_document_that_cannot_be_read_is_told(browser, node):
    context = browser.new_context()
    page = context.new_page()
    page.route("**/v1/openapi.json", lambda route: route.abort())
    page.goto(f"{node.url}/docs")
    expect(page.get_by_role("alert")).to_contain_text("cannot be read")
    context.close()


OF_EVERY_FORM = {
    "openapi": "3.1.0",
    "info": {"title": "Forms", "version": "1"},
    "components": {
        "schemas": {
            "Node": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/components/schemas/Node"}]}},
                "required": ["name"],
            }
        }
    },
    "paths": {
        "/v1/things/{id}/parts": {
            "put": {
                "operationId": "things.replace",
                "tags": ["things"],
                "summary": "Replace `it`.",
                "description": "First\nparagraph.\n\nSecond <b>one</b>.",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "deep", "in": "query", "schema": {"type": "boolean"}},
                    {"name": "kind", "in": "query", "schema": {"enum": ["a", "b c"]}},
                ],
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                                    "pin": {"type": "string", "default": "true", "description": "Whether."},
                                },
                            }
                        },
                        "application/json": {"schema": {"$ref": "#/components/schemas/Node"}},
                        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                    }
                },
                "responses": {"204": {"description": "Done"}},
            }
        }
    },
}


# The network's stand-in is not shown the files of a body, so the page's own call is overheard.
OVERHEAR = """
window.bodies = [];
const fetched = window.fetch;
window.fetch = async (url, options) => {
  const body = options?.body;
  const text = async (one) => (one instanceof File ? `${one.name}: ${await one.text()}` : one);
  if (body instanceof FormData) window.bodies.push(await Promise.all([...body].map(async ([name, one]) => [name, await text(one)])));
  else if (body !== undefined) window.bodies.push(await text(body));
  return fetched(url, options);
};
"""


def test_requests_of_every_form_can_be_made(browser, node, tmp_path):
    """A document with all that an operation may have, and a stand-in for the network."""
    context = browser.new_context()
    context.add_init_script(OVERHEAR)
    page = context.new_page()
    page.route("**/v1/openapi.json", lambda route: route.fulfill(json=OF_EVERY_FORM))
    sent = []

    def answer(route):
        sent.append((route.request.method, route.request.url))
        route.fulfill(status=200, content_type="application/octet-stream", body=b"\0\1\2")

    page.route("**/v1/things/**", answer)
    page.goto(f"{node.url}/docs#things.replace")
    place = page.locator('[id="things.replace"]')
    assert place.locator(".inside > p").all_inner_texts()[:2] == ["First paragraph.", "Second <b>one</b>."]
    assert place.locator(".curl").inner_text() == "# id is required"
    place.get_by_role("button", name="Send").click()
    expect(place.get_by_role("alert")).to_have_text("id is required")
    place.get_by_label(re.compile("^id ")).fill("a/b ü")
    place.get_by_label(re.compile("^deep")).select_option("true")
    place.get_by_label(re.compile("^kind")).select_option("b c")
    address = f"{node.url}/v1/things/a%2Fb%20%C3%BC/parts?deep=true&kind=b+c"
    assert place.locator(".curl").inner_text() == f"curl -X PUT '{address}'"

    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text(f"content of {name}")
    place.get_by_label("file").set_input_files([tmp_path / "one.txt", tmp_path / "two.txt"])
    place.get_by_label(re.compile("^pin")).fill("it's")
    assert place.locator(".curl").inner_text().split(" \\\n  ")[1:] == [
        "-F 'file=@one.txt'", "-F 'file=@two.txt'", "-F 'pin=it'\\''s'",
    ]  # fmt: skip
    send(place)
    expect(place.get_by_role("link", name="Save 3 bytes of application/octet-stream")).to_be_visible()
    assert page.evaluate("bodies.at(-1)") == [
        ["file", "one.txt: content of one.txt"], ["file", "two.txt: content of two.txt"], ["pin", "it's"],
    ]  # fmt: skip
    with page.expect_download() as download:
        place.get_by_role("link", name="Save 3 bytes").click()
    assert Path(download.value.path()).read_bytes() == b"\0\1\2"

    place.get_by_label("Form of the body").select_option("application/json")
    send(place)
    assert json.loads(page.evaluate("bodies.at(-1)")) == {"name": ""}
    place.get_by_label("Form of the body").select_option("application/octet-stream")
    place.get_by_label(re.compile("^Body")).set_input_files(tmp_path / "two.txt")
    assert "--data-binary '@two.txt'" in place.locator(".curl").inner_text()
    send(place)
    assert page.evaluate("bodies.at(-1)") == "two.txt: content of two.txt"
    assert sent == [("PUT", address)] * 3
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 1600])
def test_nothing_sticks_out_whatever_the_screen(open_docs, width, scheme):
    page = open_docs("#database.transaction", viewport={"width": width, "height": 800}, color_scheme=scheme)
    expect(page.locator('[id="database.transaction"] form')).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(scheme):
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    colours = dict(
        re.findall(r"--([\w-]+): (#[0-9a-f]{6})", STYLE.split("@media (prefers-color-scheme: dark)")[scheme])
    )
    pairs = [
        *((text, ground) for text in ("ink", "soft", "accent") for ground in ("ground", "card", "well")),
        *((text, "card") for text in ("good", "bad", "get", "post", "put", "delete")),
        *((text, "ground") for text in ("get", "post", "put", "delete")),
        ("on-accent", "accent"), ("bad", "warn-ground"),
    ]  # fmt: skip
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_root_leads_browsers_to_the_page(browser, node):
    context = browser.new_context()
    page = context.new_page()
    page.goto(node.url)
    assert page.url == f"{node.url}/docs"
    expect(page.locator("article").first).to_be_visible()
    context.close()
