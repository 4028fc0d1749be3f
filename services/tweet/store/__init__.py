"""The only SQL and Redis of the Tweet service."""
