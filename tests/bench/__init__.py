"""`make bench`: what an operation costs, each figure beside its limit from the same run."""
