"""Migrations of the team's database: each makes the next layout of the one before. Run by the owner.

To add one, append a Migration to MIGRATIONS; those of a released version and the first layout's text (`schema.py`) are
never changed. `init` creates the first layout and applies all of them, so both ways lead to the same tables.

A migration expands first: it adds what newer programs need, and leaves what older ones use. A later one contracts: it
removes that, and raises the oldest layouts that may read and write. Statements take their locks while workers run, so
they are short: a table is never rewritten, and an index of a large one comes with its partitions. What a migration
creates, it grants. A role is created only if it is missing (`CREATE ROLE` within `DO`): roles belong to the cluster.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Migration(NamedTuple):
    """Step from a layout to the next one."""

    statements: str
    """SQL, run in one transaction as the owner."""
    min_reader: int
    """Oldest layout of a program that may read afterwards; an older one ends."""
    min_writer: int
    """Oldest layout of a program that may write afterwards; an older one follows."""


_LEASES_BY_ACCOUNT = """
ALTER TABLE babeltop.lease RENAME TO former_lease;
ALTER INDEX babeltop.lease_pkey RENAME TO former_lease_pkey;
CREATE TABLE babeltop.lease (account text PRIMARY KEY, base_url text NOT NULL DEFAULT '', holder text,
  epoch bigint NOT NULL DEFAULT 0, expires_at timestamptz NOT NULL DEFAULT 'epoch', revision bigint NOT NULL DEFAULT 0,
  heartbeat bytea, heartbeat_number bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50);
INSERT INTO babeltop.lease (account, revision)  -- of which each account counts on
  SELECT DISTINCT account, former_lease.revision FROM babeltop.job CROSS JOIN babeltop.former_lease;
DROP TABLE babeltop.former_lease;
CREATE TABLE babeltop.worker (incarnation text PRIMARY KEY, name text NOT NULL, host text NOT NULL, pid int NOT NULL,
  version text NOT NULL, started_at float8 NOT NULL DEFAULT extract(epoch FROM clock_timestamp()),
  seen_at float8 NOT NULL DEFAULT extract(epoch FROM clock_timestamp()), weight float8 NOT NULL,
  accounts text[] NOT NULL, hooks text[] NOT NULL, clock_step float8, clock_stepped_at float8);
ALTER TABLE babeltop.command_request ADD COLUMN account text NOT NULL DEFAULT '';
ALTER TABLE babeltop.account_key ADD COLUMN per_minute float8 NOT NULL DEFAULT 'infinity';
DROP FUNCTION babeltop.acquire_lease(text, text, text, int, text, interval);
DROP FUNCTION babeltop.record(text, text, bigint, jsonb);
DROP FUNCTION babeltop.update_rate_limit(bytea, bigint, bytea);

CREATE FUNCTION babeltop.renew_leases(_holder text, _accounts text[], _ttl interval)
RETURNS TABLE (account text, epoch bigint) LANGUAGE sql AS $$
  WITH free AS (SELECT l.account FROM babeltop.lease l WHERE l.account = ANY(_accounts) AND (l.holder = _holder
    OR l.expires_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + _ttl + interval '2 s')  -- the clock was set
    ORDER BY l.account FOR UPDATE)
  UPDATE babeltop.lease l SET holder = _holder, expires_at = clock_timestamp() + _ttl,
    epoch = l.epoch + (l.holder IS DISTINCT FROM _holder OR l.expires_at < clock_timestamp())::int
  FROM free WHERE l.account = free.account RETURNING l.account, l.epoch $$;

CREATE FUNCTION babeltop.record(_holder text, _epochs jsonb, _entries jsonb)
RETURNS TABLE (entry int, outcome text) LANGUAGE plpgsql AS $$
DECLARE
  _account text;
  _revision bigint;
  _revisions jsonb := '{}';
  _entry record;
  _stored record;
  _number int;
