"""Lists: the paging law for an author's tweets, and the newest over many authors."""

import random
import struct
from typing import Any

import pytest

from aviary.tweet.v1 import tweet_service_pb2 as pb

from .harness import ALICE, BOB, Refused, Tweets


async def _all(tweets: Tweets, **fields: Any) -> list[int]:
    found: list[int] = []
    token = ""
    while True:
        page = await tweets.page(page_token=token, **fields)
        found += [tweet.tweet_id for tweet in page.tweets]
        token = page.next_page_token
        if not token:
            return found


async def _posts(tweets: Tweets, count: int, user: int = ALICE) -> list[int]:
    batch = [pb.IngestTweet(user_id=user, status=f"{n}") for n in range(count)]
    (ids,) = await tweets.ingest(pb.IngestTweetsRequest(tweets=batch))
    return list(ids)


async def test_pages_of_any_size_make_the_whole(tweets: Tweets) -> None:
    ids = await _posts(tweets, 45)
    await _posts(tweets, 5, BOB)
    whole = sorted(ids, reverse=True)
    for size in (1, 7, 15, 44, 45, 46, 100, 1000):
        assert await _all(tweets, user_id=ALICE, page_size=size) == whole
    assert len((await tweets.page(user_id=ALICE)).tweets) == 20
    assert await _all(tweets, user_id=ALICE, since_id=whole[10]) == whole[:10]
    assert await _all(tweets, user_id=ALICE, max_id=whole[10]) == whole[10:]
    between = await _all(tweets, user_id=ALICE, max_id=whole[5], since_id=whole[20], page_size=4)
    assert between == whole[5:20]
    assert await _all(tweets, user_id=999) == []


async def test_inserts_and_deletes_between_pages_move_nothing(tweets: Tweets) -> None:
    chance = random.Random(7)
    ids = sorted(await _posts(tweets, 60), reverse=True)
    seen: list[int] = []
    deleted: set[int] = set()
    token = ""
    while True:
        page = await tweets.page(user_id=ALICE, page_size=7, page_token=token)
        seen += [tweet.tweet_id for tweet in page.tweets]
        token = page.next_page_token
        if not token:
            break
        await _posts(tweets, 2)
        victim = chance.choice([tweet_id for tweet_id in ids if tweet_id not in deleted])
        await tweets.delete(victim)
        deleted.add(victim)
        if seen[-1] not in deleted:
            await tweets.delete(seen[-1])  # the very tweet that the token points at
            deleted.add(seen[-1])
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, reverse=True)
    assert set(ids) - deleted <= set(seen) <= set(ids)


async def test_replies_can_be_left_out(tweets: Tweets) -> None:
    first = (await tweets.create(status="first")).tweet_id
    reply = (await tweets.create(status="re", in_reply_to_tweet_id=first)).tweet_id
    assert await _all(tweets, user_id=ALICE) == [reply, first]
    assert await _all(tweets, user_id=ALICE, include_replies=False) == [first]


async def test_bad_pages_are_refused(tweets: Tweets) -> None:
    await _posts(tweets, 3)
    token = (await tweets.page(user_id=ALICE, page_size=1)).next_page_token
    for fields, reason in (
        ({"user_id": ALICE, "page_size": -1}, "PAGE_SIZE_NEGATIVE"),
        ({"user_id": BOB, "page_token": token}, "PAGE_TOKEN_INVALID"),
        ({"user_id": ALICE, "page_token": token, "since_id": 1}, "PAGE_TOKEN_INVALID"),
        ({"user_id": ALICE, "page_token": token, "include_replies": False}, "PAGE_TOKEN_INVALID"),
        ({"user_id": ALICE, "page_token": "nonsense"}, "PAGE_TOKEN_INVALID"),
    ):
        with pytest.raises(Refused) as refused:
            await tweets.page(**fields)
        assert refused.value.reason == reason


def _entries(packed: bytes) -> list[tuple[int, int, int]]:
    return list(struct.iter_unpack(">qqB", packed))


