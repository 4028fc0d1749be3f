"""The event log: every committed tweet is announced once, none skipped."""

import asyncio
import random

from aviary.events.v1 import event_service_pb2 as pb
from aviary.events.v1 import payload_pb2
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.events.failures import Failures
from services.chassis.events.head import Head
from services.chassis.events.leases import Leases
from services.chassis.events.log import EventLog
from services.chassis.events.subscription import Subscription
from services.chassis.events.wake import Wake
from services.chassis.events.whole_log import WholeLog
from services.chassis.stores import open_pool
from services.tweet.domain import TweetRow
from services.tweet.store.posts import NewPost, insert

from .harness import ALICE, Tweets

WRITERS, POSTS = 32, 12
SLOWEST = 0.15


async def test_a_delete_is_announced(tweets: Tweets) -> None:
    target = (await tweets.create(status="t")).tweet_id
    made = await tweets.create(status="x", in_reply_to_tweet_id=target)
    await tweets.delete(made.tweet_id)
    rows = await tweets.sql("SELECT event_id, payload FROM events WHERE kind = 'TweetDeleted'")
    ((event_id, payload),) = rows
    assert event_id > made.tweet_id
    assert payload_pb2.TweetDeleted.FromString(payload) == payload_pb2.TweetDeleted(
        tweet_id=made.tweet_id,
        user_id=ALICE,
        in_reply_to_tweet_id=target,
        tweet=Tweet.FromString(made.SerializeToString()),
    )


async def test_no_event_of_a_late_commit_is_skipped(tweets: Tweets) -> None:
    """Writers draw their sequence numbers early and commit late, in any order."""
    chance = random.Random(3)
    stop = asyncio.Event()
    seen: list[int] = []
    overtaken = 0

    async def write(pool_dsn: str, writer: int) -> None:
        async with open_pool(pool_dsn, size=1, name="writer") as pool:
            for number in range(POSTS):
                tweet_id = 1 + writer * POSTS + number
                row = TweetRow(tweet_id, writer, "x", b"")
                async with pool.connection() as connection, connection.transaction():
                    await insert(connection, [NewPost(row, b"", b"")])
                    await asyncio.sleep(chance.uniform(0, SLOWEST))

    async def read() -> None:
        async with open_pool(tweets.dsn, size=2, name="reader") as pool:
            head = Head(WholeLog(pool), Wake())
            following = asyncio.create_task(head.run())
            subscription = Subscription(
                EventLog(pool), Leases(pool), Failures(pool), head, "test", "reader"
            )
            async for batch in subscription.batches(500, stop):
                events = pb.SubscribeResponse.FromString(b"".join(batch.events)).events
                seen.extend(event.event_id for event in events)
                if len(seen) >= WRITERS * POSTS:
                    stop.set()
            following.cancel()

    reading = asyncio.create_task(read())
    async with asyncio.timeout(30):
        await asyncio.gather(*(write(tweets.dsn, writer) for writer in range(WRITERS)))
        await reading
    assert sorted(seen) == list(range(1, WRITERS * POSTS + 1))
    rows = await tweets.sql("SELECT event_id FROM events ORDER BY seq")
    overtaken = sum(a != b for (a,), b in zip(rows, seen, strict=True))
    assert overtaken, "no commit was late: the test proved nothing"
