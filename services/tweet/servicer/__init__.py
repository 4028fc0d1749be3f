"""The methods of TweetService: proto <-> domain, nothing else."""
