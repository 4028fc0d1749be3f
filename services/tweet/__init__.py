"""The Tweet service: the truth about tweets, their cache and their event log."""
