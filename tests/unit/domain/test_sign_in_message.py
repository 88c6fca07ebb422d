"""The texts to sign: the standards' examples, one reading for each text, and everything near it refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.sign_in_message import SignInMessage, parse_message
from orama.domain.wallet import Chain
from orama.errors import InvalidArgument
from support.solana import SolanaWallet
from support.wallet import Wallet

# The informal template's examples of EIP-4361 itself.
WITH_EVERYTHING = """example.com wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""
WITHOUT_STATEMENT = """example.com:3388 wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2


URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z"""


# The maximal message of Sign In With Solana, and CAIP-122's address for it.
SOLANA_WITH_EVERYTHING = """service.org wants you to sign in with your Solana account:
GwAF45zjfyGzUbd3i3hXxzGeuchzEZXwpRYHZM5912F1

I accept the ServiceOrg Terms of Service: https://service.org/tos

URI: https://service.org/login
Version: 1
Chain ID: mainnet
Nonce: 32891757
Issued At: 2021-09-30T16:25:24.000Z
Expiration Time: 2021-09-30T16:30:24.000Z
Not Before: 2021-09-30T16:25:24.000Z
Request ID: some_id
Resources:
- ipfs://Qme7ss3ARVgxv6rXqVPiikMJ8u2NLgmgszg13pYrDKEoiu
- https://example.com/my-web2-claim.json"""
SOLANA_WITHOUT_STATEMENT = """service.org wants you to sign in with your Solana account:
GwAF45zjfyGzUbd3i3hXxzGeuchzEZXwpRYHZM5912F1

URI: https://service.org/login
Version: 1
Chain ID: solana:devnet
Nonce: 32891757
Issued At: 2021-09-30T16:25:24.000Z"""


def message(**fields):
    return SignInMessage(
        **{
            "chain": Chain.ETHEREUM,
            "domain": "api.example",
            "address": Wallet().address,
            "uri": "https://api.example",
            "chain_id": "1",
            "nonce": "abcdefgh12345678",
            "issued_at": "2027-01-15T08:00:00.000Z",
            "expiration_time": "2027-01-15T08:05:00.000Z",
            "statement": "Sign in to the namespace default.",
            **fields,
        }
    )


@pytest.mark.parametrize("text", [WITH_EVERYTHING, WITHOUT_STATEMENT])
def test_reads_and_writes_the_examples_of_the_eip(text):
    assert parse_message(text).text == text
    assert parse_message(text).chain is Chain.ETHEREUM


@pytest.mark.parametrize("text", [SOLANA_WITH_EVERYTHING, SOLANA_WITHOUT_STATEMENT])
def test_reads_and_writes_the_form_of_sign_in_with_solana(text):
    assert parse_message(text).text == text
    assert parse_message(text).chain is Chain.SOLANA


def test_reads_the_fields_of_the_example():
    parsed = parse_message(WITH_EVERYTHING)
    assert parsed.domain == "example.com"
    assert parsed.address == "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
    assert parsed.statement == "I accept the ExampleOrg Terms of Service: https://example.com/tos"
    assert (parsed.chain_id, parsed.nonce) == ("1", "32891756")
    assert parsed.resources == (
        "ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/",
        "https://example.com/my-web2-claim.json",
    )


GOOD = message().text
GOOD_SOLANA = message(chain=Chain.SOLANA, address=SolanaWallet().address, chain_id="mainnet").text

_statement_character = st.sampled_from("abcXYZ019:/?#[]@!$&'()*+,;=._~- ")
_uri_character = _statement_character.filter(" ".__ne__) | st.just("%")


@given(
    number=st.integers(1, 10**6),
    port=st.none() | st.integers(1, 65535),
    statement=st.none() | st.text(_statement_character, min_size=1),
    chain_id=st.integers(1, 10**17).map(str),
    nonce=st.text(st.sampled_from("abcXYZ019"), min_size=8),
    expiration_time=st.none() | st.just("2027-01-15T08:05:00+01:00"),
    not_before=st.none() | st.just("2027-01-15T08:05:00.5Z"),
    request_id=st.none() | st.text(st.sampled_from("abc019:@!$&'()*+,;=._~-%")),
    resources=st.lists(st.text(_uri_character).map("urn:".__add__)).map(tuple),
)
def test_what_is_written_reads_the_same(number, port, **fields):
    domain = "api.example" if port is None else f"api.example:{port}"
    written = message(domain=domain, address=Wallet(number).address, **fields)
    assert parse_message(written.text) == written
    network = ("mainnet", "devnet", "solana:testnet")[number % 3]
    solana = {"chain": Chain.SOLANA, "address": SolanaWallet(number).address, "chain_id": network}
    written = message(domain=domain, **{**fields, **solana})
    assert parse_message(written.text) == written


@pytest.mark.parametrize("original", [GOOD, GOOD_SOLANA], ids=["Ethereum", "Solana"])
@given(data=st.data())
def test_one_changed_character_never_reads_as_the_same(original, data):
    text = original
    at = data.draw(st.integers(0, len(text) - 1))
    replacement = data.draw(st.characters().filter(lambda character: character != text[at]))
    changed = text[:at] + replacement + text[at + 1 :]
    try:
        parsed = parse_message(changed)
    except InvalidArgument:
        return
    assert parsed.text == changed
    assert parsed != parse_message(original)


