-- How tweets reach followers. One row: whoever changes anything here raises `version` first, so
-- that changes come one after another and a process that knows the latest version knows it all.
CREATE TABLE fanout_policy (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL DEFAULT 1,
  pull_threshold bigint NOT NULL DEFAULT 10000 CHECK (pull_threshold >= 0),
  list_length integer NOT NULL DEFAULT 800 CHECK (list_length > 0),
  active_seconds bigint NOT NULL DEFAULT 2592000 CHECK (active_seconds > 0),
  update_time timestamptz
);
INSERT INTO fanout_policy DEFAULT VALUES;

-- Authors for whom the threshold does not count.
CREATE TABLE fanout_overrides (
  user_id bigint PRIMARY KEY,
  pulled boolean NOT NULL
);

-- Authors whose rings are merged in when their followers read. `mended_through` is the follower up
-- to whom lists have been mended while an author leaves, `mended_count` how many there were.
CREATE TABLE pulled_authors (
  user_id bigint PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('entering', 'pulled', 'leaving')),
  since timestamptz NOT NULL,
  mended_through bigint NOT NULL DEFAULT 0,
  mended_count bigint NOT NULL DEFAULT 0
);

-- Which worker moves authors between the states.
CREATE TABLE crossing_lease (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  holder text NOT NULL DEFAULT '',
  lease_until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO crossing_lease DEFAULT VALUES;
