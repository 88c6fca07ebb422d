"use strict";
(() => {
  // Everything that comes from the document or from a reply reaches the page as text, never as markup.

  const SHOWN_CHARACTERS = 200_000; // of a reply; more would make the page slow
  const DEPTH = 4; // of nested objects in an example, and in the list of fields

  const byId = (id) => document.getElementById(id);
  const credential = byId("credential");

  /** An element: `properties` are set on it, those with a dash as attributes; children are elements or texts. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.includes("-") || name === "for" || name === "role") element.setAttribute(name, value);
      else element[name] = value;
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  /** A text of the document, in which `code` stands between backticks. */
  function prose(text) {
    return text.split("`").map((part, number) => (number % 2 ? make("code", {}, part) : part.replace(/\s+/g, " ")));
  }

  const paragraphs = (text) => !text ? [] : text.split(/\n\s*\n/).map((part) => make("p", {}, ...prose(part)));

  // ── schemas ───────────────────────────────────────────────────────────────────────────────────────────────────────

  let schemas = {};

  function resolved(schema) {
    const name = schema?.$ref?.split("/").pop();
    return name ? { ...schemas[name], ...schema, $ref: undefined, title: name } : (schema ?? {});
  }

  const alternatives = (schema) => schema.anyOf ?? schema.oneOf ?? null;

  /** The type in words: `string`, `integer or null`, `list of Step`. */
  function typeOf(raw) {
    const schema = resolved(raw);
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
    if (alternatives(schema)) return [...new Set(alternatives(schema).map(typeOf))].join(" or ");
    if (schema.type === "array") return `list of ${schema.items ? typeOf(schema.items) : "anything"}`;
    if (schema.type === "object") return raw.$ref ? schema.title : "object";
    const type = [schema.type ?? "anything"].flat().join(" or ");
    return schema.format || schema.contentEncoding ? `${type} (${schema.format ?? schema.contentEncoding})` : type;
  }

  /** The first form that says most: an object before a list before a plain value. */
  function richest(raw) {
    const schema = resolved(raw);
    const forms = alternatives(schema)?.map(richest);
    if (!forms) return schema;
    return forms.find((one) => one.properties) ?? forms.find((one) => one.type === "array") ?? forms[0];
  }

  /** A value of that schema to begin with: what is required, or everything if nothing is. */
  function exampleOf(raw, depth = 0) {
    const given = resolved(raw);
    if (given.examples?.length) return given.examples[0];
    if (given.const !== undefined) return given.const;
    if (given.default !== undefined && given.default !== null) return given.default;
    const schema = richest(raw);
    if (schema.enum) return schema.enum[0];
    if (schema.type === "array") return depth < DEPTH && schema.items ? [exampleOf(schema.items, depth + 1)] : [];
    if (schema.properties) {
      const names = schema.required?.length ? schema.required : Object.keys(schema.properties);
      if (depth >= DEPTH) return {};
      return Object.fromEntries(names.map((name) => [name, exampleOf(schema.properties[name], depth + 1)]));
    }
    const type = [schema.type].flat().find((one) => one !== "null");
    return { string: "", integer: schema.minimum > 0 ? schema.minimum : 0, number: 0, boolean: false, object: {} }[type] ?? null;
  }

  /** The fields of an object, those of objects within it after a dot. */
  function fieldsOf(raw, prefix = "", depth = 0, within = []) {
    let schema = richest(raw);
    let mark = "";
    while (schema.type === "array" && schema.items) {
      schema = richest(schema.items);
      mark += "[]";
    }
    if (!schema.properties || depth >= DEPTH || within.includes(schema.title)) return [];
    return Object.entries(schema.properties).flatMap(([name, field]) => {
      const path = `${prefix}${mark && prefix ? mark : ""}${prefix ? "." : ""}${name}`;
      const row = { path, type: typeOf(field), text: resolved(field).description ?? "", required: schema.required?.includes(name) };
      return [row, ...fieldsOf(field, path, depth + 1, [...within, schema.title])];
    });
  }

  function fieldTable(schema, caption) {
    const rows = fieldsOf(schema);
    if (!rows.length) return null;
    const head = make("tr", {}, ...["Field", "Type", "Meaning"].map((text) => make("th", { scope: "col" }, text)));
    const body = rows.map((row) =>
      make("tr", {},
        make("th", { scope: "row", className: "mono" }, row.path, row.required ? make("span", { className: "fine" }, " required") : null),
        make("td", {}, row.type), make("td", {}, ...prose(row.text))));
    return make("div", { className: "wide" },
      make("table", { "aria-label": caption }, make("thead", {}, head), make("tbody", {}, ...body)));
  }

  // ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────

  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

  /** The header that carries a credential, by its form: a token has two dots. */
  function credentialHeader(text) {
    return text.split(".").length === 3 ? ["Authorization", `Bearer ${text}`] : ["X-API-Key", text];
  }

  /** What to send, from the form of an operation; throws a text that says what is missing. */
  function requestOf(operation, form) {
    let path = operation.path;
    const query = new URLSearchParams();
    const headers = [];
    for (const input of form.querySelectorAll("[data-in]")) {
      const { in: place, name } = input.dataset;
      if (input.required && !input.value) throw `${name} is required`;
      if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(input.value));
      else if (input.value && place === "query") query.append(name, input.value);
      else if (input.value) headers.push([name, input.value]);
    }
    const secret = credential.value.trim();
    if (secret) headers.push(credentialHeader(secret));
    const body = form.querySelector("[data-body]");
    const kind = body?.dataset.body;
    let content;
    let parts = [];
    if (kind === "application/json") {
      content = body.value;
      if (content.trim()) headers.push(["Content-Type", kind]);
      else content = undefined;
    } else if (kind === "multipart/form-data") {
      content = new FormData();
      for (const input of body.querySelectorAll("[data-part]")) {
        const values = input.type === "file" ? [...input.files] : input.value ? [input.value] : [];
        for (const value of values) {
          content.append(input.dataset.part, value);
          parts.push(`${input.dataset.part}=${input.type === "file" ? "@" + value.name : value}`);
        }
      }
    } else if (kind && body.files[0]) {
      content = body.files[0];
      headers.push(["Content-Type", kind]);
    }
    const search = query.toString();
    return { method: operation.method, url: location.origin + path + (search ? `?${search}` : ""), headers, content, parts };
  }

  /** The request as a command; the credential stands for itself, so that the text can be shown around. */
  function curlOf(request) {
    const lines = [`curl ${request.method === "GET" ? "" : `-X ${request.method} `}${quoted(request.url)}`];
    for (const [name, value] of request.headers) {
      const secret = name === "X-API-Key" ? "$API_KEY" : name === "Authorization" ? "Bearer $TOKEN" : null;
      lines.push(secret ? `-H "${name}: ${secret}"` : `-H ${quoted(`${name}: ${value}`)}`);
    }
    if (typeof request.content === "string") lines.push(`-d ${quoted(request.content)}`);
    else if (request.content instanceof File) lines.push(`--data-binary ${quoted(`@${request.content.name}`)}`);
    for (const part of request.parts) lines.push(`-F ${quoted(part)}`);
    return lines.join(" \\\n  ");
  }

  /** JSON with line breaks. Nothing is parsed, so that integers of 64 bits stay what they are. */
  function indented(json) {
    let text = "";
    let depth = 0;
    const line = () => `\n${"  ".repeat(depth)}`;
    for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gs)) {
      if (token === "{" || token === "[") {
        depth += 1;
        text += token + line();
      } else if (token === "}" || token === "]") {
        depth = Math.max(0, depth - 1);
        text = /[{[]\s*$/.test(text) ? text.trimEnd() + token : text + line() + token;
      } else text += token === "," ? token + line() : token === ":" ? ": " : token;
    }
    return text;
  }

  const LOGGED_FRAMES = 200;

  /** The form of a WebSocket: connect, say something, see what comes. A browser sends its credential in the URL. */
  function conversationOf(operation, form) {
    const log = make("pre", { tabIndex: 0, className: "log", "aria-live": "polite", "aria-label": "What was said" });
    const connect = make("button", { type: "submit", className: "main" }, "Connect");
    const id = `${operation.name}-frame`;
    const frame = make("textarea", { id, rows: 3, spellcheck: false });
    const say = make("button", { type: "button", disabled: true }, "Send frame");
    form.append(make("div", { className: "buttons" }, connect),
      make("label", { className: "field", for: id }, "Frame to send"), frame, make("div", { className: "buttons" }, say), log);
    const note = (text) => {
      log.append(`${text}\n`);
      while (log.childNodes.length > LOGGED_FRAMES) log.firstChild.remove();
      log.scrollTop = log.scrollHeight;
    };
    let socket = null;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (socket) {
        socket.close(1000);
        return;
      }
      let url;
      try {
        url = new URL(requestOf(operation, form).url.replace(/^http/, "ws"));
      } catch (missing) {
        note(`# ${missing}`);
        return;
      }
      const secret = credential.value.trim();
      if (secret) url.searchParams.append(credentialHeader(secret)[0] === "X-API-Key" ? "api_key" : "token", secret);
      socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      connect.textContent = "Disconnect";
      socket.addEventListener("open", () => { say.disabled = false; note("# connected"); });
      socket.addEventListener("message", ({ data }) =>
        note(`← ${typeof data === "string" ? data : `${data.byteLength} bytes`}`));
      socket.addEventListener("close", ({ code, reason }) => {
        note(`# closed: ${code} ${reason}`);
        socket = null;
        say.disabled = true;
        connect.textContent = "Connect";
      });
    });
    say.addEventListener("click", () => {
      socket.send(frame.value);
      note(`→ ${frame.value}`);
    });
  }

  const isText = (type) => /json|text|xml|javascript|event-stream/.test(type);

  /** Send, and show the reply as it comes. */
  async function send(request, place, signal) {
    const began = performance.now();
    const status = make("p", { role: "status" }, "Sending…");
    place.replaceChildren(make("h3", {}, "Reply"), status);
    const reply = await fetch(request.url, {
      method: request.method, headers: request.headers, body: request.content, signal,
      cache: "no-store", credentials: "omit", redirect: "follow",
    });
    const type = reply.headers.get("content-type") ?? "";
    const took = () => `${Math.round(performance.now() - began)} ms`;
    status.replaceChildren(
      make("span", { className: `status ${reply.ok ? "good" : "bad"}` }, `${reply.status} ${reply.statusText}`), " · ", took());
    const headers = [...reply.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    place.append(make("h3", {}, "Headers"), make("pre", { tabIndex: 0, className: "reply-headers" }, headers));
    const shown = make("pre", { tabIndex: 0, className: "reply-body" });
    if (!isText(type)) {
      const content = await reply.blob();
      if (content.size) {
        const link = make("a", { href: URL.createObjectURL(content), download: "reply" }, `Save ${content.size} bytes of ${type}`);
        place.append(make("h3", {}, "Body"), link);
      }
      return;
    }
    place.append(make("h3", {}, "Body"), shown);
    let text = "";
    const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader.read()) {
      text += part.value;
      shown.textContent = text.slice(0, SHOWN_CHARACTERS);
    }
    if (type.includes("json") && text.length <= SHOWN_CHARACTERS) shown.textContent = indented(text);
    if (text.length > SHOWN_CHARACTERS) place.append(make("p", { className: "fine" }, `${text.length} characters; the first ${SHOWN_CHARACTERS} are shown.`));
    status.lastChild.textContent = took();
  }

  // ── operations ────────────────────────────────────────────────────────────────────────────────────────────────────

  function randomKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function parameterField(operation, parameter) {
    const id = `${operation.name}-${parameter.in}-${parameter.name}`;
    const schema = resolved(parameter.schema);
    const choices = schema.enum ?? (schema.type === "boolean" ? [true, false] : null);
    const shared = { id, required: parameter.required ?? false, "data-in": parameter.in, "data-name": parameter.name };
    const input = choices
      ? make("select", shared, make("option", { value: "" }, "–"), ...choices.map((one) => make("option", {}, String(one))))
      : make("input", { ...shared, autocomplete: "off", spellcheck: false, placeholder: typeOf(parameter.schema) });
    const text = parameter.description ?? schema.description;
    const label = make("span", {}, make("span", { className: "mono" }, parameter.name), ` in ${parameter.in} `,
      parameter.required ? make("b", {}, "required") : null, ...(text ? [" · ", ...prose(text)] : []));
    if (parameter.name !== "Idempotency-Key") return make("label", { className: "field", for: id }, label, input);
    const fresh = make("button", { type: "button" }, "New");
    fresh.addEventListener("click", () => { input.value = randomKey(); input.dispatchEvent(new Event("input", { bubbles: true })); });
    return make("div", { className: "field" }, make("label", { for: id }, label), make("span", { className: "with-button" }, input, fresh));
  }

  /** The body; of several forms one is chosen. */
  function bodyField(operation, requestBody) {
    const kinds = Object.entries(requestBody.content);
    const fieldOf = ([kind, content]) => bodyOfKind(operation, requestBody, kind, content);
    if (kinds.length === 1) return fieldOf(kinds[0]);
    const id = `${operation.name}-body-kind`;
    const choice = make("select", { id }, ...kinds.map(([kind]) => make("option", {}, kind)));
    const place = make("div", {}, fieldOf(kinds[0]));
    choice.addEventListener("change", () => place.replaceChildren(fieldOf(kinds[choice.selectedIndex])));
    return make("div", {}, make("label", { className: "field", for: id }, "Form of the body", choice), place);
  }

  function bodyOfKind(operation, requestBody, kind, content) {
    const id = `${operation.name}-body`;
    const label = make("span", {}, "Body ", make("span", { className: "mono" }, kind), requestBody.required ? make("b", {}, " required") : null);
    if (kind === "application/json") {
      const text = JSON.stringify(exampleOf(content.schema), null, 2);
      const rows = Math.min(20, text.split("\n").length + 1);
      return make("label", { className: "field", for: id }, label,
        make("textarea", { id, rows, "data-body": kind, spellcheck: false, value: text }));
    }
    if (kind !== "multipart/form-data") {
      return make("label", { className: "field", for: id }, label, make("input", { id, type: "file", "data-body": kind }));
    }
    const parts = Object.entries(richest(content.schema).properties ?? {}).map(([name, raw]) => {
      const part = richest(raw).type === "array" ? richest(richest(raw).items) : richest(raw);
      const file = part.format === "binary" || part.contentMediaType !== undefined;
      const placeholder = resolved(raw).default === undefined ? "" : String(resolved(raw).default);
      const input = make("input", { type: file ? "file" : "text", multiple: file && richest(raw).type === "array", placeholder, "data-part": name });
      const text = resolved(raw).description;
      return make("label", { className: "field" },
        make("span", {}, make("span", { className: "mono" }, name), ...(text ? [" · ", ...prose(text)] : [])), input);
    });
    return make("fieldset", { "data-body": kind }, make("legend", {}, label), ...parts);
  }

  /** The form that sends a request and shows it as a command. */
  function requestForm(operation, form) {
    const curl = make("pre", { tabIndex: 0, className: "curl", "aria-label": "The request as a curl command" });
    const reply = make("div", { className: "reply", hidden: true });
    const sendButton = make("button", { type: "submit", className: "main" }, "Send");
    const copyButton = make("button", { type: "button" }, "Copy curl");
    if (operation.described.requestBody) form.append(bodyField(operation, operation.described.requestBody));
    form.append(make("div", { className: "buttons" }, sendButton, copyButton), curl, reply);

    const refresh = () => {
      try {
        curl.textContent = curlOf(requestOf(operation, form));
      } catch (missing) {
        curl.textContent = `# ${missing}`;
      }
    };
    form.addEventListener("input", refresh);
    form.addEventListener("change", refresh); // a form of the body was chosen, or a file
    credential.addEventListener("input", refresh);
    copyButton.addEventListener("click", async () => {
      await navigator.clipboard.writeText(curl.textContent);
      copyButton.textContent = "Copied";
      setTimeout(() => { copyButton.textContent = "Copy curl"; }, 1500);
    });
    copyButton.hidden = !navigator.clipboard; // browsers offer it on safe origins only

    let underWay = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (underWay) {
        underWay.abort();
        return;
      }
      underWay = new AbortController();
      sendButton.textContent = "Stop";
      reply.hidden = false;
      try {
        await send(requestOf(operation, form), reply, underWay.signal);
      } catch (error) {
        const stopped = error?.name === "AbortError";
        const text = typeof error === "string" ? error : stopped ? "Stopped." : `No reply: ${error.message}`;
        reply.append(make("p", { className: "trouble", role: "alert" }, text));
      } finally {
        underWay = null;
        sendButton.textContent = "Send";
      }
    });
    refresh();
  }

  /** What an operation shows once it is opened. */
  function detailsOf(operation) {
    const { described } = operation;
    const parameters = (described.parameters ?? []).map((one) => parameterField(operation, one));
    const form = make("form", { noValidate: true }, ...parameters);
    if (described.responses["101"]) conversationOf(operation, form);
    else requestForm(operation, form);

    const body = Object.values(described.requestBody?.content ?? {})[0];
    const responses = Object.entries(described.responses).map(([status, response]) => {
      const content = Object.entries(response.content ?? {})[0];
      return make("tr", {}, make("th", { scope: "row" }, status), make("td", {}, response.description ?? ""),
        make("td", {}, content ? `${content[0]}: ${typeOf(content[1].schema)}` : ""));
    });
    const success = Object.entries(described.responses).find(([status]) => status < "300");
    const answer = success && Object.values(success[1].content ?? {})[0];
    return make("div", { className: "inside" },
      ...paragraphs(described.description ?? ""),
      make("p", { className: "fine" }, scopeText(described), " · ", make("code", {}, operation.name)),
      form,
      body ? make("h3", {}, "Fields of the body") : null, body ? fieldTable(body.schema, "Fields of the body") : null,
      answer && fieldsOf(answer.schema).length ? make("h3", {}, "Fields of the reply") : null,
      answer ? fieldTable(answer.schema, "Fields of the reply") : null,
      make("h3", {}, "Replies"),
      make("div", { className: "wide" }, make("table", { "aria-label": "Replies" }, make("tbody", {}, ...responses))));
  }

  function scopeText(described) {
    const scope = described["x-scope"];
    if (scope === "public") return "Anybody may call it";
    return scope === "credential" ? "Any valid credential" : `Needs the scope ${scope}`;
  }

  function articleOf(operation) {
    const { described, method, path, name } = operation;
    const lock = described.security?.length ? make("span", { className: "lock" }, described["x-scope"]) : null;
    const summary = make("summary", {},
      make("span", { className: `method ${method.toLowerCase()}` }, method), make("span", { className: "path mono" }, path),
      make("span", { className: "about" }, ...prose(described.summary ?? "")), lock);
    const details = make("details", {}, summary);
    // Built when first opened: a page of all forms at once would be slow.
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(detailsOf(operation));
    });
    return make("article", { id: name }, details);
  }

  // ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────

  function operationsOf(documented) {
    return Object.entries(documented.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]) => {
        const name = described.operationId;
        const words = [name, path, method, described.summary, described.description, described["x-scope"]].join(" ").toLowerCase();
        return { path, method: method.toUpperCase(), described, name, group: described.tags?.[0] ?? "other", words };
      }));
  }

  /** Groups as they come in the document; what the node says of itself is for few, and last. */
  function grouped(operations) {
    const groups = new Map();
    for (const one of operations) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
    return [...groups].sort(([a], [b]) => (a === "system") - (b === "system"));
  }

  function show(operations) {
    for (const [group, members] of grouped(operations)) {
      const heading = `group-${group}`;
      const section = make("section", { "aria-labelledby": heading }, make("h2", { id: heading }, group));
      const list = make("ul", {});
      for (const one of members) {
        one.article = articleOf(one);
        one.entry = make("li", {}, make("a", { href: `#${one.name}` },
          make("span", { className: `method ${one.method.toLowerCase()}` }, one.method), " ", one.path));
        section.append(one.article);
        list.append(one.entry);
      }
      byId("operations").append(section);
      byId("index").append(make("section", {}, make("h2", {}, group), list));
    }
  }

  /** Show what holds every word that was typed. */
  function filter(operations, typed) {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const one of operations) {
      const fits = words.every((word) => one.words.includes(word));
      found += fits ? 1 : 0;
      one.article.hidden = one.entry.hidden = !fits;
    }
    for (const section of document.querySelectorAll("main > section, #index > section")) {
      section.hidden = !section.querySelector("article:not([hidden]), li:not([hidden])");
    }
    byId("found").textContent = words.length ? `${found} of ${operations.length} operations` : `${operations.length} operations`;
  }

  function openNamed(operations) {
    const one = operations.find((each) => each.name === decodeURIComponent(location.hash.slice(1)));
    for (const each of operations) each.entry.firstChild.removeAttribute("aria-current");
    if (!one) return;
    one.article.hidden = one.entry.hidden = one.article.parentElement.hidden = false;
    one.article.firstChild.open = true;
    one.entry.firstChild.setAttribute("aria-current", "true");
    one.article.scrollIntoView();
    one.article.querySelector("summary").focus({ preventScroll: true });
  }

  byId("reveal").addEventListener("click", (event) => {
    const hidden = credential.type === "password";
    credential.type = hidden ? "text" : "password";
    event.target.textContent = hidden ? "Hide" : "Show";
    event.target.setAttribute("aria-pressed", String(hidden));
  });

  async function begin() {
    const search = byId("search");
    try {
      const reply = await fetch("/v1/openapi.json", { credentials: "omit" });
      if (!reply.ok) throw new Error(`the node answered ${reply.status}`);
      const documented = await reply.json();
      schemas = documented.components?.schemas ?? {};
      byId("version").textContent = documented.info.version;
      const operations = operationsOf(documented);
      show(operations);
      filter(operations, "");
      search.addEventListener("input", () => filter(operations, search.value));
      search.addEventListener("keydown", (event) => {
        if (event.key === "Escape") { search.value = ""; filter(operations, ""); }
      });
      document.addEventListener("keydown", (event) => {
        const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
        if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); search.focus(); }
      });
      addEventListener("hashchange", () => openNamed(operations));
      openNamed(operations);
    } catch (error) {
      byId("trouble").textContent = `The OpenAPI document cannot be read: ${error.message}. Load this page again.`;
      byId("trouble").hidden = false;
    }
  }

  begin();
})();
