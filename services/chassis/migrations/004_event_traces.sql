-- The W3C trace context (`traceparent`) of the call that an event comes of; empty where it had none.
-- A constant default: no row is rewritten, and replicas that do not know the column go on writing.
ALTER TABLE events ADD COLUMN traceparent text NOT NULL DEFAULT '';
ALTER TABLE event_failures ADD COLUMN traceparent text NOT NULL DEFAULT '';
