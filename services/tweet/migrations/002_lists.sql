-- Who is mentioned where; a tweet's mentions are written with it. Deleted tweets keep their rows:
-- who reads a page of mentions reads the tweets anyway.
CREATE TABLE mentions (
  user_id  bigint NOT NULL,
  tweet_id bigint NOT NULL,
  PRIMARY KEY (user_id, tweet_id)
);

-- Tweets with media lie far apart in many a timeline; this finds them without reading the others.
CREATE INDEX tweets_with_media ON tweets (author_id, tweet_id) INCLUDE (flags, delete_time)
  WHERE flags & 8 <> 0 AND delete_time IS NULL;
