-- What people do with tweets. `favorite_id` and `retweet_id` are snowflakes, so they order by time.
CREATE TABLE favorites (
  tweet_id    bigint NOT NULL,
  user_id     bigint NOT NULL,
  favorite_id bigint NOT NULL,
  PRIMARY KEY (tweet_id, user_id)
);
CREATE INDEX favorites_of_tweet ON favorites (tweet_id, favorite_id) INCLUDE (user_id);
CREATE INDEX favorites_of_user ON favorites (user_id, favorite_id) INCLUDE (tweet_id);

-- A retweet is a tweet too; this says which one, and holds it to one a user.
CREATE TABLE retweets (
  tweet_id   bigint NOT NULL,
  user_id    bigint NOT NULL,
  retweet_id bigint NOT NULL,
  PRIMARY KEY (tweet_id, user_id)
);
CREATE INDEX retweets_of_tweet ON retweets (tweet_id, retweet_id) INCLUDE (user_id);
CREATE INDEX retweets_of_user ON retweets (user_id, retweet_id) INCLUDE (tweet_id);

-- A row for each tweet that was ever favourited, retweeted, answered or quoted. Its lock puts
-- everything that happens to one tweet in a row, so a count is always that of its list. Apart from
-- the tweets, whose index answers rebuilds without the table only while their pages do not change.
CREATE TABLE tweet_counts (
  tweet_id       bigint PRIMARY KEY,
  favorite_count bigint NOT NULL DEFAULT 0,
  retweet_count  bigint NOT NULL DEFAULT 0,
  reply_count    bigint NOT NULL DEFAULT 0,
  quote_count    bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Of a retweet: the original and its author.
ALTER TABLE tweets
  ADD COLUMN original_tweet_id bigint NOT NULL DEFAULT 0,
  ADD COLUMN original_user_id bigint NOT NULL DEFAULT 0;

-- Threads. Replies that were deleted keep their rows: their places stay in the tree.
CREATE TABLE replies (
  conversation_id bigint NOT NULL,
  tweet_id        bigint NOT NULL,
  parent_tweet_id bigint NOT NULL,
  PRIMARY KEY (conversation_id, tweet_id)
);
CREATE INDEX replies_of_tweet ON replies (parent_tweet_id, tweet_id);

INSERT INTO replies (conversation_id, tweet_id, parent_tweet_id)
SELECT conversation_id, tweet_id, in_reply_to_tweet_id FROM tweets WHERE in_reply_to_tweet_id <> 0;

INSERT INTO tweet_counts (tweet_id, reply_count, quote_count)
SELECT tweet_id, sum(reply), sum(quote) FROM (
  SELECT in_reply_to_tweet_id AS tweet_id, 1 AS reply, 0 AS quote FROM tweets
  WHERE in_reply_to_tweet_id <> 0 AND delete_time IS NULL
  UNION ALL
  SELECT quote_tweet_id, 0, 1 FROM tweets
  WHERE quote_tweet_id <> 0 AND delete_time IS NULL) made
GROUP BY tweet_id;
