-- Inboxes. What somebody did to an object is an occurrence; all of one kind to one object are one
-- entry, which is kept with its counts, so that a page costs what it shows.

-- `xid` and `seq` order changes as streams tell them: a row is told when its transaction is settled.
CREATE SEQUENCE change_seq;

CREATE TABLE entries (
  user_id         bigint NOT NULL,
  kind            smallint NOT NULL,
  object_id       bigint NOT NULL,
  notification_id bigint NOT NULL DEFAULT 0,  -- the newest occurrence that is alive
  tweet_id        bigint NOT NULL DEFAULT 0,
  actor_count     integer NOT NULL DEFAULT 0,
  latest_actors   bigint[] NOT NULL DEFAULT '{}',
  gone            boolean NOT NULL DEFAULT false,
  xid             xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq             bigint NOT NULL DEFAULT nextval('change_seq'),
  PRIMARY KEY (user_id, kind, object_id)
);
CREATE INDEX entries_by_time ON entries (user_id, notification_id);
CREATE INDEX entries_by_change ON entries (user_id, xid, seq);
CREATE INDEX entries_by_tweet ON entries (tweet_id) WHERE tweet_id <> 0;

-- `event_id` is the last event that said something of it: an older one, come late or again, says
-- nothing new. What was taken back stays as a row that is not alive, for the same reason.
CREATE TABLE occurrences (
  user_id         bigint NOT NULL,
  kind            smallint NOT NULL,
  object_id       bigint NOT NULL,
  actor_id        bigint NOT NULL,
  notification_id bigint NOT NULL,
  event_id        bigint NOT NULL,
  alive           boolean NOT NULL,
  PRIMARY KEY (user_id, kind, object_id, actor_id)
);
CREATE INDEX occurrences_by_time ON occurrences (user_id, kind, object_id, notification_id)
  WHERE alive;
CREATE INDEX occurrences_by_actor ON occurrences (user_id, actor_id) WHERE alive;

-- Tweets that are gone: what is said of them later makes no entry. Kept longer than the log.
CREATE TABLE gone_tweets (
  tweet_id    bigint PRIMARY KEY,
  create_time timestamptz NOT NULL DEFAULT now()
);

-- One marker for all devices of a user; it only moves forward.
CREATE TABLE read_markers (
  user_id    bigint PRIMARY KEY,
  read_up_to bigint NOT NULL,
  xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq        bigint NOT NULL DEFAULT nextval('change_seq')
);

-- How users want to be reached; whoever has no row has the defaults. `kinds` are bits by kind: 1
-- inbox, 2 push, 4 e-mail.
CREATE TABLE preferences (
  user_id        bigint PRIMARY KEY,
  kinds          smallint[] NOT NULL,
  email_mode     smallint NOT NULL,
  quiet_start    smallint NOT NULL,
  quiet_end      smallint NOT NULL,
  time_zone      text NOT NULL,
  only_following boolean NOT NULL
);

-- The queue: one row per user and channel. `state` is 0 waiting, 1 sent, 2 dead, 3 dropped.
CREATE TABLE deliveries (
  delivery_id     bigint PRIMARY KEY,
  user_id         bigint NOT NULL,
  channel         smallint NOT NULL,
  kind            smallint NOT NULL,
  object_id       bigint NOT NULL,
  notification_id bigint NOT NULL,
  state           smallint NOT NULL DEFAULT 0,
  due_time        timestamptz NOT NULL,
  attempts        integer NOT NULL DEFAULT 0,
  leased_until    timestamptz,
  last_error      text NOT NULL DEFAULT '',
  create_time     timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, channel, kind, object_id, notification_id)
);
CREATE INDEX deliveries_due ON deliveries (channel, due_time) WHERE state = 0;
CREATE INDEX deliveries_dead ON deliveries (channel, delivery_id) WHERE state = 2;

-- Channels that operators have paused.
CREATE TABLE paused_channels (
  channel smallint PRIMARY KEY
);

-- Devices (RFC 8030).
CREATE TABLE push_subscriptions (
  subscription_id    bigint PRIMARY KEY,
  user_id            bigint NOT NULL,
  endpoint           text NOT NULL,
  p256dh_key         bytea NOT NULL,
  auth_secret        bytea NOT NULL,
  device_name        text NOT NULL,
  last_delivery_time timestamptz,
  UNIQUE (user_id, endpoint)
);
