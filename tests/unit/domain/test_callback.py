"""Where a sign-in may be handed to, and the many spellings of where it may not."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.callback import is_callback_rule, parse_callback
from orama.errors import InvalidArgument

ALLOWED = (
    "https://app.example/auth/",
    "https://app.example/exact",
    "https://other.example:8443/cb",
    "https://bare.example",
)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
@pytest.mark.parametrize(
    "rest", ["", "/", ":1", ":65535/callback", ":51234/a/b-c/d.e_f~g/", "/.well-known/x", "/..a/b..c"]
)
def test_a_program_on_this_computer_may_ask_from_any_port(host, rest):
    callback = parse_callback(f"http://{host}{rest}", ())
    assert callback.is_loopback
    assert callback.url == f"http://{host}{rest}"
    assert callback.asker == f"{host}{rest.partition('/')[0]}"


@pytest.mark.parametrize(
    "text",
    [
        "https://app.example/auth/",
        "https://app.example/auth/cb",
        "https://app.example/auth/a/b/",
        "https://app.example/exact",
        "https://other.example:8443/cb",
        "https://bare.example",
    ],
)
def test_a_configured_callback_is_allowed(text):
    callback = parse_callback(text, ALLOWED)
    assert not callback.is_loopback
    assert callback.url == text
    with pytest.raises(InvalidArgument):
        parse_callback(text, ())


HOSTILE = [
    "", " ", "callback", "/callback", "//evil.example", "//localhost/cb", "javascript:alert(1)", "JavaScript:alert(1)//http://localhost",
    "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "blob:http://localhost/x", "about:blank",
    "http:localhost/cb", "http:/localhost/cb", "http:///localhost/cb", "http:\\\\localhost\\cb", "http://localhost\\@evil.example/",
    "http://evil.example", "http://evil.example/localhost", "http://localhost.evil.example/", "http://localhost@evil.example/",
    "http://localhost:80@evil.example/", "http://localhost:pass@evil.example/", "http://evil@localhost/", "http://@localhost/",
    "http://127.0.0.1.evil.example/", "http://127.0.0.1@evil.example", "http://127.1/", "http://127.0.0.2/", "http://127.0.0.1./",
    "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://2130706433/", "http://0.0.0.0/", "http://[::]/", "http://[::1%25eth0]/",
    "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/", "http://::1/", "http://[::1]evil.example/", "http://localhost./",
    "HTTP://localhost/", "http://LOCALHOST/", "http://Localhost/", "https://localhost/", "https://127.0.0.1/", "ftp://localhost/",
    "ws://localhost/", "http://localhost:/", "http://localhost:0/", "http://localhost:00080/", "http://localhost:65536/", "http://localhost:99999/",
    "http://localhost:-1/", "http://localhost:8o/", "http://localhost:\u0661/", "http://localhost: 80/", "http://local host/",
    "http://localhost/..", "http://localhost/../x", "http://localhost/a/./b", "http://localhost//evil.example", "http://localhost/a//b",
    "http://localhost/%2e%2e/x", "http://localhost/%0d%0aSet-Cookie:x", "http://localhost/%", "http://localhost%2f@evil.example/",
    "http://localhost/cb?code=x", "http://localhost/cb?", "http://localhost?x", "http://localhost/cb#", "http://localhost/cb#api_key=x", "http://localhost#@evil.example/",
    "http://localhost;@evil.example/", "http://localhost&@evil.example/", "http://localhost\t/", "http://local\nhost/", "http://localhost/\r\n", "http://localhost/cb ",
    " http://localhost/cb", "http://localhost/cb\0", "\0http://localhost/cb", "http://localhost/\u202e", "http://\u217cocalhost/", "http://loc\u0430lhost/", "http://localhost\u3002evil.example/",
    "http://localhost/'\"><script>alert(1)</script>", "http://localhost/a'b", 'http://localhost/a"b', "http://localhost/" + "a" * 1024,
    "https://app.example", "https://app.example/", "https://app.example/auth", "https://app.example/authx", "https://app.example/exact/", "https://app.example/exactly",
    "https://app.example/exact/..", "https://app.example/auth/..", "https://app.example/auth/../open", "https://app.example/auth/./x", "https://app.example/auth//evil",
    "https://app.example/auth/%2e%2e/open", "https://app.example/auth/..%2fopen", "https://app.example/auth/\\..\\open", "https://app.example/auth/x?next=//evil",
    "https://app.example/auth/#x", "https://app.example/auth/;x", "https://app.example:443/auth/", "https://app.example:8443/auth/", "https://APP.example/auth/", "HTTPS://app.example/auth/",
    "http://app.example/auth/", "https://app.example./auth/", "https://app.example.evil.example/auth/", "https://evil.example/https://app.example/auth/",
    "https://app.example@evil.example/auth/", "https://user@app.example/auth/", "https://evil.example?https://app.example/auth/", "https://evil.example#https://app.example/auth/",
    "https://xapp.example/auth/", "https://\u0430pp.example/auth/", "https://app\u3002example/auth/", "https:app.example/auth/", "https:///app.example/auth/", "https://app.example\\auth\\",
    "https://other.example/cb", "https://other.example:8443/", "https://other.example:08443/cb", "https://bare.example/", "https://bare.example/x", "https://bare.example.evil.example",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_everything_else_is_refused(text):
    with pytest.raises(InvalidArgument) as refused:
        parse_callback(text, ALLOWED)
    assert refused.value.reason == "invalid_callback"
    assert "evil" not in refused.value.text


@given(
    st.text(st.sampled_from("abc/.:@?#%\\-_~01 []"), max_size=30),
    st.sampled_from(["http://localhost", "https://app.example/auth/"]),
)
def test_what_is_allowed_means_the_same_to_whoever_reads_it(tail, head):
    """Whatever is let through has the host that it begins with, no user, and a path that normalising does not change."""
    try:
        callback = parse_callback(head + tail, ALLOWED)
    except InvalidArgument:
        return
    parts = urlsplit(callback.url)
    assert parts.hostname in {"localhost", "app.example"}
    assert (parts.username, parts.password, parts.query, parts.fragment) == (None, None, "", "")
    assert all(segment not in {".", ".."} for segment in parts.path.split("/"))
    assert callback.is_loopback is (parts.hostname == "localhost")
    assert callback.is_loopback or parts.path.startswith("/auth/")


@given(
    st.dictionaries(st.sampled_from(["api_key", "state", "code"]), st.text(st.characters(exclude_categories=["Cs"])))
)
def test_values_arrive_as_they_were(values):
    address = parse_callback("http://localhost:1/cb", ()).with_values(values)
    assert dict(parse_qsl(urlsplit(address).query, keep_blank_values=True)) == values
    assert urlsplit(address)._replace(query="").geturl() == "http://localhost:1/cb"


@pytest.mark.parametrize("rule", ALLOWED)
def test_rules_are_urls(rule):
    assert is_callback_rule(rule)


@pytest.mark.parametrize(
    "rule",
    ["", "*", "https://*/", "https://*.example/", "http://app.example/", "app.example", "https://app.example/*", "https://App.example/",
     "https://app.example/?x", "https://app.example/#x", "https://u@app.example/", "https://app.example/a/../b", "https://-app.example/",
     "https://app..example/", "https://app.example:99999/", "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_rule_is_none(rule):
    assert not is_callback_rule(rule)
