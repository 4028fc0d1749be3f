-- Requests to follow protected accounts: neither counted, listed nor fanned out. A pair is here or
-- in `follows`, never in both. Rows of these three tables, too, are written under the locks of
-- users' rows: of both users, but for a mute, which is its owner's alone.
CREATE TABLE follow_requests (
  user_id        bigint NOT NULL,
  target_user_id bigint NOT NULL,
  request_id     bigint NOT NULL,
  show_retweets  boolean NOT NULL,
  notify         boolean NOT NULL,
  PRIMARY KEY (user_id, target_user_id)
);
CREATE INDEX follow_requests_by_time ON follow_requests (target_user_id, request_id);

CREATE TABLE blocks (
  user_id        bigint NOT NULL,
  target_user_id bigint NOT NULL,
  block_id       bigint NOT NULL,
  PRIMARY KEY (user_id, target_user_id),
  CHECK (user_id <> target_user_id)
);
CREATE INDEX blocks_by_target ON blocks (target_user_id, user_id);
CREATE INDEX blocks_by_time ON blocks (user_id, block_id);

-- `surfaces` holds numbers of aviary.graph.v1.Surface, one bit each; 0 is everywhere. A mute that
-- has expired counts as none from that moment and is deleted later.
CREATE TABLE mutes (
  user_id        bigint NOT NULL,
  target_user_id bigint NOT NULL,
  mute_id        bigint NOT NULL,
  surfaces       integer NOT NULL,
  expire_time    timestamptz,
  PRIMARY KEY (user_id, target_user_id),
  CHECK (user_id <> target_user_id)
);
CREATE INDEX mutes_by_time ON mutes (user_id, mute_id);
CREATE INDEX mutes_by_expiry ON mutes (expire_time) WHERE expire_time IS NOT NULL;

-- Few follows hide their retweets; a viewer's rules ask for just those.
CREATE INDEX follows_without_retweets ON follows (user_id) WHERE NOT show_retweets;