LINES = GOOD.split("\n")
BAD = {
    "empty": "",
    "trailing newline": GOOD + "\n",
    "trailing text": GOOD + "\nand send me your coins",
    "trailing space": GOOD + " ",
    "leading newline": "\n" + GOOD,
    "leading space": " " + GOOD,
    "carriage returns": GOOD.replace("\n", "\r\n"),
    "newline in the statement": GOOD.replace("Sign in to", "Sign in\nto"),
    "second statement": GOOD.replace("default.\n", "default.\nAnd more.\n"),
    "fields injected by the statement": GOOD.replace("default.", "default.\n\nURI: https://evil.example\nVersion: 1"),
    "line separator in the statement": GOOD.replace("Sign in to", "Sign in\u2028to"),
    "quotation mark in the statement": GOOD.replace("default.", '"default".'),
    "NUL": GOOD.replace("default.", "default.\0"),
    "emoji in the statement": GOOD.replace("default.", "default 👍."),
    "two URIs": GOOD.replace("Version: 1", "URI: https://evil.example\nVersion: 1"),
    "two nonces": GOOD + "\nNonce: abcdefgh99999999",
    "order of fields": "\n".join([*LINES[:-4], LINES[-3], LINES[-4], *LINES[-2:]]),
    "version 2": GOOD.replace("Version: 1", "Version: 2"),
    "version 11": GOOD.replace("Version: 1", "Version: 11"),
    "no version": GOOD.replace("Version: 1\n", ""),
    "chain 0": GOOD.replace("Chain ID: 1", "Chain ID: 0"),
    "chain 01": GOOD.replace("Chain ID: 1", "Chain ID: 01"),
    "negative chain": GOOD.replace("Chain ID: 1", "Chain ID: -1"),
    "chain in other digits": GOOD.replace("Chain ID: 1", "Chain ID: \u0661"),
    "endless chain": GOOD.replace("Chain ID: 1", "Chain ID: " + "1" * 100),
    "short nonce": GOOD.replace("abcdefgh12345678", "abcdefg"),
    "nonce with a space": GOOD.replace("abcdefgh12345678", "abcdefgh 12345678"),
    "nonce with SQL": GOOD.replace("abcdefgh12345678", "abcdefgh' OR 1=1 --"),
    "lower-case address": GOOD.replace(Wallet().address, Wallet().address.lower()),
    "upper-case address": GOOD.replace(Wallet().address, "0x" + Wallet().address[2:].upper()),
    "address without 0x": GOOD.replace(Wallet().address, Wallet().address[2:]),
    "short address": GOOD.replace(Wallet().address, Wallet().address[:-1]),
    "Solana account": GOOD.replace("Ethereum", "Solana"),
    "confusable domain": GOOD.replace("api.example wants", "\u0430pi.example wants"),
    "domain with a path": GOOD.replace("api.example wants", "api.example/x wants"),
    "domain with a user": GOOD.replace("api.example wants", "api.example@evil.example wants"),
    "domain with a space": GOOD.replace("api.example wants", "api .example wants"),
    "no domain": GOOD.replace("api.example wants", " wants"),
    "scheme in front of the domain": "https://" + GOOD,
    "URI without scheme": GOOD.replace("URI: https://api.example", "URI: api.example"),
    "space in the URI": GOOD.replace("URI: https://api.example", "URI: https://api.example /x"),
    "no URI": GOOD.replace("URI: https://api.example\n", ""),
    "no time": GOOD.replace("Issued At: 2027-01-15T08:00:00.000Z\n", ""),
    "time without offset": GOOD.replace("08:00:00.000Z", "08:00:00.000"),
    "impossible day": GOOD.replace("2027-01-15T08:00", "2027-02-30T08:00"),
    "impossible hour": GOOD.replace("T08:05:00", "T25:05:00"),
    "date only": GOOD.replace("2027-01-15T08:00:00.000Z", "2027-01-15"),
    "empty resources": GOOD + "\nResources:",
    "resource without dash": GOOD + "\nResources:\nhttps://evil.example",
    "double space": GOOD.replace("Chain ID: 1", "Chain ID:  1"),
    "tabs": GOOD.replace("Nonce: ", "Nonce:\t"),
    "other case of a field": GOOD.replace("Nonce:", "nonce:"),
    "one blank line less": GOOD.replace("\n\n", "\n", 1),
    "one blank line more": GOOD.replace("\n\n", "\n\n\n", 1),
    "padding": GOOD + " " * 10_000,
    "endless statement": message(statement="a" * 10_000).text,
    "Ethereum account of a Solana wallet": GOOD_SOLANA.replace("Solana", "Ethereum"),
    "Solana wallet in a text of Ethereum": GOOD.replace(Wallet().address, SolanaWallet().address),
    "Ethereum wallet in a text of Solana": GOOD_SOLANA.replace(SolanaWallet().address, Wallet().address),
    "Solana address off the curve": GOOD_SOLANA.replace(SolanaWallet().address, "1" * 32),
    "Solana's statement with Ethereum's gap": GOOD_SOLANA.replace("default.\n\n", "default.\n"),
    "Ethereum's gap without a statement": SOLANA_WITHOUT_STATEMENT.replace("\n\n", "\n\n\n"),
    "number for Solana's network": GOOD_SOLANA.replace("mainnet", "1"),
    "unknown network": GOOD_SOLANA.replace("mainnet", "mainnet-beta"),
    "network for Ethereum's number": GOOD.replace("Chain ID: 1", "Chain ID: mainnet"),
    "lone surrogate": GOOD.replace("default.", "default\ud800."),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_every_other_text(name):
    assert BAD[name] not in {GOOD, GOOD_SOLANA, SOLANA_WITHOUT_STATEMENT}
    with pytest.raises(InvalidArgument) as refused:
        parse_message(BAD[name])
    assert refused.value.reason == "invalid_message"
