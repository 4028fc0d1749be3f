"""Where the shards are: `;` between shards, `,` between the replicas of one."""


def addresses_of(text: str) -> list[list[str]]:
    """The addresses of every shard's replicas, by the shard's number; none for a single one."""
    shards = [
        [address.strip() for address in shard.split(",") if address.strip()]
        for shard in text.split(";")
        if shard.strip()
    ]
    return shards if len(shards) > 1 else []
