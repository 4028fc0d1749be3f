-- Whose tweets may tag a user: 1 everybody's, 2 those of whom the user follows, 3 nobody's.
ALTER TABLE users ADD COLUMN mention_policy smallint NOT NULL DEFAULT 1;
