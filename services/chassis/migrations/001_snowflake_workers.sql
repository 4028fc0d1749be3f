-- Worker numbers of the id generator, leased to one process at a time.
CREATE TABLE snowflake_workers (
  worker        integer PRIMARY KEY,
  holder        text NOT NULL DEFAULT '',
  lease_until   timestamptz NOT NULL DEFAULT '-infinity',
  used_until_ms bigint NOT NULL DEFAULT 0
);
INSERT INTO snowflake_workers (worker) SELECT generate_series(0, 1023);
