//! Every statement of the store, in the dialect that SQLite and PostgreSQL share.

/// Counts a write under an epoch, and holds the lease's row until the transaction ends; no row: fenced.
pub(super) const LEASE_COUNT: &str = "UPDATE lease SET commits = commits + 1 WHERE id = 1 AND epoch = $1";
/// Whether an epoch is the current one.
pub(super) const LEASE_CHECK: &str = "SELECT epoch FROM lease WHERE id = 1 AND epoch = $1";
/// Who is noted as the holder.
pub(super) const LEASE_HOLDER: &str = "SELECT holder, since FROM lease WHERE id = 1";
/// The next epoch, for a new holder.
pub(super) const LEASE_TAKE: &str =
    "UPDATE lease SET epoch = epoch + 1, holder = $1, since = $2 WHERE id = 1 RETURNING epoch";
/// Gives an epoch back: it is void from now on.
pub(super) const LEASE_GIVE: &str =
    "UPDATE lease SET epoch = epoch + 1, holder = NULL, since = NULL WHERE id = 1 AND epoch = $1";

/// The next number of a counter.
pub(super) const COUNTER_NEXT: &str = "UPDATE counter SET value = value + 1 WHERE name = $1 RETURNING value";
/// Skips numbers of all counters: those may be in use by what a restored store has forgotten.
pub(super) const COUNTERS_SKIP: &str = "UPDATE counter SET value = value + $1";
/// Notes a fact about the store once.
pub(super) const META_PUT: &str = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
/// Changes a fact about the store.
pub(super) const META_CHANGE: &str = "UPDATE meta SET value = $1 WHERE name = $2";
/// Notes a fact about the store, whatever was noted before.
pub(super) const META_SET: &str =
    "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
/// Takes a fact back.
pub(super) const META_DROP: &str = "DELETE FROM meta WHERE name = $1";
/// Facts that are of the store, and not of the one database in which it is.
pub(super) const META_OF_STORE: &str = "WHERE name NOT IN ('arriving', 'came', 'moved')";
/// All facts about the store.
pub(super) const META_ALL: &str = "SELECT name, value FROM meta";
/// Reads a fact about the store.
pub(super) const META_READ: &str = "SELECT value FROM meta WHERE name = $1";

/// A new rotation; no row: there is one of that number already.
pub(super) const ROTATION_ADD: &str = "INSERT INTO rotation \
    (id, integration, slot, tenant_id, object_id, state, version, is_open, finished, body) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING";
/// A rotation as it is from now on; no row: somebody else changed it.
pub(super) const ROTATION_CHANGE: &str = "UPDATE rotation \
    SET state = $1, version = $2, is_open = $3, finished = $4, body = $5 WHERE id = $6 AND version = $7";
/// A rotation's record, in a copy of the store that nobody uses yet.
pub(super) const ROTATION_BODY: &str = "UPDATE rotation SET body = $1 WHERE id = $2";
/// One rotation.
pub(super) const ROTATION_ONE: &str = "SELECT body FROM rotation WHERE id = $1";
/// Rotations of one integration.
pub(super) const ROTATION_OF: &str = "SELECT body FROM rotation WHERE integration = $1 ORDER BY id";
/// All rotations.
pub(super) const ROTATION_ALL: &str = "SELECT body FROM rotation ORDER BY id";
/// Rotations with something left to do.
pub(super) const ROTATION_UNFINISHED: &str = "SELECT body FROM rotation WHERE finished = 0 ORDER BY id";

/// A credential as it is from now on.
pub(super) const CREDENTIAL_PUT: &str = "INSERT INTO credential \
    (tenant_id, object_id, key_id, integration, slot, body) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (tenant_id, object_id, key_id) \
    DO UPDATE SET integration = excluded.integration, slot = excluded.slot, body = excluded.body";
/// Credentials of one integration, or of all.
pub(super) const CREDENTIAL_OF: &str = "SELECT body FROM credential \
    WHERE CAST($1 AS TEXT) IS NULL OR integration = $1 ORDER BY seq";
/// Slots that have a rotation or a credential.
pub(super) const SLOTS: &str = "SELECT integration, slot FROM rotation \
    UNION SELECT integration, slot FROM credential ORDER BY integration, slot";

/// A hand-off as it is from now on.
pub(super) const HANDOFF_PUT: &str = "INSERT INTO handoff (id, body) VALUES ($1, $2) \
    ON CONFLICT (id) DO UPDATE SET body = excluded.body";
/// All hand-offs.
pub(super) const HANDOFF_ALL: &str = "SELECT body FROM handoff ORDER BY seq";

/// An integration's record as it is from now on.
pub(super) const INTEGRATION_PUT: &str = "INSERT INTO integration (name, body) VALUES ($1, $2) \
    ON CONFLICT (name) DO UPDATE SET body = excluded.body";
