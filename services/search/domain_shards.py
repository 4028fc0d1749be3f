"""Which shard holds a tweet, and how the shards' answers become one."""

from collections.abc import Sequence
from itertools import repeat
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


class Answer(NamedTuple):
    """The newest hits, newest first."""

    ids: Sequence[int]
    scores: Sequence[float] = ()
    """One for each; none where none was asked for."""
    searched_to: int = 0
    """Where a search ended early: they are all that there are down to this tweet."""


def newest(answers: Sequence[Answer], limit: int) -> Answer:
    """The newest hits of all shards."""
    if len(answers) == 1 and len(answers[0].ids) <= limit:
        return answers[0]
    searched_to = max((answer.searched_to for answer in answers), default=0)
    scored = any(answer.scores for answer in answers)
    hits: list[tuple[int, float]] = []
    for ids, scores, _ in answers:
        hits += zip(ids, scores or repeat(0.0), strict=False)
    hits = sorted(hits, reverse=True)[:limit]
    if searched_to:  # what is older may have others before it, in the shard that ended there
        hits = [hit for hit in hits if hit[0] >= searched_to]
    scores = [score for _, score in hits] if scored else ()
    return Answer([tweet_id for tweet_id, _ in hits], scores, searched_to)


def ranked(answer: Answer) -> list[int]:
    """Tweets by score, the newer one first where two are alike."""
    hits = zip(answer.scores, answer.ids, strict=True)
    return [tweet_id for _, tweet_id in sorted(hits, reverse=True)]
