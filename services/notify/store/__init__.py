"""The only SQL of the Notify service."""
