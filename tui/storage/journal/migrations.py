"""Schema of the journal's tables, one migration after the other. What the rows mean is left to the table modules.

A migration that has been released is never changed: a change of the schema is a further migration.
"""

UNSUPPORTED_VERSION = 5
"""Highest user_version of the journals written before 0.1.0, which no migration can read."""

_0001_INITIAL = """
CREATE TABLE job (
  account TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, phase TEXT NOT NULL, first_polled_at REAL,
  last_update_at REAL NOT NULL, state BLOB NOT NULL, body BLOB, body_received_at REAL,
  revision INTEGER NOT NULL, writer INTEGER NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE INDEX job_revision ON job (revision);
CREATE INDEX job_body ON job (body_received_at) WHERE body IS NOT NULL;
CREATE TABLE phase_change (
  seq INTEGER PRIMARY KEY, account TEXT NOT NULL, id TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
  earliest_at REAL, seen_at REAL NOT NULL, message TEXT NOT NULL);
CREATE INDEX phase_change_job ON phase_change (account, id, seen_at);
CREATE TABLE link (
  account TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, url TEXT NOT NULL, first_seen_at REAL NOT NULL,
  expires_at REAL, expiry_is_exact INTEGER NOT NULL, PRIMARY KEY (account, id, kind, url)) WITHOUT ROWID;
CREATE INDEX link_first_seen_at ON link (first_seen_at);
CREATE TABLE request (
  seq INTEGER PRIMARY KEY, account TEXT NOT NULL, id TEXT NOT NULL, ended_at REAL NOT NULL, http_status INTEGER,
  duration_ms REAL NOT NULL, request_id TEXT, fault TEXT);
CREATE INDEX request_job ON request (account, id, seq);
CREATE TABLE ui_state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE rate_limit (account TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE heartbeat (
  watchlist TEXT PRIMARY KEY, pid INTEGER NOT NULL, number INTEGER NOT NULL, account_states BLOB NOT NULL)
  WITHOUT ROWID;
CREATE TABLE successor (
  account TEXT NOT NULL, id TEXT NOT NULL, provider TEXT NOT NULL, recorded_at REAL NOT NULL,
  PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE TABLE sent_notification (key TEXT PRIMARY KEY, sent_at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX sent_notification_sent_at ON sent_notification (sent_at);
CREATE TABLE download_checkpoint (
  account TEXT NOT NULL, id TEXT NOT NULL, artifact TEXT NOT NULL, checkpoint BLOB NOT NULL,
  PRIMARY KEY (account, id, artifact)) WITHOUT ROWID;
CREATE TABLE downloaded_file (
  account TEXT NOT NULL, id TEXT NOT NULL, artifact TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
  downloaded_at REAL NOT NULL, revision INTEGER NOT NULL, writer INTEGER NOT NULL,
  PRIMARY KEY (account, id, artifact)) WITHOUT ROWID;
CREATE INDEX downloaded_file_revision ON downloaded_file (revision);
CREATE TABLE listed_job (
  account TEXT NOT NULL, id TEXT NOT NULL, listed_at REAL NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE INDEX listed_job_listed_at ON listed_job (listed_at);
CREATE TRIGGER unlisted_job AFTER DELETE ON listed_job BEGIN
  DELETE FROM job WHERE account = old.account AND id = old.id; DELETE FROM downloaded_file WHERE account = old.account
  AND id = old.id; DELETE FROM download_checkpoint WHERE account = old.account AND id = old.id; END;
"""

_0002_QUIET_TIME = """
CREATE TABLE held_notification (
  key TEXT PRIMARY KEY, held_at REAL NOT NULL, body BLOB NOT NULL, is_sent INTEGER NOT NULL) WITHOUT ROWID;
"""

MIGRATIONS = (_0001_INITIAL, _0002_QUIET_TIME)
"""Statements that make each schema of the one before it. The user_version is UNSUPPORTED_VERSION plus their number."""
