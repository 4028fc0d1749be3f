-- Devices that have got a push message which another device of its user has not: they are left out
-- when it is tried again.
ALTER TABLE deliveries ADD COLUMN reached bigint[] NOT NULL DEFAULT '{}';
