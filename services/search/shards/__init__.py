"""All shards of the index as one: who has which, and how they are asked together."""
