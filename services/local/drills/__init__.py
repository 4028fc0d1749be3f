"""Drills: faults injected into a running mesh under load, with a ledger of what was answered."""
