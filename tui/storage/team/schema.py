"""First layout of the team's database, as SQL; `migrations.py` makes the later ones of it.

Instants are seconds since the epoch by the database's clock.
No API key, password or command line is stored: a key is named by the first bytes of a keyed hash.
"""

LEASE_NAME = "poller"
"""Name of the first layout's only lease."""
FENCED = "BT001"
"""SQLSTATE of a write by a process that does not hold the lease."""
ROLES = ("babeltop_viewer", "babeltop_editor", "babeltop_worker")
"""Roles that `init` creates.

A viewer reads states, phase changes and watchlists; an editor also links, results, responses and requests, publishes
watchlists and sends commands; a worker also polls.
"""

CREATE = f"""
CREATE SCHEMA babeltop;
CREATE TABLE babeltop.meta (singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), layout int NOT NULL,
  min_reader int NOT NULL, min_writer int NOT NULL, salt bytea NOT NULL);
CREATE TABLE babeltop.lease (name text PRIMARY KEY, holder text, host text NOT NULL DEFAULT '',
  pid int NOT NULL DEFAULT 0, version text NOT NULL DEFAULT '', epoch bigint NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL DEFAULT 'epoch', revision bigint NOT NULL DEFAULT 0, heartbeat bytea,
  heartbeat_number bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50);
CREATE TABLE babeltop.rate_limit (key_mark bytea PRIMARY KEY, version bigint NOT NULL DEFAULT 1, state bytea NOT NULL)
  WITH (fillfactor = 50);
CREATE TABLE babeltop.account_key (account text PRIMARY KEY, key_mark bytea NOT NULL);
CREATE TABLE babeltop.job (account text, job_id text, kind text NOT NULL, phase text NOT NULL, first_polled_at float8,
  last_update_at float8 NOT NULL, change_count int NOT NULL, state bytea NOT NULL, body bytea, body_received_at float8,
  revision bigint NOT NULL, writer text NOT NULL, listed_at float8, results bytea, PRIMARY KEY (account, job_id))
  WITH (fillfactor = 70);
CREATE INDEX job_revision ON babeltop.job (revision);
CREATE TABLE babeltop.phase_change (account text, job_id text, number int, seq bigint GENERATED ALWAYS AS IDENTITY,
  before text NOT NULL, after text NOT NULL, earliest_at float8, seen_at float8 NOT NULL, message text NOT NULL,
  PRIMARY KEY (account, job_id, number));
CREATE UNIQUE INDEX phase_change_seq ON babeltop.phase_change (seq);
CREATE SEQUENCE babeltop.request_number;
CREATE TABLE babeltop.request (account text, job_id text, ended_at float8, http_status int, duration_ms float8 NOT NULL,
  request_id text, fault text, seq bigint NOT NULL DEFAULT nextval('babeltop.request_number'),
  PRIMARY KEY (account, job_id, ended_at)) PARTITION BY RANGE (ended_at);
CREATE UNLOGGED TABLE babeltop.request_default PARTITION OF babeltop.request DEFAULT;
CREATE INDEX request_seq ON babeltop.request (seq);
CREATE INDEX request_ended_at ON babeltop.request (ended_at);
CREATE TABLE babeltop.successor (account text, job_id text, provider text NOT NULL, recorded_at float8 NOT NULL,
  PRIMARY KEY (account, job_id));
CREATE TABLE babeltop.sent_notification (key text PRIMARY KEY, sent_at float8 NOT NULL);
CREATE TABLE babeltop.held_notification (key text PRIMARY KEY, held_at float8 NOT NULL, body bytea NOT NULL,
  is_sent boolean NOT NULL);
CREATE TABLE babeltop.watchlist (name text PRIMARY KEY, owner name NOT NULL DEFAULT current_user,
  revision bigint NOT NULL DEFAULT 1, published_at timestamptz NOT NULL DEFAULT now(), jobs bytea NOT NULL);
CREATE TABLE babeltop.command_request (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, command bytea NOT NULL,
  requested_by name NOT NULL DEFAULT current_user, requested_at float8 NOT NULL
  DEFAULT extract(epoch FROM clock_timestamp()), answered_at float8, answer bytea);
CREATE TABLE babeltop.hook_delivery (delivery_id text, hook text, event text NOT NULL, payload bytea NOT NULL,
  created_at float8 NOT NULL DEFAULT extract(epoch FROM clock_timestamp()),
  not_before float8 NOT NULL DEFAULT extract(epoch FROM clock_timestamp()), failures int NOT NULL DEFAULT 0,
  claimed_by text, delivered_at float8, failed_at float8, PRIMARY KEY (delivery_id, hook));
CREATE INDEX hook_delivery_open ON babeltop.hook_delivery (not_before) WHERE delivered_at IS NULL AND failed_at IS NULL;
CREATE INDEX command_request_open ON babeltop.command_request (id) WHERE answered_at IS NULL;

CREATE FUNCTION babeltop.acquire_lease(_name text, _holder text, _host text, _pid int, _version text, _ttl interval)
RETURNS TABLE (epoch bigint) LANGUAGE sql AS $$
  UPDATE babeltop.lease l SET holder = _holder, host = _host, pid = _pid, version = _version,
    expires_at = clock_timestamp() + _ttl,
    epoch = l.epoch + (l.holder IS DISTINCT FROM _holder OR l.expires_at < clock_timestamp())::int
  WHERE l.name = _name AND (l.holder = _holder OR l.expires_at < clock_timestamp()) RETURNING l.epoch $$;

CREATE FUNCTION babeltop.record(_name text, _holder text, _epoch bigint, _entries jsonb) RETURNS SETOF int
LANGUAGE plpgsql AS $$
DECLARE
  _revision bigint;
  _entry record;
  _stored record;
  _number int;
BEGIN
  UPDATE babeltop.lease SET revision = revision + 1 WHERE name = _name AND holder = _holder AND epoch = _epoch
    AND expires_at > clock_timestamp() RETURNING revision INTO _revision;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this process does not hold the lease' USING ERRCODE = '{FENCED}';
  END IF;
  FOR _entry IN SELECT * FROM jsonb_to_recordset(_entries) AS entry (position int, account text, job_id text, kind text,
    phase text, first_polled_at float8, last_update_at float8, state text, results text, body text,
    body_received_at float8, ended_at float8, http_status int, duration_ms float8, request_id text, fault text,
    after text, earliest_at float8, seen_at float8, message text, deliveries jsonb) ORDER BY position
  LOOP
    SELECT phase, last_update_at, change_count INTO _stored FROM babeltop.job
      WHERE account = _entry.account AND job_id = _entry.job_id FOR UPDATE;
    IF _entry.ended_at IS NOT NULL THEN
      INSERT INTO babeltop.request VALUES (_entry.account, _entry.job_id, _entry.ended_at, _entry.http_status,
        _entry.duration_ms, _entry.request_id, _entry.fault) ON CONFLICT DO NOTHING;
    END IF;
    CONTINUE WHEN _stored.last_update_at > _entry.last_update_at;
    _number := coalesce(_stored.change_count, 0);
    IF _entry.phase <> coalesce(_stored.phase, 'new') THEN
      IF _entry.after IS NULL THEN  -- of a process whose entry with the change was discarded
        RETURN NEXT -1 - _entry.position;
        CONTINUE;
      END IF;
      _number := _number + 1;
      INSERT INTO babeltop.phase_change (account, job_id, number, before, after, earliest_at, seen_at, message)
        VALUES (_entry.account, _entry.job_id, _number, coalesce(_stored.phase, 'new'), _entry.phase,
          _entry.earliest_at, _entry.seen_at, _entry.message);
      INSERT INTO babeltop.hook_delivery (delivery_id, hook, event, payload)
        SELECT delivery_id, hook, event, decode(payload, 'base64') FROM jsonb_to_recordset(_entry.deliveries)
          AS delivery (delivery_id text, hook text, event text, payload text) ON CONFLICT DO NOTHING;
      RETURN NEXT _entry.position;
    ELSIF EXISTS (SELECT FROM babeltop.phase_change WHERE account = _entry.account AND job_id = _entry.job_id
      AND after = _entry.after AND seen_at = _entry.seen_at) THEN
      RETURN NEXT _entry.position;  -- sent again, because the answer was lost
    END IF;
    INSERT INTO babeltop.job (account, job_id, kind, phase, first_polled_at, last_update_at, change_count, state,
      results, body, body_received_at, revision, writer)
      VALUES (_entry.account, _entry.job_id, _entry.kind, _entry.phase,
      _entry.first_polled_at, _entry.last_update_at, _number, decode(_entry.state, 'base64'),
      decode(_entry.results, 'base64'), decode(_entry.body, 'base64'),
      CASE WHEN _entry.body IS NOT NULL THEN _entry.body_received_at END, _revision, _holder)
    ON CONFLICT (account, job_id) DO UPDATE SET kind = excluded.kind, phase = excluded.phase,
      first_polled_at = excluded.first_polled_at, last_update_at = excluded.last_update_at,
      change_count = excluded.change_count, state = excluded.state, results = excluded.results,
      body = coalesce(excluded.body, job.body),
      body_received_at = coalesce(excluded.body_received_at, job.body_received_at), revision = excluded.revision,
      writer = excluded.writer;
  END LOOP;
END $$;

CREATE FUNCTION babeltop.maintain(_now float8) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  _today int := floor(_now / 86400);
  _kept CONSTANT int := 2;  -- days before today whose requests are kept
  _name text;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('babeltop maintain')) THEN
    RETURN;
  END IF;
  FOR _day IN _today .. _today + 1 LOOP
    _name := 'request_' || _day;
    CONTINUE WHEN to_regclass('babeltop.' || _name) IS NOT NULL OR EXISTS (SELECT FROM babeltop.request_default
      WHERE ended_at >= _day * 86400.0 AND ended_at < (_day + 1) * 86400.0);
    EXECUTE format('CREATE UNLOGGED TABLE babeltop.%I PARTITION OF babeltop.request FOR VALUES FROM (%s) TO (%s)',
      _name, _day * 86400.0, (_day + 1) * 86400.0);
  END LOOP;
  FOR _name IN SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid
    WHERE inhparent = 'babeltop.request'::regclass AND relname ~ '^request_[0-9]+$'
    AND substr(relname, 9)::int < _today - _kept
  LOOP
    EXECUTE format('DROP TABLE babeltop.%I', _name);
  END LOOP;
  DELETE FROM babeltop.request_default WHERE ended_at < (_today - _kept) * 86400.0;
END $$;

CREATE FUNCTION babeltop.update_rate_limit(_mark bytea, _version bigint, _state bytea) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  IF _version = 0 THEN
    INSERT INTO babeltop.rate_limit (key_mark, state) VALUES (_mark, _state) ON CONFLICT DO NOTHING;
  ELSE
    UPDATE babeltop.rate_limit SET state = _state, version = version + 1 WHERE key_mark = _mark AND version = _version;
  END IF;
  RETURN FOUND;
END $$;
"""

