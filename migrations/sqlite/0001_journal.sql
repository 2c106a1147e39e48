-- The journal: what everkey knows and what it has done. Records are JSON in `body`; the columns beside
-- it are those a statement asks about. Instants are RFC 3339 text in UTC, flags are 0 or 1.

CREATE TABLE meta (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);

-- Numbers never given twice.
CREATE TABLE counter (
    name TEXT PRIMARY KEY NOT NULL,
    value BIGINT NOT NULL
);
INSERT INTO counter (name, value) VALUES ('rotation', 0), ('handoff', 0);

-- The right to write. `epoch` only grows; each write counts in `commits`, which locks this row.
CREATE TABLE lease (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    epoch BIGINT NOT NULL,
    commits BIGINT NOT NULL,
    holder TEXT,
    since TEXT
);
INSERT INTO lease (id, epoch, commits) VALUES (1, 0, 0);

CREATE TABLE rotation (
    id BIGINT PRIMARY KEY NOT NULL,
    integration TEXT NOT NULL,
    slot TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    state TEXT NOT NULL,
    version BIGINT NOT NULL,
    is_open BIGINT NOT NULL,
    finished BIGINT NOT NULL,
    body TEXT NOT NULL
);
-- Invariant I4: at most one rotation per slot that is not terminal.
CREATE UNIQUE INDEX rotation_one_open ON rotation (tenant_id, object_id, integration, slot) WHERE is_open = 1;
CREATE INDEX rotation_unfinished ON rotation (id) WHERE finished = 0;
CREATE INDEX rotation_integration ON rotation (integration, id);

CREATE TABLE credential (
    seq INTEGER PRIMARY KEY NOT NULL,
    tenant_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    integration TEXT NOT NULL,
    slot TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (tenant_id, object_id, key_id)
);
CREATE INDEX credential_integration ON credential (integration, seq);

CREATE TABLE handoff (
    seq INTEGER PRIMARY KEY NOT NULL,
    id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
);

CREATE TABLE integration (
    name TEXT PRIMARY KEY NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE acknowledgement (
    seq INTEGER PRIMARY KEY NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE sign_in (
    seq INTEGER PRIMARY KEY NOT NULL,
    key_id TEXT NOT NULL,
    at TEXT NOT NULL,
    request_id TEXT
);
CREATE INDEX sign_in_key ON sign_in (key_id);

-- Notices, sent or waiting; `key` drops repeats.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY NOT NULL,
    key TEXT NOT NULL UNIQUE,
    created TEXT NOT NULL,
    sent TEXT,
    tries BIGINT NOT NULL,
    why TEXT,
    body TEXT NOT NULL
);
CREATE INDEX outbox_unsent ON outbox (seq) WHERE sent IS NULL;

-- Secret values, each under a key of its own that the seal key wraps. `object_id` is there for people;
-- what binds it is the associated data of the seal.
CREATE TABLE sealed (
    id TEXT PRIMARY KEY NOT NULL,
    object_id TEXT NOT NULL,
    body BLOB NOT NULL
);

-- Holds one row for a moment, during a preflight.
CREATE TABLE preflight (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    body BLOB NOT NULL
);

-- What happened, chained: `hash` covers every column and the hash before it, `mac` is the store's mark on it.
-- `state` and `version` are those of the rotation that was committed with the entry.
CREATE TABLE history (
    seq BIGINT PRIMARY KEY NOT NULL,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    integration TEXT,
    rotation BIGINT,
    state TEXT,
    version BIGINT,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL,
    mac TEXT NOT NULL
);
CREATE INDEX history_integration ON history (integration, seq);

-- The last link, so that a lost tail is noticed.
CREATE TABLE history_head (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO history_head (id, seq, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
