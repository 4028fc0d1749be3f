"""The mesh on one machine: embedded stores, and a supervisor of all its processes."""
