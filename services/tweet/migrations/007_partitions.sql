-- Tweets by month of their ids. What there is so far is the first partition, up to the end of this
-- month; the service makes the following ones ahead of time. There is no default partition: with
-- one, a list in the order of ids would have to look into every partition.
ALTER TABLE tweets RENAME TO tweets_first;
ALTER INDEX tweets_pkey RENAME TO tweets_first_pkey;
ALTER INDEX tweets_by_id RENAME TO tweets_first_by_id;
ALTER INDEX tweets_with_media RENAME TO tweets_first_with_media;

CREATE TABLE tweets (LIKE tweets_first INCLUDING DEFAULTS INCLUDING GENERATED)
  PARTITION BY RANGE (tweet_id);
ALTER TABLE tweets ADD PRIMARY KEY (author_id, tweet_id) INCLUDE (flags, delete_time);
CREATE UNIQUE INDEX tweets_by_id ON tweets (tweet_id);
CREATE INDEX tweets_with_media ON tweets (author_id, tweet_id) INCLUDE (flags, delete_time)
  WHERE flags & 8 <> 0 AND delete_time IS NULL;

DO $$
DECLARE
  next_month timestamptz := date_trunc('month', now(), 'UTC') + interval '1 month';
  bound bigint := ((extract(epoch FROM next_month) * 1000)::bigint - 1704067200000) << 22;
BEGIN
  EXECUTE format(
    'ALTER TABLE tweets ATTACH PARTITION tweets_first FOR VALUES FROM (MINVALUE) TO (%s)', bound);
END $$;
