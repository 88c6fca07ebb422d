"""RFC 7636 with S256: its own example, and nothing but it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.pkce import fits, parse_code_challenge
from orama.errors import InvalidArgument

# Appendix B of the RFC.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_rfc_fits():
    assert parse_code_challenge(CHALLENGE, "S256") == CHALLENGE
    assert fits(CHALLENGE, VERIFIER)


@given(st.text(st.sampled_from("abcXYZ019-._~"), max_size=140))
def test_no_other_verifier_fits(verifier):
    assert not fits(CHALLENGE, verifier)


@pytest.mark.parametrize(
    "verifier",
    ["", CHALLENGE, VERIFIER + "a", VERIFIER[:-1], VERIFIER + "\n", VERIFIER.lower(), "é" * 43, "\ud800" * 43],
)
def test_what_is_near_does_not_fit(verifier):
    assert not fits(CHALLENGE, verifier)


@pytest.mark.parametrize("length", [42, 129])
def test_a_verifier_of_another_length_never_fits(length):
    import base64
    import hashlib

    verifier = "a" * length
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert not fits(challenge, verifier)


@pytest.mark.parametrize(
    ("challenge", "method"),
    [
        (CHALLENGE, ""), (CHALLENGE, "plain"), (CHALLENGE, "s256"), (CHALLENGE + "=", "S256"), (CHALLENGE[:-1], "S256"),
        ("", "S256"), (CHALLENGE.replace("-", "+"), "S256"), (CHALLENGE + "\n", "S256"), ("é" * 43, "S256"),
    ],
)  # fmt: skip
def test_another_method_or_form_is_refused(challenge, method):
    with pytest.raises(InvalidArgument) as refused:
        parse_code_challenge(challenge, method)
    assert refused.value.reason == "invalid_code_challenge"
