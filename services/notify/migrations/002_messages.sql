-- Direct messages. A conversation's row is locked by whoever writes into it, so that its messages'
-- ids grow in the order of their commits: who has read up to one misses none before it.
CREATE TABLE conversations (
  conversation_id bigint PRIMARY KEY,
  is_group        boolean NOT NULL,
  low_user_id     bigint NOT NULL,   -- of two: who they are, the smaller id first
  high_user_id    bigint NOT NULL,
  title           text NOT NULL,
  last_message_id bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX conversations_of_two ON conversations (low_user_id, high_user_id)
  WHERE NOT is_group;

-- `state` is 0 member, 1 asked (a request), 2 left. `listed_id` orders a user's list: the newest
-- message, or the conversation's own id; 0 takes it off. Messages up to `cleared_up_to` are not shown.
CREATE TABLE members (
  conversation_id bigint NOT NULL,
  user_id         bigint NOT NULL,
  state           smallint NOT NULL,
  listed_id       bigint NOT NULL,
  read_up_to      bigint NOT NULL DEFAULT 0,
  cleared_up_to   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (conversation_id, user_id)
);
CREATE INDEX members_listed ON members (user_id, state, listed_id);

CREATE TABLE messages (
  conversation_id bigint NOT NULL,
  message_id      bigint NOT NULL,
  user_id         bigint NOT NULL,
  text            text NOT NULL,
  tweet_id        bigint NOT NULL,
  xid             xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq             bigint NOT NULL DEFAULT nextval('change_seq'),
  PRIMARY KEY (conversation_id, message_id)
);
CREATE INDEX messages_by_change ON messages (conversation_id, xid, seq);

-- What users took out of their own view.
CREATE TABLE hidden_messages (
  user_id         bigint NOT NULL,
  conversation_id bigint NOT NULL,
  message_id      bigint NOT NULL,
  PRIMARY KEY (user_id, conversation_id, message_id)
);

-- What was written under which idempotency key; `message_id` is 0 where a conversation was made.
CREATE TABLE message_keys (
  user_id         bigint NOT NULL,
  request_id      text NOT NULL,
  body_hash       bytea NOT NULL,
  conversation_id bigint NOT NULL,
  message_id      bigint NOT NULL,
  create_time     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, request_id)
);
CREATE INDEX message_keys_by_time ON message_keys (create_time);
