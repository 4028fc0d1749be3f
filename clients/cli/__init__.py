"""The `aviary` command line."""
