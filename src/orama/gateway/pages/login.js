"use strict";

// The login page: finds the wallets of this browser, has one sign, and hands the result to the program that asked.
// Everything that comes from a wallet or from the address is shown as text, never as markup.
(() => {
  const page = JSON.parse(document.body.dataset.page);
  const at = (id) => document.getElementById(id);
  const wallets = new Map();
  const PATIENCE_MS = 30_000;
  const NO_WALLET_AFTER_MS = 1_000;
  let busy = false;

  // A failure whose text is for the person in front of the screen.
  class Trouble extends Error {}

  // --- What is on the screen ---

  function show() {
    at("asker").textContent = page.is_loopback ? "A program on this computer" : page.asker;
    at("asks").textContent = "asks you to sign in.";
    at("namespace").textContent = page.namespace;
    at("callback").textContent = page.asker;
  }

  function say(text, working = false) {
    at("status").textContent = text;
    at("status").classList.toggle("busy", working);
  }

  function complain(text, again) {
    say("");
    at("what").textContent = text;
    at("retry").onclick = again;
    at("trouble").hidden = false;
    at("trouble").focus();
  }

  function setBusy(now) {
    busy = now;
    for (const button of document.querySelectorAll("#wallets button")) button.disabled = now;
    if (now) at("trouble").hidden = true;
  }

  function offer(wallet) {
    const key = `${wallet.chain} ${wallet.name}`;
    if (wallets.has(key)) return;
    wallets.set(key, wallet);
    at("trouble").hidden = true;
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.disabled = busy;
    button.onclick = () => signIn(wallet);
    let picture = document.createElement("span");
    picture.className = "dot";
    if (typeof wallet.icon === "string" && wallet.icon.startsWith("data:image/")) {
      picture = document.createElement("img");
      picture.src = wallet.icon;
      picture.alt = "";
    }
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = wallet.name;
    const chain = document.createElement("span");
    chain.className = "chain";
    chain.textContent = wallet.chain === "ETH" ? "Ethereum" : "Solana";
    button.append(picture, name, chain);
    item.append(button);
    at("wallets").append(item);
  }

  // --- Wallets: each connects, and then gives an address and a way to sign ---

  function ethereumWallet(name, icon, provider) {
    return { chain: "ETH", name, icon, connect: async () => {
      const [address] = await provider.request({ method: "eth_requestAccounts" });
      if (!address) throw new Trouble("Your wallet gave no account. Unlock it and choose one.");
      await settleNetwork(provider);
      return { address, sign: (text) => provider.request({ method: "personal_sign", params: [hex(text), address] }) };
    } };
  }

  async function settleNetwork(provider) {
    const wanted = `0x${page.chain_id.toString(16)}`;
    const onWanted = async () => Number(await provider.request({ method: "eth_chainId" })) === page.chain_id;
    if (await onWanted()) return;
    say("Your wallet is on another network. It asks whether to switch.", true);
    try {
      await provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId: wanted }] });
    } catch (error) {
      if (isRefusal(error)) throw wrongNetwork();
    }
    if (!(await onWanted())) throw wrongNetwork();
  }

  function wrongNetwork() {
    return new Trouble(
      `Your wallet is on the wrong network. Switch it to ${page.chain_id === 1 ? "Ethereum" : "the network"} ` +
        `(chain id ${page.chain_id}) and try again.`
    );
  }

  // A provider in a global variable, as Phantom and others have it.
  function solanaProvider(name, icon, provider) {
    return { chain: "SOL", name, icon, connect: async () => {
      const connected = await provider.connect();
      const key = connected?.publicKey ?? provider.publicKey;
      if (!key) throw new Trouble("Your wallet gave no account. Unlock it and choose one.");
      return { address: key.toString(), sign: async (text) => {
        const signed = await provider.signMessage(new TextEncoder().encode(text), "utf8");
        return base64(signed.signature ?? signed);
      } };
    } };
  }

  // A wallet of the Wallet Standard.
  function standardWallet(wallet) {
    return { chain: "SOL", name: wallet.name, icon: wallet.icon, connect: async () => {
      const { accounts } = await wallet.features["standard:connect"].connect();
      const account = accounts.find((one) => one.chains.some((chain) => chain.startsWith("solana:")));
      if (!account) throw new Trouble("Your wallet gave no Solana account. Unlock it and choose one.");
      return { address: account.address, sign: async (text) => {
        const message = new TextEncoder().encode(text);
        const [signed] = await wallet.features["solana:signMessage"].signMessage({ account, message });
        return base64(signed.signature);
      } };
    } };
  }

  function discover() {
    const providers = new Set();
    window.addEventListener("eip6963:announceProvider", ({ detail }) => {
      providers.add(detail.provider);
      offer(ethereumWallet(String(detail.info.name), detail.info.icon, detail.provider));
    });
    window.dispatchEvent(new Event("eip6963:requestProvider"));

    const register = (...found) => {
      for (const one of found)
        if (one.features?.["standard:connect"] && one.features["solana:signMessage"]) offer(standardWallet(one));
    };
    const api = Object.freeze({ register });
    window.addEventListener("wallet-standard:register-wallet", ({ detail }) => detail(api));
    window.dispatchEvent(new CustomEvent("wallet-standard:app-ready", { detail: api }));

    // Those that only set a variable, perhaps a moment after the page was there.
    const look = () => {
      const { ethereum, solana } = window;
      if (ethereum?.request && providers.size === 0)
        offer(ethereumWallet(ethereum.isMetaMask ? "MetaMask" : "Browser wallet", null, ethereum));
      if (solana?.signMessage && ![...wallets.values()].some((one) => one.chain === "SOL"))
        offer(solanaProvider(solana.isPhantom ? "Phantom" : "Browser wallet", null, solana));
      return wallets.size > 0;
    };
    if (look()) return;
    window.addEventListener("ethereum#initialized", look, { once: true });
    setTimeout(() => {
      if (!look())
        complain("No wallet was found in this browser. Install or unlock one, then try again.", () => location.reload());
    }, NO_WALLET_AFTER_MS);
  }

  // --- The login ---

  async function signIn(wallet) {
    if (busy) return;
    setBusy(true);
    try {
      say(`Open ${wallet.name} and choose an account.`, true);
      const account = await wallet.connect();
      say("Preparing the text to sign.", true);
      const challenge = await ask("/v1/auth/challenge", {
        wallet: account.address, namespace: page.namespace, purpose: page.purpose,
      });
      say(`Read the text in ${wallet.name} and sign it.`, true);
      const signature = await account.sign(challenge.nonce);
      if (Date.parse(challenge.expires_at) <= Date.now())
        throw new Trouble("The text has expired: it was not signed in time. Try again, it takes a moment only.");
      say("Signing in.", true);
      const { redirect } = await ask("/v1/auth/login", {
        wallet: account.address, chain_type: wallet.chain, nonce: challenge.nonce, signature,
        namespace: page.namespace, callback: page.callback, state: page.state,
        code_challenge: page.code_challenge, code_challenge_method: page.code_challenge_method,
      });
      say("You are signed in. Going back.", true);
      location.replace(redirect);
    } catch (error) {
      setBusy(false);
      complain(explain(error), () => signIn(wallet));
    }
  }

  async function ask(path, body) {
    let reply, answer;
    try {
      reply = await fetch(path, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
        credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS),
      });
      answer = await reply.json();
    } catch {
      throw new Trouble("The gateway cannot be reached. Look at your connection and try again.");
    }
    if (reply.ok) return answer;
    if (answer.reason === "invalid_signature")
      throw new Trouble("The signature is not that of the account. Choose the account that you signed with.");
    if (reply.status === 401)
      throw new Trouble("The signature was not accepted: the text has expired or was used. Try again.");
    throw new Trouble(`The gateway says: ${answer.error}`);
  }

  function isRefusal(error) {
    return error?.code === 4001 || /reject|denied|declin|cancel/i.test(error?.message ?? "");
  }

  function explain(error) {
    if (error instanceof Trouble) return error.message;
    if (isRefusal(error)) return "You declined in your wallet. Nothing happened.";
    if (error?.code === -32002) return "Your wallet is already waiting for an answer: open it.";
    return `Your wallet could not do it: ${error?.message ?? "it gave no reason"}`;
  }

  function hex(text) {
    return `0x${Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }

  function base64(bytes) {
    return btoa(String.fromCharCode(...bytes));
  }

  at("cancel").onclick = () => location.replace(page.cancel);
  show();
  discover();
})();
