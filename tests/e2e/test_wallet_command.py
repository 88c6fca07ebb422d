"""`orama wallet`: keys in files, and signatures that independent wallets would have made."""

from __future__ import annotations

import json
import subprocess

import pytest
from solders.keypair import Keypair

from support.node import ORAMA
from support.solana import SolanaWallet
from support.wallet import Wallet


def orama(*arguments, text="", status=0):
    done = subprocess.run([ORAMA, "wallet", *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.strip() if status == 0 else done.stderr.strip()


@pytest.mark.parametrize(("chain", "length"), [("eth", 42), ("sol", 44)])
def test_created_key_is_private_and_keeps_its_address(tmp_path, chain, length):
    key = tmp_path / "key"
    address = orama("create", "--key", key, "--chain", chain)
    assert length - 2 <= len(address) <= length
    assert key.stat().st_mode & 0o777 == 0o600
    assert orama("address", "--key", key) == address
    assert "File exists" in orama("create", "--key", key, "--chain", chain, status=1)
    assert orama("address", "--key", key) == address, "nothing was overwritten"


def test_key_of_either_chain_signs_what_its_own_wallets_sign(tmp_path):
    ethereum, solana = tmp_path / "eth.key", tmp_path / "sol.json"
    ethereum.write_text((7).to_bytes(32, "big").hex() + "\n")
    pair = Keypair.from_seed((7).to_bytes(32, "big"))
    solana.write_text(pair.to_json())
    for key, wallet in ((ethereum, Wallet(7)), (solana, SolanaWallet(7))):
        assert orama("address", "--key", key) == wallet.address
        assert orama("sign", "--key", key, "text é") == wallet.sign("text é")
        challenge = {"wallet": wallet.address, "namespace": "n", "nonce": "text", "purpose": "", "expires_at": ""}
        assert json.loads(orama("answer", "--key", key, text=json.dumps(challenge))) == {
            "wallet": wallet.address,
            "chain_type": wallet.chain_type,
            "namespace": "n",
            "nonce": "text",
            "signature": wallet.sign("text"),
        }


def test_key_that_solana_keygen_would_read(tmp_path):
    key = tmp_path / "sol.json"
    address = orama("create", "--key", key, "--chain", "sol")
    assert str(Keypair.from_json(key.read_text()).pubkey()) == address


@pytest.mark.parametrize(
    "text", ["", "nonsense", "0x12", "[", "[1, 2]", "[256]", json.dumps([1] * 64), "[" + "1," * 63 + '"x"]', "\xff"]
)
def test_file_without_a_key_is_refused_without_being_quoted(tmp_path, text):
    key = tmp_path / "key"
    key.write_text(text)
    said = orama("address", "--key", key, status=1)
    assert said.startswith("error: cannot read a private key from")
    assert len(text) < 4 or text not in said
