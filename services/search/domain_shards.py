"""Which shard holds a tweet, and how the shards' answers become one."""

import heapq
from collections.abc import Sequence
from typing import NamedTuple

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def shard_of(tweet_id: int, count: int) -> int:
    """The shard of a tweet. Ids are mixed first: their lower bits name who made them."""
    return ((tweet_id * GOLDEN & MASK) >> 32) % count


class Part(NamedTuple):
    """One shard of so many."""

    shard: int
    of: int

    @property
    def name(self) -> str:
        """What its folder is called: another number of shards is another index."""
        return f"shard-{self.shard}-of-{self.of}"

    def holds(self, tweet_id: int) -> bool:
        """Whether a tweet belongs to it."""
        return self.of == 1 or shard_of(tweet_id, self.of) == self.shard


class Hit(NamedTuple):
    """A tweet that matches, and its score (0 where none was asked for)."""

    tweet_id: int
    score: float


class Answer(NamedTuple):
    """The newest hits, newest first."""

    hits: Sequence[Hit]
    searched_to: int = 0
    """Where a search ended early: they are all that there are down to this tweet."""


def newest(answers: Sequence[Answer], limit: int) -> Answer:
    """The newest hits of all shards."""
    searched_to = max((answer.searched_to for answer in answers), default=0)
    merged = heapq.merge(*(answer.hits for answer in answers), key=lambda hit: -hit.tweet_id)
    hits = [hit for _, hit in zip(range(limit), merged, strict=False)]
    if searched_to:  # what is older may have others before it, in the shard that ended there
        hits = [hit for hit in hits if hit.tweet_id >= searched_to]
    return Answer(hits, searched_to)


def ranked(hits: Sequence[Hit]) -> list[int]:
    """Tweets by score, the newer one first where two are alike."""
    return [hit.tweet_id for hit in sorted(hits, key=lambda h: (-h.score, -h.tweet_id))]
