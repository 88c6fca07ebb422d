-- One-time codes of the login page, as SHA-256: what a wallet signed for, waiting to be exchanged. Times are unix
-- milliseconds. `family`: the sign-in that the code became.

CREATE TABLE login_codes (
    hash           BLOB PRIMARY KEY,
    wallet         TEXT NOT NULL,
    account        TEXT NOT NULL,
    namespace      TEXT NOT NULL,
    callback       TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    used_at        INTEGER,
    family         TEXT
) WITHOUT ROWID;

CREATE INDEX login_codes_by_expiry ON login_codes (expires_at);
