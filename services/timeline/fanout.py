"""Fan-out: each new tweet into the home list of every active follower, and of its author.

A list exists while its user is active; LPUSHX touches no other. A batch that is tried again may
leave an entry twice, which readers forgive. The tweets of pulled authors (`policy.domain`) go to
the author's own list and to the author's ring, by the same command: a ring exists while somebody
reads it.

**What is sent is known to land in time, or its lists are dropped.** The order proof (`domain`) says
that an entry not marked LATE landed soon after it was stamped. Commands to which no answer came in
time break that: they may be carried out at any moment later. The lists they name are dropped before
anything else is sent, and their readers build them again.

**Who waits for whom.** The first FIRST_PAGE followers of every author in a batch come first, then
the rest of the large ones', fewest followers first, page by page: so nobody waits for a larger
author of the same batch for longer than those first pages take, and no more than a page of a large
author's followers is held at a time.

Followers who were asked for before an unfollow may be delivered to after it: readers show nobody
whom they do not follow. So deliveries and `mend` need not wait for each other.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from redis.exceptions import RedisError

from aviary.events.v1.event_pb2 import Event
from aviary.events.v1.payload_pb2 import TweetCreated
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.snowflake import unix_ms_of, wall_clock_ms

from . import domain, store
from .followers import FollowerPage, FollowerSource
from .metrics import FanoutMetrics
from .pipeline import Pipeline
from .policy.domain import Policy
from .sources import unpack_ids

CREATED = "TweetCreated"
CHUNK = 8_000
"""Commands sent before the answers are read: some 0.5 MB, 10 ms."""
FIRST_PAGE = 2_000
"""Followers asked for at first. Of 500 authors, the most in a batch, they are 8 MB."""
MAX_HEADS = 500_000
ANSWER_SECONDS = 3.0
"""How long the answers to a chunk may take, which are there in 10 ms where nothing is wrong."""
LANDING_SECONDS = domain.LANDING_MS / 1000


class Policies(Protocol):
    """The policy in force; `policy.watch.PolicyWatch` is one."""

    @property
    def current(self) -> Policy:
        """The policy."""

    async def enter(self, user_ids: Collection[int]) -> None:
        """Put authors into the registry; where that cannot be done they stay pushed."""


class Delivery(NamedTuple):
    """A tweet and the lists it goes to: home lists by user id, a ring by its author's id negated.

    The ring, where there is one, comes last.
    """

    tweet_id: int
    user_id: int
    flags: int
    targets: Sequence[int]


class Heads(dict[int, bytes]):
    """Packed LPUSHX up to the entry, by target; made when first used."""

    def __missing__(self, target: int) -> bytes:
        if len(self) >= MAX_HEADS:
            self.clear()
        head = self[target] = store.push_head(*_list_of(target))
        return head


class Fanout:
    """Delivers batches of events of Tweet's log."""

    def __init__(
        self,
        lists: store.Lists,
        rings: store.Lists,
        pipeline: Pipeline,
        graph: FollowerSource,
        policies: Policies,
        metrics: FanoutMetrics,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._lists = lists
        self._rings = rings
        self._pipeline = pipeline
        self._graph = graph
        self._policies = policies
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._heads = Heads()
        self._unanswered: set[int] = set()
        self._turn = asyncio.Lock()

    async def handle(self, events: Sequence[Event]) -> None:
        """Deliver the tweets of a batch; events of other kinds pass by.

        Returns when Redis has answered everything. May be called again with the same events.
        """
        tweets = [TweetCreated.FromString(e.payload).tweet for e in events if e.kind == CREATED]
        # One batch at a time, so that each knows which answers are its own.
        async with self._turn:
            await self._drop_unanswered()
            if tweets:
                await self._deliver(tweets)

    async def _drop_unanswered(self) -> None:
        if self._unanswered:
            await self._lists.drop(target for target in self._unanswered if target > 0)
            await self._rings.drop(-target for target in self._unanswered if target < 0)
            self._metrics.dropped_lists.labels(why="unanswered").inc(len(self._unanswered))
            self._unanswered = set()

    async def _deliver(self, tweets: Sequence[Tweet]) -> None:
        self._metrics.batch.observe(len(tweets))
        authors = dict.fromkeys(tweet.user_id for tweet in tweets)
        policy = self._policies.current
        asked = {author: 0 for author in authors if policy.pushes(author)}
        first = await self._graph.follower_pages(asked, limit=FIRST_PAGE) if asked else {}
        policy = await self._register(first, policy)
        targets = {author: _targets(author, first.get(author), policy) for author in authors}
        await self._push_all(tweets, targets)
        self._metrics.pulled_tweets.inc(sum(tweet.user_id not in asked for tweet in tweets))
        more = {author: page for author, page in first.items() if page.next_after_user_id}
        for author in sorted(more, key=lambda author: more[author].followers_count):
            own = [tweet for tweet in tweets if tweet.user_id == author]
            await self._deliver_rest(own, author, more[author].next_after_user_id)

    async def _register(self, first: Mapping[int, FollowerPage], policy: Policy) -> Policy:
        """Register authors who have become too large; the policy after that."""
        entering = [
            author
            for author, page in first.items()
            if not policy.is_pulled(author) and policy.should_pull(author, page.followers_count)
        ]
        if entering:
            await self._policies.enter(entering)
        return self._policies.current

    async def _deliver_rest(self, tweets: Sequence[Tweet], author: int, after: int) -> None:
        """The pages behind the first one."""
        while after:
            page = (await self._graph.follower_pages({author: after}))[author]
            await self._push_all(tweets, {author: unpack_ids(page.follower_ids)})
            after = page.next_after_user_id

    async def _push_all(
        self, tweets: Sequence[Tweet], targets: Mapping[int, Sequence[int]]
    ) -> None:
        for chunk in _chunks(tweets, targets):
            await self._push(chunk)

    async def _push(self, chunk: Sequence[Delivery]) -> None:
        started = time.monotonic()
        targets = [target for delivery in chunk for target in delivery.targets]
        answered = False
        try:
            lengths = await self._pipeline.execute(self._pack(chunk), len(targets))
            answered = time.monotonic() - started <= LANDING_SECONDS
        finally:
            if not answered:
                self._unanswered.update(targets)
        await self._trim(targets, lengths)
        if self._unanswered:
            raise LandedLateError("deliveries landed late: their lists must go")
        self._count(chunk, lengths)

    def _pack(self, chunk: Sequence[Delivery]) -> bytes:
        now, parts = self._clock_ms(), []
        for tweet_id, user_id, flags, targets in chunk:
            late = domain.LATE if now - unix_ms_of(tweet_id) > domain.LATE_MS else 0
            tail = store.push_tail(domain.pack(tweet_id, user_id, flags | late))
            parts.append(tail.join(map(self._heads.__getitem__, targets)))
            parts.append(tail)
        return b"".join(parts)

    async def _trim(self, targets: Sequence[int], lengths: Sequence[int]) -> None:
        kept = self._policies.current.list_length
        most = kept + domain.TRIM_SLACK
        if max(lengths) <= most:
            return
        pairs = zip(targets, lengths, strict=True)
        long = {target for target, length in pairs if length > most}
        commands = [store.trim(owner_id, kept, kind) for owner_id, kind in map(_list_of, long)]
        await self._pipeline.execute(b"".join(commands), len(commands))

    def _count(self, chunk: Sequence[Delivery], lengths: Sequence[int]) -> None:
        inactive = lengths.count(0)
        now, at, in_rings, no_rings = self._clock_ms(), 0, 0, 0
        for delivery in chunk:
            self._metrics.lag.observe((now - unix_ms_of(delivery.tweet_id)) / 1000)
            at += len(delivery.targets)
            if delivery.targets[-1] < 0:
                in_rings += lengths[at - 1] > 0
                no_rings += lengths[at - 1] == 0
        self._metrics.inactive.inc(inactive - no_rings)
        self._metrics.deliveries.inc(len(lengths) - inactive - in_rings)
        self._metrics.ring_deliveries.inc(in_rings)


class LandedLateError(RedisError):
    """Redis answered so late that the batch has to be done again."""


def flags_of(tweet: Tweet) -> int:
    """The flags of a tweet's entries."""
    return (
        (domain.REPLY if tweet.in_reply_to_tweet_id else 0)
        | (domain.RETWEET if tweet.HasField("retweeted_status") else 0)
        | (domain.QUOTE if tweet.quote_tweet_id else 0)
        | (domain.MEDIA if tweet.media else 0)
        | (domain.SENSITIVE if tweet.sensitive else 0)
    )


def _list_of(target: int) -> tuple[int, store.Kind]:
    """The owner and the kind of a delivery's list."""
    return (target, store.HOME) if target > 0 else (-target, store.RING)


def _targets(author: int, page: FollowerPage | None, policy: Policy) -> Sequence[int]:
    followers = unpack_ids(page.follower_ids) if page else ()
    ring: Iterable[int] = (-author,) if author in policy.pulled else ()
    return (*followers, author, *ring)


def _chunks(
    tweets: Sequence[Tweet], targets: Mapping[int, Sequence[int]]
) -> Iterator[list[Delivery]]:
    """The deliveries in pieces of at most CHUNK commands; a large author's are split."""
    chunk: list[Delivery] = []
    room = CHUNK
    for tweet in tweets:
        everybody, start = targets[tweet.user_id], 0
        while start < len(everybody):
            part = everybody[start : start + room]
            chunk.append(Delivery(tweet.tweet_id, tweet.user_id, flags_of(tweet), part))
            start, room = start + len(part), room - len(part)
            if not room:
                yield chunk
                chunk, room = [], CHUNK
    if chunk:
        yield chunk