BEGIN
  FOR _account IN SELECT DISTINCT each ->> 'account' FROM jsonb_array_elements(_entries) AS each ORDER BY 1 LOOP
    UPDATE babeltop.lease SET revision = revision + 1 WHERE account = _account AND holder = _holder
      AND epoch = (_epochs ->> _account)::bigint AND expires_at > clock_timestamp() RETURNING revision INTO _revision;
    IF FOUND THEN
      _revisions := _revisions || jsonb_build_object(_account, _revision);
    ELSE
      RAISE LOG 'results of account % refused: % does not hold its lease', _account, _holder;
    END IF;
  END LOOP;
  FOR _entry IN SELECT * FROM jsonb_to_recordset(_entries) AS sent (position int, account text, job_id text, kind text,
    phase text, first_polled_at float8, last_update_at float8, state text, results text, body text,
    body_received_at float8, ended_at float8, http_status int, duration_ms float8, request_id text, fault text,
    after text, earliest_at float8, seen_at float8, message text, deliveries jsonb) ORDER BY position
  LOOP
    entry := _entry.position;
    _revision := _revisions ->> _entry.account;
    IF _revision IS NULL THEN
      outcome := 'fenced';
      RETURN NEXT;
      CONTINUE;
    END IF;
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
        outcome := 'discarded';
        RETURN NEXT;
        CONTINUE;
      END IF;
      _number := _number + 1;
      INSERT INTO babeltop.phase_change (account, job_id, number, before, after, earliest_at, seen_at, message)
        VALUES (_entry.account, _entry.job_id, _number, coalesce(_stored.phase, 'new'), _entry.phase,
          _entry.earliest_at, _entry.seen_at, _entry.message);
      INSERT INTO babeltop.hook_delivery (delivery_id, hook, event, payload)
        SELECT delivery_id, hook, event, decode(payload, 'base64') FROM jsonb_to_recordset(_entry.deliveries)
          AS delivery (delivery_id text, hook text, event text, payload text) ON CONFLICT DO NOTHING;
      outcome := 'changed';
      RETURN NEXT;
    ELSIF EXISTS (SELECT FROM babeltop.phase_change WHERE account = _entry.account AND job_id = _entry.job_id
      AND after = _entry.after AND seen_at = _entry.seen_at) THEN
      outcome := 'changed';  -- sent again, because the answer was lost
      RETURN NEXT;
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

CREATE FUNCTION babeltop.update_rate_limit(_mark bytea, _version bigint, _state bytea, _account text, _holder text,
  _epoch bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF _holder IS NOT NULL AND NOT EXISTS (SELECT FROM babeltop.lease WHERE account = _account AND holder = _holder
    AND epoch = _epoch AND expires_at > clock_timestamp()) THEN
    RETURN NULL;  -- of a worker that was frozen, and does not notice
  ELSIF _version = 0 THEN
    INSERT INTO babeltop.rate_limit (key_mark, state) VALUES (_mark, _state) ON CONFLICT DO NOTHING;
  ELSE
    UPDATE babeltop.rate_limit SET state = _state, version = version + 1 WHERE key_mark = _mark AND version = _version;
  END IF;
  RETURN FOUND;
END $$;

GRANT SELECT ON babeltop.lease, babeltop.worker TO babeltop_viewer, babeltop_editor, babeltop_worker;
GRANT INSERT, UPDATE ON babeltop.lease TO babeltop_worker;
GRANT INSERT, UPDATE, DELETE ON babeltop.worker TO babeltop_worker;
GRANT INSERT (account) ON babeltop.command_request TO babeltop_editor, babeltop_worker;
"""
"""A lease for each account in place of one for all, and a row for each worker.

It contracts at once: an old worker must not hold the one lease beside the new ones, and its consoles would show
rows that never change.
"""

_BASE_URLS_OF_THE_OWNER = """
REVOKE INSERT, UPDATE ON babeltop.lease FROM babeltop_worker;
GRANT INSERT (account, base_url), UPDATE (holder, epoch, expires_at, revision, heartbeat, heartbeat_number)
  ON babeltop.lease TO babeltop_worker;
REVOKE EXECUTE ON FUNCTION babeltop.maintain FROM PUBLIC;  -- with its owner's rights, it drops requests
GRANT EXECUTE ON FUNCTION babeltop.maintain TO babeltop_worker;
"""
"""A worker gives an account its first base URL; only the owner changes it.

Older workers, which write both by one statement, may not go on: it would be refused to them.
"""

MIGRATIONS: Sequence[Migration] = (
    Migration(_LEASES_BY_ACCOUNT, min_reader=2, min_writer=2),
    Migration(_BASE_URLS_OF_THE_OWNER, min_reader=2, min_writer=3),
)
"""All migrations, in order: the first one makes layout 2 of layout 1."""


def layout_after(migrations: Sequence[Migration]) -> int:
    """Return the layout that these migrations lead to."""
    return 1 + len(migrations)


LAYOUT = layout_after(MIGRATIONS)
"""Layout of the tables that this program reads and writes."""
