-- The greatest position that was ever pruned: a reader that stands before it has missed something.
CREATE TABLE events_pruned (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  xid      xid8 NOT NULL,
  seq      bigint NOT NULL
);
-- A log that is old enough may have been pruned before this was written down: then what lies before
-- its oldest row counts as gone.
INSERT INTO events_pruned (xid, seq)
SELECT coalesce(e.xid, CASE WHEN o.old THEN pg_snapshot_xmin(pg_current_snapshot()) ELSE '0' END),
       coalesce(e.seq - 1, 0)
FROM (SELECT EXISTS (
  SELECT FROM schema_migrations
  WHERE name LIKE '%/002_events.sql' AND applied_time < now() - interval '6 days') AS old) o
LEFT JOIN LATERAL (SELECT xid, seq FROM events ORDER BY xid, seq LIMIT 1) e ON o.old;
