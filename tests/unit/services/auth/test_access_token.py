"""Access tokens: what PyJWT makes of ours, and a hundred and more that are refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orama.domain.namespace import Namespace
from orama.errors import Unauthenticated
from support.identity import SHOP, Gateway
from support.wallet import Wallet

OWNER = Wallet(1)


def segment(value) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def good(gateway: Gateway) -> str:
    return (await gateway.sign_in(OWNER)).access_token.text


async def assert_refused(gateway: Gateway, token: str) -> None:
    with pytest.raises(Unauthenticated) as failure:
        await gateway.by_token(token)
    assert (failure.value.text, failure.value.reason) == ("invalid or expired token", "invalid_token")


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
async def test_an_independent_library_verifies_our_tokens_by_the_key_set(another_gateway, clock, algorithm):
    gateway = await another_gateway(jwt_algorithm=algorithm)
    token = await good(gateway)
    header = jwt.get_unverified_header(token)
    key_set = jwt.PyJWKSet.from_json((await gateway.handlers.jwks(gateway.call())).body)
    claims = jwt.decode(
        token,
        key_set[header["kid"]],
        algorithms=[algorithm],
        audience="gateway",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    now = int(clock.now())
    family = claims.pop("sid")
    assert header == {"alg": algorithm, "typ": "JWT", "kid": header["kid"]}
    assert claims == {
        "iss": "debros-gateway",
        "aud": "gateway",
        "sub": OWNER.subject,
        "namespace": "shop",
        "iat": now,
        "nbf": now,
        "exp": now + 900,
    }
    assert await gateway.rows("SELECT id FROM families") == [(family,)]
    assert (await gateway.by_token(token)).subject == OWNER.subject


async def test_item_7_a_token_ends_with_its_time_and_a_minute_of_skew(gateway, clock):
    token = await good(gateway)
    clock.advance(900 + 59)
    assert (await gateway.by_token(token)).subject == OWNER.subject
    clock.advance(1)
    await assert_refused(gateway, token)


async def test_a_token_from_a_clock_too_far_ahead_is_refused(gateway, clock):
    token = await good(gateway)
    clock.set_wall(clock.now() - 61)
    await assert_refused(gateway, token)


NOW = 1_800_000_000
CLAIMS = {
    "iss": "debros-gateway",
    "aud": "gateway",
    "sub": OWNER.subject,
    "namespace": "shop",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 900,
}
ABSENT = object()
BAD_CLAIMS = [
    *((name, ABSENT) for name in ("iss", "aud", "sub", "namespace", "iat", "nbf", "exp", "sid")),
    *((name, None) for name in ("iss", "aud", "sub", "namespace", "iat", "nbf", "exp", "sid")),
    *(
        (name, value)
        for name in ("exp", "iat", "nbf")
        for value in ("", "1800000900", 1800000900.5, 1e400, True, [], {}, -1 if name == "exp" else 2**80)
    ),
    *(
        ("iss", value)
        for value in ("", "debros-gateway ", "Debros-Gateway", "https://evil.example", ["debros-gateway"], 1)
    ),
    *(("aud", value) for value in ("", "gateways", "GATEWAY", ["gateway"], ["gateway", "other"], {"gateway": 1}, 0)),
    *(("exp", value) for value in (0, NOW - 61, NOW - 60)),
    *(("nbf", value) for value in (NOW + 61, NOW + 10**6)),
    *(("iat", value) for value in (NOW + 61, NOW + 10**6)),
    *(("namespace", value) for value in ("", "bank", "SHOP", "shop ", "_platform", ["shop"], 7)),
    *(
        ("sub", value)
        for value in (
            "",
            Wallet(2).subject,
            OWNER.address,
            OWNER.bare,
            "ak_",
            "ak_" + "a" * 17,
            "ak_' OR 1=1 --",
            7,
            ["x"],
        )
    ),
    *(("sid", value) for value in ("", "a" * 22, "' OR 1=1 --", 7, ["x"])),
]


@pytest.mark.parametrize(
    ("name", "value"),
    BAD_CLAIMS,
    ids=[f"{name}={value!r:.30}" if value is not ABSENT else f"no {name}" for name, value in BAD_CLAIMS],
)
async def test_item_7_refuses_claims_that_we_would_not_sign(gateway, name, value):
    await gateway.sign_in(OWNER)
    ((family,),) = await gateway.rows("SELECT id FROM families")
    key = await gateway.auth.signing_keys.current()

    def sign(claims):
        return jwt.api_jws.encode(json.dumps(claims).encode(), key.private, "EdDSA", {"kid": key.kid})

    claims = {**CLAIMS, "sid": family}
    assert (await gateway.by_token(sign(claims))).subject == OWNER.subject
    claims[name] = value
    if value is ABSENT:
        del claims[name]
    await assert_refused(gateway, sign(claims))


BAD_HEADERS = [
    {"alg": "none"},
    {"alg": "None"},
    {"alg": "NONE"},
    {"alg": ""},
    {"alg": None},
    {"alg": ["EdDSA"]},
    {"alg": "RS256"},
    {"alg": "HS256"},
    {"alg": "ES256"},
    {"alg": "eddsa"},
    {"alg": "Ed25519"},
    {"alg": ABSENT},
    {"kid": ABSENT},
    {"kid": None},
    {"kid": ""},
    {"kid": 1},
    {"kid": "0" * 16},
    {"kid": "../../../../dev/null"},
    {"kid": "' UNION SELECT 'x' --"},
    {"kid": "x" * 7000},
    {"jku": "https://evil.example/jwks.json"},
    {"x5u": "https://evil.example/cert.pem"},
    {"x5c": ["MII"]},
    {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}},
    {"crit": ["exp"]},
    {"crit": []},
    {"b64": False, "crit": ["b64"]},
    {"zip": "DEF"},
    {"cty": "JWT"},
    {"typ": "at+jwt"},
    {"typ": "jwt"},
    {"typ": None},
    {"enc": "A256GCM"},
]


@pytest.mark.parametrize("fields", BAD_HEADERS, ids=[str(fields)[:40] for fields in BAD_HEADERS])
async def test_refuses_headers_that_we_would_not_write_even_if_well_signed(gateway, fields):
    token = await good(gateway)
    key = await gateway.auth.signing_keys.current()
    header = {"alg": "EdDSA", "typ": "JWT", "kid": key.kid, **fields}
    header = {name: value for name, value in header.items() if value is not ABSENT}
    signed = f"{segment(header)}.{token.split('.')[1]}"
    await assert_refused(gateway, f"{signed}.{segment(key.private.sign(signed.encode()))}")


async def test_refuses_signatures_by_other_keys_and_other_means(gateway):
    token = await good(gateway)
    key = await gateway.auth.signing_keys.current()
    header, payload, _ = token.split(".")
    signed = f"{header}.{payload}".encode()
    public = key.private.public_key()
    hmac_header = segment({"alg": "HS256", "typ": "JWT", "kid": key.kid})
    hmac_signed = f"{hmac_header}.{payload}"
    rsa = generate_private_key(65537, 2048)
    forged = [
        f"{header}.{payload}.{segment(Ed25519PrivateKey.generate().sign(signed))}",
        f"{header}.{payload}.{segment(bytes(64))}",
        f"{header}.{payload}.{segment(b'x')}",
        jwt.api_jws.encode(json.dumps(CLAIMS).encode(), rsa, "RS256", {"kid": key.kid}),
        jwt.api_jws.encode(json.dumps(CLAIMS).encode(), None, "none", {"kid": key.kid}),
    ]
    for encoding, form in (
        (Encoding.Raw, PublicFormat.Raw),
        (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ):
        mac = hmac.digest(public.public_bytes(encoding, form), hmac_signed.encode(), hashlib.sha256)
        forged.append(f"{hmac_signed}.{segment(mac)}")
    for one in forged:
        await assert_refused(gateway, one)


async def test_refuses_every_respelling_of_a_good_token(gateway):
    token = await good(gateway)
    header, payload, signature = token.split(".")
    # 64 bytes in 86 characters leave 4 bits unused: fifteen other last characters decode to the same signature.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twins = [signature[:-1] + letter for letter in alphabet if letter != signature[-1]]
    respelled = [f"{header}.{payload}.{twin}" for twin in twins]
    respelled += [
        token + "=",
        token + "==",
        token + "\n",
        " " + token,
        token + ".",
        "." + token,
        f"{header}.{payload}.",
    ]
    respelled += [
        f"{header}..{signature}",
        f".{payload}.{signature}",
        "..",
        token.replace(".", "..", 1),
        token + "." + signature,
    ]
    respelled += [
        token.replace("_", "/").replace("-", "+") + "+",
        f"{header}.{payload}%2E{signature}",
        token[:-1],
        token + "A",
    ]
    respelled += [f"{header}.{payload}.{signature[:40]}\n{signature[40:]}", f"{header}=.{payload}.{signature}", "a.b.c"]
    respelled += ["A" * 9000, "A" * 3000 + "." + "A" * 3000 + "." + "A" * 3000, "\ud800.a.b", "\u0661.\u0661.\u0661"]
    for one in respelled:
        assert one != token
        await assert_refused(gateway, one)
    assert (await gateway.by_token(token)).subject == OWNER.subject


async def test_refuses_headers_and_payloads_of_other_kinds(gateway):
    token = await good(gateway)
    key = await gateway.auth.signing_keys.current()
    header, payload, _ = token.split(".")
    deep = b"[" * 3000 + b"]" * 3000
    others = (deep, b'{"a":' + deep + b"}", b"", b"null", b"[]", b"7", b'"x"', b"{", b"\xff", b"{}", b"\x00")
    for one in others:
        for signed in (f"{segment(one)}.{payload}", f"{header}.{segment(one)}"):
            await assert_refused(gateway, f"{signed}.{segment(key.private.sign(signed.encode()))}")


@pytest.mark.parametrize("changed", [{"namespace": "bank"}, {"sid": "a" * 22}])
async def test_a_token_from_a_key_must_agree_with_the_key(gateway, changed):
    made = await gateway.lasting_key(OWNER)
    key = await gateway.auth.signing_keys.current()
    claims = {**CLAIMS, "sub": f"ak_{made.id}"}

    def sign(fields):
        return jwt.api_jws.encode(json.dumps(fields).encode(), key.private, "EdDSA", {"kid": key.kid})

    assert (await gateway.by_token(sign(claims))).subject == f"ak_{made.id}"
    await assert_refused(gateway, sign({**claims, **changed}))


async def test_refuses_every_flipped_byte(another_gateway):
    gateway = await another_gateway(signing_key_pause_s=0)  # some flips name another key
    token = await good(gateway)
    for at in range(len(token)):
        flipped = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        await assert_refused(gateway, flipped)


async def test_a_token_above_8_kib_is_refused_even_if_well_signed(gateway):
    key = await gateway.auth.signing_keys.current()
    await gateway.sign_in(OWNER)
    ((family,),) = await gateway.rows("SELECT id FROM families")
    for padding, fits in ((5000, True), (7000, False)):
        claims = json.dumps({**CLAIMS, "sid": family, "padding": "x" * padding}).encode()
        token = jwt.api_jws.encode(claims, key.private, "EdDSA", {"kid": key.kid})
        assert (len(token) <= 8192) is fits
        if fits:
            assert (await gateway.by_token(token)).namespace == SHOP
        else:
            await assert_refused(gateway, token)


async def test_a_token_of_another_cluster_is_refused(gateway, tmp_path_factory, clock):
    token = await gateway.auth.sessions._access_tokens.issue(OWNER.subject, Namespace("shop"), None)
    await assert_refused(gateway, token.text)
