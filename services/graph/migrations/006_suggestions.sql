-- Whom a user does not want to be suggested any more. A row may outlive its users: it hides nobody.
CREATE TABLE suggestion_dismissals (
  user_id        bigint NOT NULL,
  target_user_id bigint NOT NULL,
  PRIMARY KEY (user_id, target_user_id)
);

-- Popular accounts, by the bits of the number of their followers. An index on that number would be
-- written with every follow and forbid updates within the page; this one changes at each doubling.
ALTER TABLE users ADD COLUMN popularity smallint NOT NULL
  GENERATED ALWAYS AS (floor(ln((2 * followers_count + 1)::float8) / ln(2::float8))::smallint)
  STORED;
CREATE INDEX users_by_popularity ON users (popularity, user_id) WHERE popularity > 0;
