-- The event log. `xid` is the writing transaction: readers take only rows whose transaction is
-- settled, in the order (xid, seq), so a late commit can never be skipped.
CREATE TABLE events (
  partition   smallint NOT NULL,
  xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq         bigint GENERATED ALWAYS AS IDENTITY,
  event_id    bigint NOT NULL,
  kind        text NOT NULL,
  payload     bytea NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (partition, xid, seq)
);
CREATE INDEX events_by_time ON events (create_time);

-- Where each group stands in each partition, and which member works on it until when.
CREATE TABLE event_cursors (
  group_name  text NOT NULL,
  partition   smallint NOT NULL,
  xid         xid8 NOT NULL DEFAULT '0',
  seq         bigint NOT NULL DEFAULT 0,
  member      text NOT NULL DEFAULT '',
  lease_until timestamptz NOT NULL DEFAULT '-infinity',
  -- Counts the replays: a subscriber that sees another epoch reads its position anew.
  epoch       bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (group_name, partition)
);

-- Events put aside by a group: retried with back-off, then dead until somebody redrives them.
CREATE TABLE event_failures (
  group_name  text NOT NULL,
  event_id    bigint NOT NULL,
  partition   smallint NOT NULL,
  kind        text NOT NULL,
  payload     bytea NOT NULL,
  create_time timestamptz NOT NULL,
  attempts    integer NOT NULL,
  error       text NOT NULL,
  due_time    timestamptz NOT NULL,
  dead        boolean NOT NULL DEFAULT false,
  PRIMARY KEY (group_name, event_id)
);
CREATE INDEX event_failures_due ON event_failures (group_name, due_time) WHERE NOT dead;

-- The members of each group that are alive, so that partitions can be shared out evenly.
CREATE TABLE event_members (
  group_name text NOT NULL,
  member     text NOT NULL,
  seen_until timestamptz NOT NULL,
  PRIMARY KEY (group_name, member)
);
