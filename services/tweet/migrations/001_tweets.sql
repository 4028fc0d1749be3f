-- Tweets. The key starts with the author, by whom tweets will be sharded; it also serves user
-- timelines, and with what it includes the rebuild of home timelines without touching the table.
-- `create_time` is the instant in the id (milliseconds since 2024-01-01 in its upper 41 bits).
-- `flags` is the meta byte of timeline entries: 1 reply, 2 retweet, 4 quote, 8 media,
-- 16 sensitive, 32 backfilled. `author_*` is where the author was: kept, never shown.
CREATE TABLE tweets (
  tweet_id             bigint NOT NULL,
  author_id            bigint NOT NULL,
  status               text NOT NULL,
  entities             bytea NOT NULL,
  in_reply_to_tweet_id bigint NOT NULL,
  in_reply_to_user_id  bigint NOT NULL,
  quote_tweet_id       bigint NOT NULL,
  quote_user_id        bigint NOT NULL,
  conversation_id      bigint NOT NULL,
  longitude            double precision,
  latitude             double precision,
  author_longitude     double precision,
  author_latitude      double precision,
  flags                smallint NOT NULL,
  create_time          timestamptz NOT NULL GENERATED ALWAYS AS (
    to_timestamp(((tweet_id >> 22) + 1704067200000)::double precision / 1000)) STORED,
  delete_time          timestamptz,
  PRIMARY KEY (author_id, tweet_id) INCLUDE (flags, delete_time)
);
CREATE UNIQUE INDEX tweets_by_id ON tweets (tweet_id);

-- What was posted under which idempotency key; kept for 24 hours.
CREATE TABLE idempotency_keys (
  user_id     bigint NOT NULL,
  request_id  text NOT NULL,
  body_hash   bytea NOT NULL,
  tweet_id    bigint NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, request_id)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (create_time);

-- The same for imported batches.
CREATE TABLE ingest_keys (
  request_id  text PRIMARY KEY,
  body_hash   bytea NOT NULL,
  tweet_ids   bigint[] NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ingest_keys_by_time ON ingest_keys (create_time);