/// All integration records.
pub(super) const INTEGRATION_ALL: &str = "SELECT body FROM integration ORDER BY name";

/// An acknowledgement.
pub(super) const ACKNOWLEDGEMENT_ADD: &str = "INSERT INTO acknowledgement (body) VALUES ($1)";
/// All acknowledgements.
pub(super) const ACKNOWLEDGEMENT_ALL: &str = "SELECT body FROM acknowledgement ORDER BY seq";

/// An own sign-in.
pub(super) const SIGN_IN_ADD: &str = "INSERT INTO sign_in (key_id, at, request_id) VALUES ($1, $2, $3)";
/// Own sign-ins with one key id, latest committed first.
pub(super) const SIGN_IN_OF: &str = "SELECT at, request_id FROM sign_in WHERE key_id = $1 ORDER BY seq DESC";

/// A notice, unless its key is known.
pub(super) const OUTBOX_ADD: &str = "INSERT INTO outbox (key, created, tries, body) VALUES ($1, $2, 0, $3) \
    ON CONFLICT (key) DO NOTHING";
/// All notices.
pub(super) const OUTBOX_ALL: &str = "SELECT created, sent, tries, body FROM outbox ORDER BY seq";
/// Notices that wait.
pub(super) const OUTBOX_UNSENT: &str = "SELECT created, sent, tries, body FROM outbox WHERE sent IS NULL ORDER BY seq";
/// One notice.
pub(super) const OUTBOX_ONE: &str = "SELECT body FROM outbox WHERE key = $1";
/// Marks a notice as sent, once.
pub(super) const OUTBOX_SENT: &str =
    "UPDATE outbox SET sent = $1, tries = tries + 1, why = NULL WHERE key = $2 AND sent IS NULL";
/// Counts a failed try.
pub(super) const OUTBOX_FAILED: &str = "UPDATE outbox SET tries = tries + 1, why = $1 WHERE key = $2 AND sent IS NULL";

/// A sealed value.
pub(super) const SEALED_ADD: &str = "INSERT INTO sealed (id, object_id, body) VALUES ($1, $2, $3)";
/// Destroys a sealed value.
pub(super) const SEALED_DESTROY: &str = "DELETE FROM sealed WHERE id = $1";
/// One sealed value.
pub(super) const SEALED_ONE: &str = "SELECT body FROM sealed WHERE id = $1";

/// All sealed values.
pub(super) const SEALED_ALL: &str = "SELECT id, object_id, body FROM sealed ORDER BY id";
/// Seals a value anew.
pub(super) const SEALED_CHANGE: &str = "UPDATE sealed SET body = $1 WHERE id = $2";
/// A small record, new or changed.
pub(super) const MARK_PUT: &str =
    "INSERT INTO mark (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body";
/// Takes one away.
pub(super) const MARK_DROP: &str = "DELETE FROM mark WHERE name = $1";
/// Those whose names begin with a text.
pub(super) const MARK_OF: &str = "SELECT name, body FROM mark WHERE substr(name, 1, length($1)) = $1 ORDER BY name";

/// Writes the preflight's row.
pub(super) const PREFLIGHT_PUT: &str = "INSERT INTO preflight (id, body) VALUES (1, $1) \
    ON CONFLICT (id) DO UPDATE SET body = excluded.body";
/// Reads it back.
pub(super) const PREFLIGHT_READ: &str = "SELECT body FROM preflight WHERE id = 1";
/// Removes it.
pub(super) const PREFLIGHT_DROP: &str = "DELETE FROM preflight";

/// A history entry.
pub(super) const HISTORY_ADD: &str = "INSERT INTO history \
    (seq, at, actor, integration, rotation, state, version, kind, text, body, hash, mac) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
/// Entries of one integration, or all.
pub(super) const HISTORY_OF: &str = "SELECT seq, at, actor, integration, rotation, state, version, kind, text, \
    body, hash, mac FROM history WHERE CAST($1 AS TEXT) IS NULL OR integration = $1 ORDER BY seq";
/// Marks a link anew.
pub(super) const HISTORY_MARK: &str = "UPDATE history SET mac = $1 WHERE seq = $2";
/// The last link.
pub(super) const HEAD_READ: &str = "SELECT seq, hash FROM history_head WHERE id = 1";
/// Moves the last link on.
pub(super) const HEAD_MOVE: &str = "UPDATE history_head SET seq = $1, hash = $2 WHERE id = 1";

