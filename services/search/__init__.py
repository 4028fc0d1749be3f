"""The Search service: shards of an index, queries over all of them, and trends."""
