-- Content: who stored what, and what is to be pinned. Identifiers are of version 1, as text.
-- Times are unix milliseconds. The bytes are the content engine's: it keeps what storage_references names.

-- What a namespace has stored, under the name and type of its latest upload. `expires_at` is set where nobody wanted it
-- pinned.
CREATE TABLE storage_references (
    namespace    TEXT NOT NULL,
    cid          TEXT NOT NULL,
    name         TEXT NOT NULL,
    content_type TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('file', 'directory')),
    size_bytes   INTEGER NOT NULL CHECK (size_bytes >= 0),
    pinned       INTEGER NOT NULL CHECK (pinned IN (0, 1)),
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER CHECK ((pinned = 1) = (expires_at IS NULL)),
    PRIMARY KEY (namespace, cid)
) WITHOUT ROWID;

CREATE INDEX storage_references_by_age ON storage_references (namespace, created_at, cid);
CREATE INDEX storage_references_by_cid ON storage_references (cid, pinned);
CREATE INDEX storage_references_by_expiry ON storage_references (expires_at) WHERE expires_at IS NOT NULL;

-- The sums over a namespace's references, so that a quota costs one row.
CREATE TABLE storage_usage (
    namespace  TEXT PRIMARY KEY,
    items      INTEGER NOT NULL CHECK (items >= 0),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0)
) WITHOUT ROWID;

-- What the pin engine is to do. `wanted`: whether a namespace wants the content pinned; `told`: what the engine was told
-- last. Where they differ, it is still to be told. `version` counts the changes of `wanted`, so that whoever told the
-- engine something sees that it was overtaken. A row with neither is removed.
CREATE TABLE storage_pins (
    cid     TEXT PRIMARY KEY,
    wanted  INTEGER NOT NULL CHECK (wanted IN (0, 1)),
    told    INTEGER NOT NULL CHECK (told IN (0, 1)),
    version INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX storage_pins_undone ON storage_pins (cid) WHERE wanted <> told;

-- The embedded pin engine.
CREATE TABLE pins (
    cid        TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
