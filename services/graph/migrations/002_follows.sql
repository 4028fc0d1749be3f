-- Follows in force; requests to protected accounts will have a table of their own, so that every
-- row here is counted, listed and fanned out. `follow_id` orders by time and is unique. Rows are
-- written under the locks of both users' rows, which stands in for foreign keys.
CREATE TABLE follows (
  user_id        bigint NOT NULL,
  target_user_id bigint NOT NULL,
  follow_id      bigint NOT NULL,
  show_retweets  boolean NOT NULL DEFAULT true,
  notify         boolean NOT NULL DEFAULT false,
  PRIMARY KEY (user_id, target_user_id),
  CHECK (user_id <> target_user_id)
);
-- By id for fan-out, by time for lists.
CREATE UNIQUE INDEX follows_by_target ON follows (target_user_id, user_id);
CREATE INDEX followers_by_time ON follows (target_user_id, follow_id);
CREATE INDEX following_by_time ON follows (user_id, follow_id);
