"""Inboxes: who is told of what, once, in one entry, and with an exact badge."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.notify.domain_inbox import Kind
from services.notify.domain_preferences import (
    DEFAULTS,
    INBOX,
    Channel,
    EmailMode,
    Preferences,
    after_quiet_hours,
    due_times,
)
from services.notify.showing import in_words

from .rig import Rig, inbox_rig

A, B, C, D = 11, 12, 13, 14


@pytest.fixture
async def rig(dsn: str) -> AsyncIterator[Rig]:
    async with inbox_rig(dsn) as made:
        yield made


async def test_whoever_a_tweet_is_about_is_told_once(rig: Rig) -> None:
    """S003-12: the nearest reason counts, and nobody is told of what they did themselves."""
    reply = rig.tweet(
        A, in_reply_to_user_id=B, in_reply_to_tweet_id=5, quote_user_id=C, quote_tweet_id=6,
        mentions=[A, B, C, D, D],
    )  # fmt: skip
    await rig.tell(rig.posted(reply))
    assert [await rig.kinds(user) for user in (A, B, C, D)] == [
        [], [Kind.REPLY], [Kind.QUOTE], [Kind.MENTION],
    ]  # fmt: skip
    retweet = rig.tweet(A)
    retweet.retweeted_status.tweet_id, retweet.retweeted_status.user_id = 77, B
    await rig.tell(rig.posted(retweet), rig.liked(B, 77, B))
    assert await rig.kinds(B) == [Kind.RETWEET, Kind.REPLY]


async def test_who_is_tagged_is_told_until_the_tag_is_taken_off(rig: Rig) -> None:
    """S003-12: once, also where the text mentions the user; a reply stays what it is."""
    tweet = rig.tweet(A, mentions=[B], tags=[A, B, C, D], in_reply_to_user_id=D)
    await rig.tell(rig.posted(tweet))
    told = [Kind.MENTION], [Kind.MENTION], [Kind.REPLY]
    assert tuple([await rig.kinds(user) for user in (B, C, D)]) == told
    assert await rig.kinds(A) == []
    await rig.tell(rig.untagged(B, tweet, mentioned=True), rig.untagged(D, tweet))
    assert tuple([await rig.kinds(user) for user in (B, C, D)]) == told
    taken = rig.untagged(C, tweet)
    await rig.tell(taken, taken)
    assert [row.gone for row in await rig.rows(C)] == [True]
    assert (await rig.unread(C), await rig.unread(B)) == ((0, 0), (1, 1))


async def test_a_tag_taken_off_before_it_was_told(rig: Rig) -> None:
    """The two events are in different partitions of the log."""
    tweet = rig.tweet(A, tags=[B])
    posted = rig.posted(tweet)
    await rig.tell(rig.untagged(B, tweet))
    await rig.tell(posted)
    assert (await rig.kinds(B), await rig.unread(B)) == ([], (0, 0))


async def test_followers_who_asked_are_told_of_tweets(rig: Rig) -> None:
    """S003-13: not of retweets, nor of replies to others, nor of what was imported."""
    rig.graph.notified = {A: [B, C]}
    old = rig.tweet(A)
    old.create_time.FromSeconds(1_700_000_000)
    retweet = rig.tweet(A)
    retweet.retweeted_status.user_id = D
    await rig.tell(*map(rig.posted, (old, retweet, rig.tweet(A, in_reply_to_user_id=D))))
    assert await rig.kinds(B) == []
    await rig.tell(rig.posted(rig.tweet(A)), rig.posted(rig.tweet(A, mentions=[C])))
    assert await rig.kinds(B) == [Kind.TWEET, Kind.TWEET]
    assert sorted(await rig.kinds(C)) == [Kind.MENTION, Kind.TWEET, Kind.TWEET]


async def test_likes_of_one_tweet_are_one_entry(rig: Rig) -> None:
    likes = [rig.liked(100 + n, 5, A) for n in range(42)]
    await rig.tell(*likes[:20])
    await rig.tell(*likes[20:], *likes)
    [row] = await rig.rows(A)
    assert (row.actor_count, row.latest_actors) == (42, (141, 140, 139))
    assert await rig.unread(A) == (1, 1)


async def test_ten_thousand_likes_are_one_entry_and_at_most_one_mail(rig: Rig) -> None:
    everything = tuple(7 for _ in Kind)
    await rig.preferences.put(A, Preferences(everything, EmailMode.IMMEDIATE))
    for start in range(0, 10_000, 500):
        await rig.tell(*(rig.liked(1_000 + start + n, 5, A) for n in range(500)))
    [row] = await rig.rows(A)
    assert row.actor_count == 10_000
    deliveries = await rig.sql("SELECT channel, count(*) FROM deliveries GROUP BY 1 ORDER BY 1")
    assert deliveries == [(Channel.PUSH, 1), (Channel.EMAIL, 1)]


async def test_what_is_taken_back_is_withdrawn(rig: Rig) -> None:
    like = rig.liked(B, 5, A)
    await rig.tell(like, rig.liked(C, 5, A))
    await rig.tell(rig.unliked(C, 5, A))
    [row] = await rig.rows(A)
    assert (row.actor_count, row.latest_actors, row.notification_id) == (1, (B,), like.event_id)
    await rig.tell(rig.unliked(B, 5, A))
    [row] = await rig.rows(A)
    assert (row.actor_count, row.gone) == (0, True)
    assert await rig.unread(A) == (0, 0)
    await rig.tell(rig.liked(B, 5, A))
    [row] = await rig.rows(A)
    assert (row.actor_count, row.gone) == (1, False)


async def test_a_retweet_taken_back_is_withdrawn(rig: Rig) -> None:
    retweet = rig.tweet(B)
    retweet.retweeted_status.tweet_id, retweet.retweeted_status.user_id = 77, A
    posted = rig.posted(retweet)
    gone = rig.event("TweetDeleted", tweet_id=retweet.tweet_id, user_id=B, retweeted_tweet_id=77)
    await rig.tell(posted, gone)
    assert [row.gone for row in await rig.rows(A)] == [True]
    assert await rig.unread(A) == (0, 0)


async def test_a_deleted_tweet_is_gone_also_for_what_comes_late(rig: Rig) -> None:
    tweet = rig.tweet(B, mentions=[A])
    await rig.tell(rig.posted(tweet))
    late = rig.liked(C, tweet.tweet_id, B)
    await rig.tell(rig.event("TweetDeleted", tweet_id=tweet.tweet_id, user_id=B))
    assert [row.gone for row in await rig.rows(A)] == [True]
    assert await rig.unread(A) == (0, 0)
    await rig.tell(late)
    assert await rig.rows(B) == []


async def test_nothing_of_whoever_is_blocked_or_muted(rig: Rig) -> None:
    rig.graph.hidden = {(A, B)}
    await rig.tell(rig.liked(B, 5, A), rig.liked(C, 5, A))
    assert [row.latest_actors for row in await rig.rows(A)] == [(C,)]
    await rig.tell(rig.event("UserMuted", user_id=A, target_user_id=C))
    assert [row.gone for row in await rig.rows(A)] == [True]


async def test_replaying_everything_changes_nothing(rig: Rig) -> None:
    rig.graph.notified = {B: [A]}
    rng = random.Random(1)
    tweets = [rig.tweet(B, mentions=[A]) for _ in range(5)]
    events = [rig.posted(tweet) for tweet in tweets]
    for _ in range(150):
        actor, tweet = rng.randrange(20, 30), rng.choice(tweets).tweet_id
        make = rng.choice([rig.liked, rig.liked, rig.unliked])
        events.append(make(actor, tweet, B))
    events.append(rig.event("TweetDeleted", tweet_id=tweets[0].tweet_id, user_id=B))
    events.append(rig.event("UserFollowed", user_id=C, target_user_id=A))
    for start in range(0, len(events), 20):
        await rig.tell(*events[start : start + 20])
    before = await rig.contents()
    assert len(before["entries"]) > 5
    await rig.tell(*events)
    shuffled = list(events)
    rng.shuffle(shuffled)
    for start in range(0, len(shuffled), 7):
        await rig.tell(*shuffled[start : start + 7])
    assert await rig.contents() == before


async def test_the_badge_equals_the_list_on_two_devices(rig: Rig) -> None:
    """10,000 random operations: likes and unlikes, deletes, and two devices that read."""
    rng = random.Random(7)
    tweets = list(range(1_000, 1_060))
    operations = 0

    async def device(seed: int) -> None:
        mine = random.Random(seed)
        for _ in range(150):
            rows = await rig.rows(A)
            if rows:
                seen = mine.choice(rows).notification_id
                badge = await rig.inbox.mark_read(A, seen)
                assert badge is not None
                assert badge.read_up_to >= seen
            await asyncio.sleep(0.002)

    async def others() -> None:
        nonlocal operations
        while operations < 10_000:
            batch = []
            for _ in range(100):
                tweet, actor = rng.choice(tweets), rng.randrange(20, 60)
                make = rng.choice([rig.liked, rig.unliked])
                batch.append(make(actor, tweet, A))
            if rng.random() < 0.1:
                gone = rng.choice(tweets)
                batch.append(rig.event("TweetDeleted", tweet_id=gone, user_id=A))
            await rig.tell(*batch)
            operations += len(batch)
            badge, shown = await rig.unread(A)
            assert abs(badge - shown) <= len(tweets)  # two statements, while devices read

    await asyncio.gather(others(), device(1), device(2))
    badge, shown = await rig.unread(A)
    assert badge == shown
    rows = await rig.sql(
        "SELECT e.actor_count, (SELECT count(*) FROM occurrences o WHERE o.user_id = e.user_id"
        " AND o.kind = e.kind AND o.object_id = e.object_id AND o.alive)"
        " FROM entries e WHERE NOT e.gone"
    )
    assert rows
    assert all(count == truth for count, truth in rows)


async def test_the_marker_never_moves_back(rig: Rig) -> None:
    await rig.tell(rig.liked(B, 5, A), rig.liked(B, 6, A))
    newer, older = [row.notification_id for row in await rig.rows(A)]
    await rig.inbox.mark_read(A, newer)
    badge = await rig.inbox.mark_read(A, older)
    assert badge == (0, newer)
    assert await rig.inbox.mark_read(A, newer + 1_000_000) is None


async def test_preferences_decide_what_enters(rig: Rig) -> None:
    kinds = list(DEFAULTS.kinds)
    kinds[Kind.FAVORITE - 1] &= ~INBOX
    await rig.preferences.put(A, DEFAULTS._replace(kinds=tuple(kinds), only_following=True))
    rig.graph.following = {A: [B]}
    await rig.tell(
        rig.liked(B, 5, A), *(rig.posted(rig.tweet(who, mentions=[A])) for who in (B, C))
    )
    assert [(row.kind, row.latest_actors) for row in await rig.rows(A)] == [(Kind.MENTION, (B,))]


def test_defaults_mail_nobody() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert due_times(DEFAULTS, Kind.MENTION, now) == {Channel.PUSH: now}
    assert due_times(DEFAULTS, Kind.FAVORITE, now) == {}
    mailed = DEFAULTS._replace(email_mode=EmailMode.IMMEDIATE)
    assert due_times(mailed, Kind.MENTION, now) == {Channel.PUSH: now, Channel.EMAIL: now}
    daily = DEFAULTS._replace(email_mode=EmailMode.DAILY, time_zone="Asia/Tokyo")
    assert due_times(daily, Kind.MENTION, now)[Channel.EMAIL] == datetime(
        2026, 3, 1, 23, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-07-01T19:59", "2026-07-01T19:59"),
        ("2026-07-01T21:59", "2026-07-02T05:00"),
        ("2026-07-01T20:30", "2026-07-02T05:00"),
        ("2026-07-02T04:59", "2026-07-02T05:00"),
        ("2026-07-02T05:00", "2026-07-02T05:00"),
    ],
)
def test_quiet_hours_span_midnight_where_the_user_is(at: str, due: str) -> None:
    mine = DEFAULTS._replace(quiet_start=22 * 60, quiet_end=7 * 60, time_zone="Europe/Berlin")
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert after_quiet_hours(mine, now) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("names", "count", "text"),
    [
        (["Wren"], 1, "Wren liked your tweet"),
        (["Wren", "Robin"], 2, "Wren and Robin liked your tweet"),
        (["Wren", "Robin", "Jay"], 3, "Wren, Robin and 1 other liked your tweet"),
        (["Wren", "Robin", "Jay"], 43, "Wren, Robin and 41 others liked your tweet"),
        ([], 1, "Somebody liked your tweet"),
        ([], 5, "5 people liked your tweet"),
    ],
)
def test_words(names: list[str], count: int, text: str) -> None:
    assert in_words(Kind.FAVORITE, names, count) == text
