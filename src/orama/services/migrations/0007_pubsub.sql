-- Pub/sub: which namespaces have a journal, which gateways live, and who is present on them.
-- Times are unix milliseconds.

-- Namespaces whose own database holds a journal, or once did: the others need not be asked for one.
CREATE TABLE journal_namespaces (
    namespace  TEXT PRIMARY KEY,
    trimmed_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX journal_namespaces_by_trimming ON journal_namespaces (trimmed_at);

-- A gateway lives while its beat grows. Others compare beats with their own clocks, never their clocks with each other.
CREATE TABLE gateway_leases (
    id   TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    beat INTEGER NOT NULL
) WITHOUT ROWID;

-- One row for each member of a topic, for as long as the lease lives under which it came. `owner`: whose member id it is.
CREATE TABLE presence_members (
    id        TEXT PRIMARY KEY,
    lease     TEXT NOT NULL,
    namespace TEXT NOT NULL,
    topic     TEXT NOT NULL,
    member_id TEXT NOT NULL,
    owner     TEXT NOT NULL,
    meta      BLOB,
    joined_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX presence_members_by_topic ON presence_members (namespace, topic, joined_at);
CREATE INDEX presence_members_by_lease ON presence_members (lease);
