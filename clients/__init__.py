"""Typed clients of the services: the only way in which services meet."""
