-- Accounts. The counts are exact: they change in the transaction that changes `follows`, under this
-- row's lock. An imported user has an empty password_hash and cannot log in.
CREATE TABLE users (
  user_id         bigint PRIMARY KEY,
  user_name       text NOT NULL,
  display_name    text NOT NULL,
  description     text NOT NULL DEFAULT '',
  email           text NOT NULL DEFAULT '',
  protected       boolean NOT NULL DEFAULT false,
  followers_count bigint NOT NULL DEFAULT 0 CHECK (followers_count >= 0),
  following_count bigint NOT NULL DEFAULT 0 CHECK (following_count >= 0),
  password_hash   text NOT NULL DEFAULT ''
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX users_by_name ON users (lower(user_name));

-- Logins. A session is a family of refresh tokens; spent ones stay until they expire, so that the
-- second use of one is known as such.
CREATE TABLE sessions (
  session_id bigint PRIMARY KEY,
  user_id    bigint NOT NULL REFERENCES users,
  dev_key_id bigint NOT NULL DEFAULT 0
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE refresh_tokens (
  token_hash  bytea PRIMARY KEY,
  session_id  bigint NOT NULL REFERENCES sessions ON DELETE CASCADE,
  spent       boolean NOT NULL DEFAULT false,
  expire_time timestamptz NOT NULL
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
-- Each session has one unspent token.
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expire_time) WHERE NOT spent;

-- Failed logins of the running minute, by hash of account and address. Losing them in a crash of the
-- server gives an attacker a minute: not worth a write-ahead log.
CREATE UNLOGGED TABLE login_failures (
  bucket      bytea PRIMARY KEY,
  failures    integer NOT NULL,
  expire_time timestamptz NOT NULL
);
CREATE INDEX login_failures_by_expiry ON login_failures (expire_time);

CREATE TABLE dev_keys (
  dev_key_id bigint PRIMARY KEY,
  user_id    bigint NOT NULL REFERENCES users,
  name       text NOT NULL,
  key_prefix text NOT NULL,
  key_hash   bytea NOT NULL UNIQUE,
  plan       text NOT NULL
);
CREATE INDEX dev_keys_by_user ON dev_keys (user_id, dev_key_id);

-- What was answered under an idempotency key; caller_id 0 is nobody. `secret_hash` stands for the
-- password of the request: a fast hash of one must not be stored.
CREATE TABLE idempotency_keys (
  caller_id   bigint NOT NULL,
  request_id  text NOT NULL,
  fingerprint bytea NOT NULL,
  secret_hash text NOT NULL,
  response    bytea NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (caller_id, request_id)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (create_time);
