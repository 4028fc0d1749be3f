-- What was deleted, and when which store was rid of it: what is not clean yet is cleaned by whoever
-- comes by. Kept for a month.
CREATE TABLE deletions (
  tweet_id    bigint PRIMARY KEY,
  author_id   bigint NOT NULL,
  delete_time timestamptz NOT NULL DEFAULT now(),
  clean_time  timestamptz,
  stores      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX deletions_to_clean ON deletions (delete_time) WHERE clean_time IS NULL;
CREATE INDEX deletions_with_media ON deletions (tweet_id) WHERE NOT stores ? 'media';
CREATE INDEX deletions_by_time ON deletions (delete_time);
