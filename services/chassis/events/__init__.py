"""The event log: what happened, in commit order, none skipped, until every group has seen it."""
