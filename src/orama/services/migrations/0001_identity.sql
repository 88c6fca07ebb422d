-- Identity: namespaces, sign-in challenges, refresh families, API keys, signing keys, applications.
-- Times are unix milliseconds. No secret stands here in clear: challenges and refresh tokens as SHA-256, API keys as
-- HMAC-SHA-256, private keys sealed with AES-256-GCM. Indices named *_by_expiry are for the removal of old rows.

CREATE TABLE namespaces (
    name       TEXT PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('claimed', 'operator', 'open')),
    claimed_by TEXT CHECK ((kind = 'claimed') = (claimed_by IS NOT NULL)),
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX namespaces_by_claimant ON namespaces (claimed_by) WHERE claimed_by IS NOT NULL;

CREATE TABLE members (
    namespace  TEXT NOT NULL REFERENCES namespaces (name),
    wallet     TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('owner', 'member')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, wallet)
) WITHOUT ROWID;

CREATE INDEX members_by_wallet ON members (wallet);

CREATE TABLE challenges (
    hash       BLOB PRIMARY KEY,
    wallet     TEXT NOT NULL,
    namespace  TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    client     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) WITHOUT ROWID;

CREATE INDEX challenges_by_wallet ON challenges (wallet, client, expires_at);
CREATE INDEX challenges_by_expiry ON challenges (expires_at);

-- A family is one sign-in: its refresh tokens, its access tokens and its API key live and die with it.
CREATE TABLE families (
    id         TEXT PRIMARY KEY,
    wallet     TEXT NOT NULL,
    namespace  TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) WITHOUT ROWID;

CREATE INDEX families_by_wallet ON families (wallet, namespace);
CREATE INDEX families_by_expiry ON families (expires_at);

CREATE TABLE refresh_tokens (
    hash       BLOB PRIMARY KEY,
    family     TEXT NOT NULL REFERENCES families (id),
    created_at INTEGER NOT NULL,
    used_at    INTEGER
) WITHOUT ROWID;

CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);

-- A key without a wallet was made by the operator, or in development for a namespace that nobody has.
CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,
    mac        BLOB NOT NULL,
    namespace  TEXT NOT NULL,
    wallet     TEXT,
    family     TEXT REFERENCES families (id),
    name       TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) WITHOUT ROWID;

CREATE INDEX api_keys_by_namespace ON api_keys (namespace, wallet);
CREATE INDEX api_keys_by_family ON api_keys (family) WHERE family IS NOT NULL;
CREATE INDEX api_keys_by_expiry ON api_keys (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE signing_keys (
    kid        TEXT PRIMARY KEY,
    algorithm  TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) WITHOUT ROWID;

-- All gateways sign with one key per algorithm.
CREATE UNIQUE INDEX signing_keys_current ON signing_keys (algorithm) WHERE retired_at IS NULL;

CREATE TABLE apps (
    id         TEXT PRIMARY KEY,
    namespace  TEXT NOT NULL REFERENCES namespaces (name),
    name       TEXT NOT NULL,
    wallet     TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX apps_by_namespace ON apps (namespace);
