"""One shard of the index: its postings on disk, how they follow the log, and how they are asked."""