/// The newest migration that was applied.
pub(super) const SCHEMA_VERSION: &str = "SELECT MAX(version) FROM schema_version";
/// Notes a migration.
pub(super) const SCHEMA_NOTE: &str = "INSERT INTO schema_version (version, name) VALUES ($1, $2)";
/// Whether anything was ever done with a store: 0 for no.
pub(super) const IS_USED: &str = "SELECT \
    (SELECT COUNT(*) FROM rotation) + (SELECT COUNT(*) FROM credential) + (SELECT COUNT(*) FROM handoff) \
    + (SELECT COUNT(*) FROM integration) + (SELECT COUNT(*) FROM acknowledgement) + (SELECT COUNT(*) FROM sign_in) \
    + (SELECT COUNT(*) FROM outbox) + (SELECT COUNT(*) FROM sealed) + (SELECT COUNT(*) FROM mark) \
    + (SELECT COUNT(*) FROM history) + (SELECT COUNT(*) FROM counter WHERE value > 0)";
/// Where migrations are noted.
pub(super) const SCHEMA_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY NOT NULL, name TEXT NOT NULL)";
/// SQLite alone: copies the write-ahead log into the file; the next write begins it anew, in the room it has.
pub(super) const LOG_RESTART: &str = "PRAGMA wal_checkpoint(RESTART)";
/// SQLite alone: copies the write-ahead log into the file and empties it.
pub(super) const LOG_EMPTY: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
/// SQLite alone: `ok`, or what is damaged, a row each.
pub(super) const INTEGRITY: &str = "PRAGMA integrity_check";
/// SQLite alone: a consistent copy of the whole store in an empty file.
pub(super) const COPY_INTO: &str = "VACUUM INTO $1";
/// SQLite alone: tables of a file, and whether ours is one of them.
pub(super) const TABLES: &str =
    "SELECT COUNT(*), COUNT(CASE WHEN name = 'schema_version' THEN 1 END) FROM sqlite_master WHERE type = 'table'";

/// PostgreSQL alone: counts a write under an epoch, holds the lease's row until the transaction ends, and renews it; no
/// row: fenced.
pub(super) const PG_LEASE_COUNT: &str = "UPDATE lease SET commits = commits + 1, \
    expires = clock_timestamp() + make_interval(secs => $1) WHERE id = 1 AND epoch = $2";
/// PostgreSQL alone: renews a lease by the server's clock; no row: it is another's.
pub(super) const PG_LEASE_RENEW: &str =
    "UPDATE lease SET expires = clock_timestamp() + make_interval(secs => $1) WHERE id = $2 AND epoch = $3";
/// PostgreSQL alone: the next epoch, for a new holder of a lease that is free, expired, or this handle's own from a
/// release that failed; no row: somebody has it.
pub(super) const PG_LEASE_TAKE: &str = "UPDATE lease SET epoch = epoch + 1, holder = $1, since = $2, \
    expires = clock_timestamp() + make_interval(secs => $3) \
    WHERE id = $4 AND (holder IS NULL OR expires <= clock_timestamp() OR epoch = $5) RETURNING epoch";
/// PostgreSQL alone: who is noted as the holder.
pub(super) const PG_LEASE_HOLDER: &str = "SELECT holder, since FROM lease WHERE id = $1";
/// PostgreSQL alone: gives an epoch back: it is void from now on.
pub(super) const PG_LEASE_GIVE: &str = "UPDATE lease SET epoch = epoch + 1, holder = NULL, since = NULL, \
    expires = NULL WHERE id = $1 AND epoch = $2";
/// PostgreSQL alone: ends what a cancelled call may have begun, and says whether the server takes no writes.
pub(super) const PG_ROLLBACK: &str = "ROLLBACK; SELECT pg_is_in_recovery()";
/// PostgreSQL alone: keeps the last link to this transaction.
pub(super) const PG_HEAD_LOCK: &str = "SELECT seq FROM history_head WHERE id = 1 FOR UPDATE";
/// PostgreSQL alone: one process at a time founds a store or changes its schema. The number is arbitrary.
pub(super) const PG_FOUND_ALONE: &str = "SELECT pg_advisory_xact_lock(7310847365926277)";
/// PostgreSQL alone: rows of TABLE that were copied have numbers; the next one goes on after them.
pub(super) const PG_GO_ON: &str = "SELECT setval(pg_get_serial_sequence('TABLE', 'seq'), \
    (SELECT COALESCE(MAX(seq), 0) + 1 FROM TABLE), false)";
/// PostgreSQL alone: tables of the schema, and whether ours is one of them.
pub(super) const PG_TABLES: &str = "SELECT COUNT(*), COUNT(CASE WHEN tablename = 'schema_version' THEN 1 END) \
    FROM pg_tables WHERE schemaname = current_schema()";
/// PostgreSQL alone: whether a store was founded.
pub(super) const PG_FOUNDED: &str = "SELECT to_regclass('schema_version') IS NOT NULL";
/// PostgreSQL alone: bytes of the database.
pub(super) const PG_BYTES: &str = "SELECT pg_database_size(current_database())";
/// PostgreSQL alone: what must hold of a server that keeps a journal.
pub(super) const PG_SERVER: &str =
    "SELECT current_setting('fsync'), current_setting('synchronous_commit'), pg_is_in_recovery()";
