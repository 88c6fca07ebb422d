-- Requests that carry an Idempotency-Key, and the removal of what is over. Times are unix milliseconds.

-- The platform's own; each namespace's database has a table of the same form, made with its first key.
-- key: SHA-256 of whose key it is and of the key itself. request: SHA-256 of what was asked. results: what the batch's
-- statements came to, NULL if that was too much to keep. note: what else belongs to the reply, sealed.
CREATE TABLE _orama_idempotency (
    key        BLOB PRIMARY KEY,
    request    BLOB NOT NULL,
    results    BLOB,
    note       BLOB,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX _orama_idempotency_by_expiry ON _orama_idempotency (expires_at);

-- Namespaces in which keys were used, and when to look there for rows that are over.
CREATE TABLE idempotency_spaces (
    namespace TEXT PRIMARY KEY,
    due_at    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX idempotency_spaces_by_due ON idempotency_spaces (due_at);

CREATE INDEX families_by_revocation ON families (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX api_keys_by_revocation ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;