@pytest.mark.parametrize("limit", [1, 10, 37, 200, 1000])
async def test_the_newest_over_many_authors_are_exact(tweets: Tweets, limit: int) -> None:
    """Authors post very unevenly and in bursts: where a share per author would go wrong."""
    chance = random.Random(limit)
    authors = [int(chance.paretovariate(0.7)) % 40 + 1 for _ in range(300)] + [7] * 150
    batch = [
        pb.IngestTweet(user_id=author, status="x", sensitive=author == 7) for author in authors
    ]
    (ids,) = await tweets.ingest(pb.IngestTweetsRequest(tweets=batch))
    truth = sorted(
        ((i, a, 16 if a == 7 else 0) for i, a in zip(ids, authors, strict=True)), reverse=True
    )
    await tweets.delete(truth[3][0], user=truth[3][1])
    del truth[3]
    everybody = [*range(1, 60), 7, 7]
    assert _entries(await tweets.recent(user_ids=everybody, limit=limit)) == truth[:limit]
    some = [entry for entry in truth if entry[1] in (1, 2, 7)]
    assert _entries(await tweets.recent(user_ids=[7, 2, 1], limit=limit)) == some[:limit]
    middle = some[len(some) // 2][0]
    older = [entry for entry in some if entry[0] <= middle]
    newer = [entry for entry in some if entry[0] > middle]
    bounded = {"user_ids": [1, 2, 7], "limit": limit}
    assert _entries(await tweets.recent(**bounded, max_id=middle)) == older[:limit]
    assert _entries(await tweets.recent(**bounded, since_id=middle)) == newer[:limit]


async def test_the_newest_over_nobody(tweets: Tweets) -> None:
    await _posts(tweets, 3)
    assert await tweets.recent(user_ids=[]) == b""
    assert await tweets.recent(user_ids=[999]) == b""
    assert len(await tweets.recent(user_ids=[ALICE])) == 3 * 17
    for fields in ({"user_ids": range(10_001)}, {"user_ids": [1], "limit": -1}):
        with pytest.raises(Refused) as refused:
            await tweets.recent(**fields)
        assert refused.value.reason == "INVALID_ARGUMENT"


async def _id_pages(tweets: Tweets, *lists: dict[str, Any]) -> list[pb.TweetIdPage]:
    request = pb.BatchListUserTweetIdsRequest(lists=[pb.ListUserTweetsRequest(**x) for x in lists])
    raw, _ = await tweets.call("BatchListUserTweetIds", request)
    return list(pb.BatchListUserTweetIdsResponse.FromString(raw).pages)


async def test_many_pages_of_ids_are_what_each_page_alone_is(tweets: Tweets) -> None:
    theirs = await _posts(tweets, 30), await _posts(tweets, 3, BOB)
    first = (await tweets.create(status="first")).tweet_id
    await tweets.create(status="re", in_reply_to_tweet_id=first)
    await tweets.delete(theirs[0][7])
    token = (await tweets.page(user_id=ALICE, page_size=10)).next_page_token
    lists: list[dict[str, Any]] = [
        {"user_id": ALICE},
        {"user_id": BOB, "page_size": 3},
        {"user_id": BOB, "page_size": 2},
        {"user_id": 999},
        {"user_id": ALICE, "include_replies": False, "page_size": 5},
        {"user_id": ALICE, "only_media": True},
        {"user_id": ALICE, "page_size": 10, "page_token": token},
        {"user_id": ALICE, "page_size": 100, "since_id": theirs[0][4], "max_id": theirs[0][20]},
        {"user_id": ALICE},
    ]
    for one, page in zip(lists, await _id_pages(tweets, *lists), strict=True):
        alone = await tweets.page(**one)
        assert list(page.tweet_ids) == [tweet.tweet_id for tweet in alone.tweets], one
        assert bool(page.next_page_token) == bool(alone.next_page_token), one
        if page.next_page_token:  # either call takes the other one's tokens
            after = {**one, "page_token": page.next_page_token}
            (following,) = await _id_pages(tweets, after)
            alone = await tweets.page(**after)
            assert list(following.tweet_ids) == [tweet.tweet_id for tweet in alone.tweets], after


async def test_a_bad_token_spoils_its_own_page_only(tweets: Tweets) -> None:
    ids = await _posts(tweets, 3)
    bad, good = await _id_pages(
        tweets, {"user_id": ALICE, "page_token": "nonsense"}, {"user_id": ALICE}
    )
    assert (bad.page_token_invalid, list(bad.tweet_ids)) == (True, [])
    assert list(good.tweet_ids) == sorted(ids, reverse=True)
    assert not good.page_token_invalid
    with pytest.raises(Refused) as refused:
        await _id_pages(tweets, *[{"user_id": ALICE}] * 65)
    assert refused.value.reason == "INVALID_ARGUMENT"
