"""Fan-out: each new tweet into the home list of every active follower, and of its author.

A list exists while its user is active; LPUSHX touches no other. A batch that is tried again may
leave an entry twice, which readers forgive. The tweets of pulled authors (`policy.domain`) go to
the author's own list and to the author's ring, by the same command: a ring exists while somebody
reads it.

**Who waits for whom.** The first FIRST_PAGE followers of every author in a batch come first, then
the rest of the large ones', fewest followers first, page by page: so nobody waits for a larger
author of the same batch for longer than those first pages take, and no more than a page of a large
author's followers is held at a time.

Followers who were asked for before an unfollow may be delivered to after it: readers show nobody
whom they do not follow. So deliveries and `mend` need not wait for each other.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from aviary.events.v1.event_pb2 import Event
from aviary.events.v1.payload_pb2 import TweetCreated
from aviary.tweet.v1.tweet_pb2 import Tweet

from .followers import FollowerPage, FollowerSource
from .metrics import FanoutMetrics
from .policy.domain import Policy
from .pushing import Pusher
from .sources import unpack_ids

CREATED = "TweetCreated"
FIRST_PAGE = 2_000
"""Followers asked for at first. Of 500 authors, the most in a batch, they are 8 MB."""


class Policies(Protocol):
    """The policy in force; `policy.watch.PolicyWatch` is one."""

    @property
    def current(self) -> Policy:
        """The policy."""

    async def enter(self, user_ids: Collection[int]) -> None:
        """Put authors into the registry; where that cannot be done they stay pushed."""


class Fanout:
    """Delivers batches of events of Tweet's log."""

    def __init__(
        self,
        pusher: Pusher,
        graph: FollowerSource,
        policies: Policies,
        metrics: FanoutMetrics,
    ) -> None:
        self._pusher = pusher
        self._graph = graph
        self._policies = policies
        self._metrics = metrics
        self._turn = asyncio.Lock()

    async def handle(self, events: Sequence[Event]) -> None:
        """Deliver the tweets of a batch; events of other kinds pass by.

        Returns when Redis has answered everything. May be called again with the same events.
        """
        tweets = [TweetCreated.FromString(e.payload).tweet for e in events if e.kind == CREATED]
        # One batch at a time, so that each knows which answers are its own.
        async with self._turn:
            await self._pusher.drop_unanswered()
            if tweets:
                await self._deliver(tweets)

    async def _deliver(self, tweets: Sequence[Tweet]) -> None:
        self._metrics.batch.observe(len(tweets))
        authors = dict.fromkeys(tweet.user_id for tweet in tweets)
        policy = self._policies.current
        asked = {author: 0 for author in authors if policy.pushes(author)}
        first = await self._graph.follower_pages(asked, limit=FIRST_PAGE) if asked else {}
        policy = await self._register(first, policy)
        targets = {author: _targets(author, first.get(author), policy) for author in authors}
        await self._pusher.push(tweets, targets)
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
            await self._pusher.push(tweets, {author: unpack_ids(page.follower_ids)})
            after = page.next_after_user_id


def _targets(author: int, page: FollowerPage | None, policy: Policy) -> Sequence[int]:
    followers = unpack_ids(page.follower_ids) if page else ()
    ring: Iterable[int] = (-author,) if author in policy.pulled else ()
    return (*followers, author, *ring)
