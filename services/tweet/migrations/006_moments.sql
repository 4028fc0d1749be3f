-- Titled, ordered collections. `rank` orders a moment's tweets; gaps leave room in between.
CREATE TABLE moments (
  moment_id      bigint PRIMARY KEY,
  user_id        bigint NOT NULL,
  title          text NOT NULL,
  description    text NOT NULL,
  cover_media_id bigint NOT NULL,
  create_time    timestamptz NOT NULL DEFAULT now(),
  update_time    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX moments_of_user ON moments (user_id, moment_id);

CREATE TABLE moment_tweets (
  moment_id bigint NOT NULL REFERENCES moments ON DELETE CASCADE,
  tweet_id  bigint NOT NULL,
  rank      bigint NOT NULL,
  PRIMARY KEY (moment_id, tweet_id)
);
CREATE INDEX moment_tweets_in_order ON moment_tweets (moment_id, rank);
CREATE INDEX moments_of_tweet ON moment_tweets (tweet_id);

-- What was made under which idempotency key; kept for 24 hours.
CREATE TABLE moment_keys (
  user_id     bigint NOT NULL,
  request_id  text NOT NULL,
  body_hash   bytea NOT NULL,
  moment_id   bigint NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, request_id)
);
CREATE INDEX moment_keys_by_time ON moment_keys (create_time);
