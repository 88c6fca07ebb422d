"""A real Chromium, wallets injected into its pages that sign in this process, and a program that waits for its callback."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from support.solana import SolanaWallet
from support.wallet import Wallet

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")

_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# Called by the injected wallets; the answer is {result} or {error}, the error as a provider would throw it.
_ASK = """
window.askWallet = async (chain, method, params) => {
  const answer = await window.walletOfTheTest(chain, method, params);
  if (answer.error) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
  return answer.result;
};
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));
"""

ETHEREUM = """
window.ethereum = { isMetaMask: true, request: ({ method, params }) => window.askWallet("ETH", method, params ?? []) };
"""

ANNOUNCED = """
(() => {
  const provider = { request: ({ method, params }) => window.askWallet("ETH", method, params ?? []) };
  const detail = Object.freeze({
    info: { uuid: "1", name: NAME, icon: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>", rdns: "x" },
    provider,
  });
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""

_BYTES = "Uint8Array.from(atob(answer), (letter) => letter.charCodeAt(0))"

SOLANA = f"""
window.solana = {{
  isPhantom: true,
  connect: async () => ({{ publicKey: {{ toString: () => window.solanaAddress }} }}),
  signMessage: async (message) => {{
    const answer = await window.askWallet("SOL", "signMessage", [btoa(String.fromCharCode(...message))]);
    return {{ signature: {_BYTES} }};
  }},
}};
"""

STANDARD = f"""
(() => {{
  const account = {{ get address() {{ return window.solanaAddress; }}, chains: ["solana:mainnet"], features: [] }};
  const wallet = {{
    version: "1.0.0", name: "Standard", chains: ["solana:mainnet"], accounts: [],
    icon: "data:image/svg+xml;base64,PHN2ZyB4bWxucz0naHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmcnLz4=",
    features: {{
      "standard:connect": {{ version: "1.0.0", connect: async () => ({{ accounts: [account] }}) }},
      "solana:signMessage": {{ version: "1.1.0", signMessage: async ({{ message }}) => {{
        const answer = await window.askWallet("SOL", "signMessage", [btoa(String.fromCharCode(...message))]);
        return [{{ signedMessage: message, signature: {_BYTES} }}];
      }} }},
    }},
  }};
  const callback = (api) => api.register(wallet);
  window.dispatchEvent(new CustomEvent("wallet-standard:register-wallet", {{ detail: callback }}));
  window.addEventListener("wallet-standard:app-ready", (event) => callback(event.detail));
}})();
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody at a browser. What the wallets are asked is in `asked`; `refuse` makes a method fail."""

    def __init__(
        self, browser: Browser, *scripts: str, ethereum: Wallet | None = None, solana: SolanaWallet | None = None
    ):
        self.ethereum, self.solana = ethereum or Wallet(1), solana or SolanaWallet(1)
        self.asked: list[tuple[str, list]] = []
        self.refuse: dict[str, dict] = {}
        self.chain_id = 1
        self.alter = lambda text: text
        self.dialogs: list[str] = []
        self.complaints: list[str] = []
        self.context: BrowserContext = browser.new_context()
        self.context.expose_function("walletOfTheTest", self._answer)
        self.context.add_init_script(_ASK + f"window.solanaAddress = '{self.solana.address}';" + "".join(scripts))
        self.page: Page = self.context.new_page()
        self.page.on("dialog", self._dialog)
        self.page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _dialog(self, dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _answer(self, chain: str, method: str, params: list) -> dict:
        self.asked.append((method, params))
        if method in self.refuse:
            return {"error": self.refuse[method]}
        match method:
            case "eth_requestAccounts":
                return {"result": [self.ethereum.address]}
            case "eth_chainId":
                return {"result": hex(self.chain_id)}
            case "wallet_switchEthereumChain":
                self.chain_id = int(params[0]["chainId"], 16)
                return {"result": None}
            case "personal_sign":
                assert params[1] == self.ethereum.address
                text = bytes.fromhex(params[0].removeprefix("0x")).decode()
                return {"result": self.ethereum.sign(self.alter(text))}
            case "signMessage":
                return {"result": self.solana.sign(self.alter(base64.b64decode(params[0]).decode()))}
        return {"error": {"code": -32601, "message": f"no method {method}"}}

    def close(self) -> None:
        self.context.close()


class Program:
    """A program that listens on loopback for what the browser brings, as the Go gateway's command line does."""

    def __init__(self) -> None:
        self.visits: list[dict[str, str]] = []
        self.page = "<title>done</title>You may close this window."
        self.arrived = threading.Event()
        program = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                if parts.path == "/callback":
                    program.visits.append(dict(parse_qsl(parts.query, keep_blank_values=True)))
                    program.arrived.set()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(program.page.encode())

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.port: int = self._server.server_address[1]

    def callback(self, host: str = "localhost") -> str:
        return f"http://{host}:{self.port}/callback"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
