-- What was used of applications' quotas: a window begins with its first use and lasts a minute.
CREATE TABLE quota_uses (
  dev_key_id bigint NOT NULL REFERENCES dev_keys ON DELETE CASCADE,
  quota      text NOT NULL,
  used       bigint NOT NULL,
  end_time   timestamptz NOT NULL,
  PRIMARY KEY (dev_key_id, quota)
);
