-- Media, each under the keys of its objects: the content's first, then those of its thumbnails. The
-- key is the hash of the stored bytes, so several media may have the same. `ready_time` is null
-- while the objects are being stored.
CREATE TABLE media (
  media_id          bigint PRIMARY KEY,
  user_id           bigint NOT NULL,
  kind              smallint NOT NULL,
  content_type      text NOT NULL,
  key               text NOT NULL,
  size_bytes        bigint NOT NULL,
  width             integer NOT NULL,
  height            integer NOT NULL,
  duration_ms       bigint NOT NULL,
  alt_text          text NOT NULL,
  thumbnail_keys    text[] NOT NULL,
  thumbnail_widths  integer[] NOT NULL,
  thumbnail_heights integer[] NOT NULL,
  create_time       timestamptz NOT NULL DEFAULT now(),
  ready_time        timestamptz
);
CREATE INDEX media_by_time ON media (create_time);
CREATE INDEX media_by_key ON media USING gin ((thumbnail_keys || key));

-- Which tweets show a medium. Without any a medium is deleted: at once with its last tweet, after a
-- day where there never was one.
CREATE TABLE media_uses (
  media_id bigint NOT NULL REFERENCES media (media_id),
  tweet_id bigint NOT NULL,
  PRIMARY KEY (tweet_id, media_id)
);
CREATE INDEX media_uses_by_media ON media_uses (media_id);

-- Objects that nothing may need any more, noted with the deletion of their medium and forgotten when
-- they are deleted: whoever dies in between leaves the note.
CREATE TABLE media_garbage (
  key         text PRIMARY KEY,
  create_time timestamptz NOT NULL DEFAULT now()
);

-- Field 14 of the serialized tweet: its media as they were when it was posted.
ALTER TABLE tweets ADD COLUMN media bytea NOT NULL DEFAULT '';
