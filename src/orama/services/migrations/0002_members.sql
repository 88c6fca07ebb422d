-- Members in four roles, invitations, keys that are rotated and show their last use, and the audit log.
-- Times are unix milliseconds. Of an invitation's token only its SHA-256 stands here. Indices named *_by_expiry and
-- audit_by_time are for the removal of old rows.

CREATE TABLE members_in_roles (
    namespace  TEXT NOT NULL REFERENCES namespaces (name),
    wallet     TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'reader')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, wallet)
) WITHOUT ROWID;

INSERT INTO members_in_roles SELECT namespace, wallet, role, created_at FROM members;

DROP TABLE members;

ALTER TABLE members_in_roles RENAME TO members;

CREATE INDEX members_by_wallet ON members (wallet, namespace);

-- The owners of a namespace are counted whenever one might be its last.
CREATE INDEX members_owners ON members (namespace) WHERE role = 'owner';

-- An invitation counts as long as whoever made it could still make it: `wallet` as a member, `key` as a good key.
CREATE TABLE invitations (
    id          TEXT PRIMARY KEY,
    hash        BLOB NOT NULL UNIQUE,
    namespace   TEXT NOT NULL REFERENCES namespaces (name),
    role        TEXT NOT NULL CHECK (role IN ('admin', 'member', 'reader')),
    invited     TEXT,
    created_by  TEXT NOT NULL,
    wallet      TEXT,
    key         TEXT,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    accepted_at INTEGER,
    accepted_by TEXT,
    revoked_at  INTEGER
) WITHOUT ROWID;

CREATE INDEX invitations_by_namespace ON invitations (namespace, created_at, id);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

-- `created_by`: the subject that made the key, unknown for those made before. `replaced_by`: the key it was rotated to.
ALTER TABLE api_keys ADD COLUMN created_by TEXT;
ALTER TABLE api_keys ADD COLUMN replaced_by TEXT;
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;

CREATE INDEX api_keys_by_creation ON api_keys (namespace, created_at, id);
CREATE INDEX api_keys_by_successor ON api_keys (replaced_by) WHERE replaced_by IS NOT NULL;

-- Clustered in the order in which it is read; rows are only ever added, and removed when they are old.
CREATE TABLE audit (
    namespace  TEXT NOT NULL,
    at         INTEGER NOT NULL,
    id         TEXT NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    target     TEXT,
    details    TEXT NOT NULL,
    request_id TEXT NOT NULL,
    client     TEXT NOT NULL,
    PRIMARY KEY (namespace, at, id)
) WITHOUT ROWID;

CREATE INDEX audit_by_action ON audit (namespace, action, at, id);
CREATE INDEX audit_by_actor ON audit (namespace, actor, at, id);
CREATE INDEX audit_by_time ON audit (at);
