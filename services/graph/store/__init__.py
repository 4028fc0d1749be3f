"""The only SQL and Redis of the Graph service."""