GRANT = """
GRANT USAGE ON SCHEMA babeltop TO babeltop_viewer, babeltop_editor, babeltop_worker;
GRANT SELECT ON babeltop.lease, babeltop.phase_change, babeltop.successor, babeltop.watchlist
  TO babeltop_viewer, babeltop_editor, babeltop_worker;
GRANT SELECT (account, job_id, kind, phase, first_polled_at, last_update_at, change_count, state, revision, writer,
  listed_at) ON babeltop.job TO babeltop_viewer;
GRANT SELECT ON babeltop.job, babeltop.request, babeltop.command_request TO babeltop_editor, babeltop_worker;
GRANT SELECT (layout, min_reader, min_writer) ON babeltop.meta TO babeltop_viewer, babeltop_editor;
GRANT INSERT (name, jobs), UPDATE (jobs, revision, published_at), DELETE ON babeltop.watchlist
  TO babeltop_editor, babeltop_worker;
GRANT INSERT (command) ON babeltop.command_request TO babeltop_editor, babeltop_worker;
GRANT SELECT ON babeltop.meta TO babeltop_worker;
GRANT UPDATE ON babeltop.lease TO babeltop_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON babeltop.rate_limit, babeltop.account_key, babeltop.job, babeltop.phase_change,
  babeltop.request, babeltop.successor, babeltop.sent_notification, babeltop.held_notification,
  babeltop.hook_delivery TO babeltop_worker;
GRANT USAGE ON SEQUENCE babeltop.request_number TO babeltop_worker;
GRANT UPDATE (answered_at, answer), DELETE ON babeltop.command_request TO babeltop_worker;
ALTER TABLE babeltop.watchlist ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON babeltop.watchlist FOR SELECT USING (true);
CREATE POLICY own_insert ON babeltop.watchlist FOR INSERT WITH CHECK (owner = current_user);
CREATE POLICY own_update ON babeltop.watchlist FOR UPDATE USING (owner = current_user);
CREATE POLICY own_delete ON babeltop.watchlist FOR DELETE USING (owner = current_user);
"""
