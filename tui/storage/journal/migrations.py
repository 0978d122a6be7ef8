"""The journal's tables, layout by layout: each entry makes the next layout out of the one before it.

An entry that has been released is not changed any more; what is new is another entry.
"""

_FIRST = """
CREATE TABLE job (
  account TEXT NOT NULL, id TEXT NOT NULL, phase TEXT NOT NULL, state BLOB NOT NULL, known_at REAL NOT NULL,
  rev INTEGER NOT NULL, writer INTEGER NOT NULL, body BLOB, body_at REAL, PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE INDEX job_rev ON job (rev);
CREATE TABLE phase (
  seq INTEGER PRIMARY KEY, account TEXT NOT NULL, id TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
  earliest REAL, seen REAL NOT NULL, message TEXT NOT NULL);
CREATE INDEX phase_job ON phase (account, id, seen);
CREATE TABLE link (
  account TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, url TEXT NOT NULL, first_seen REAL NOT NULL,
  expires_at REAL, exact INTEGER NOT NULL, PRIMARY KEY (account, id, kind, url)) WITHOUT ROWID;
CREATE TABLE remembered (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""

_SECOND = """
CREATE TABLE ask (
  seq INTEGER PRIMARY KEY, account TEXT NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, http_status INTEGER,
  ms REAL NOT NULL, request_id TEXT, fault TEXT);
CREATE INDEX ask_job ON ask (account, id, seq);
CREATE INDEX link_seen ON link (first_seen);
CREATE INDEX job_body ON job (body_at) WHERE body IS NOT NULL;
CREATE TABLE budget (account TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE poller (
  watchlist TEXT PRIMARY KEY, pid INTEGER NOT NULL, beat INTEGER NOT NULL, accounts BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE successor (
  account TEXT NOT NULL, id TEXT NOT NULL, provider TEXT NOT NULL, at REAL NOT NULL,
  PRIMARY KEY (account, id)) WITHOUT ROWID;
"""

_TOLD = """
CREATE TABLE told (key TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX told_at ON told (at);
"""

_DOWNLOADS = """
CREATE TABLE download (
  account TEXT NOT NULL, id TEXT NOT NULL, what TEXT NOT NULL, begun BLOB NOT NULL,
  PRIMARY KEY (account, id, what)) WITHOUT ROWID;
CREATE TABLE saved (
  account TEXT NOT NULL, id TEXT NOT NULL, what TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
  at REAL NOT NULL, rev INTEGER NOT NULL, writer INTEGER NOT NULL, PRIMARY KEY (account, id, what)) WITHOUT ROWID;
CREATE INDEX saved_rev ON saved (rev);
"""

_LISTED = """
CREATE TABLE listed (
  account TEXT NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE INDEX listed_at ON listed (at);
CREATE TRIGGER unlisted AFTER DELETE ON listed BEGIN
  DELETE FROM job WHERE account = old.account AND id = old.id; DELETE FROM saved WHERE account = old.account
  AND id = old.id; DELETE FROM download WHERE account = old.account AND id = old.id; END;
"""

MIGRATIONS = (_FIRST, _SECOND, _TOLD, _DOWNLOADS, _LISTED)
