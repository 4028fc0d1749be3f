"""The methods of GraphService: proto <-> domain, nothing else."""
