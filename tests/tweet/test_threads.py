"""Replies and conversations: everything keeps its place."""

from typing import Any

import pytest

from aviary.graph.v1.visibility_pb2 import VisibilityRule
from aviary.tweet.v1 import tweet_service_pb2 as pb
from aviary.tweet.v1.thread_pb2 import UnavailableReason

from .graph import GraphServicer
from .harness import ALICE, BOB, Refused, Tweets

CAROL = 1003
DELETED, HIDDEN = (
    UnavailableReason.UNAVAILABLE_REASON_DELETED,
    UnavailableReason.UNAVAILABLE_REASON_HIDDEN,
)
Known = tuple[Tweets, GraphServicer]


async def reply(tweets: Tweets, to: int, user: int = BOB) -> int:
    made = await tweets.create(user=user, status=f"to {to}", in_reply_to_tweet_id=to)
    return made.tweet_id


async def thread(tweets: Tweets, **fields: Any) -> pb.GetConversationResponse:
    request = pb.GetConversationRequest(**fields)
    raw, _ = await tweets.call("GetConversation", request, user=CAROL, edge=True)
    return pb.GetConversationResponse.FromString(raw)


async def replies(tweets: Tweets, tweet_id: int, page_size: int = 3) -> list[int]:
    found: list[int] = []
    token = ""
    while True:
        request = pb.ListRepliesRequest(tweet_id=tweet_id, page_size=page_size, page_token=token)
        raw, _ = await tweets.call("ListReplies", request, user=CAROL, edge=True)
        page = pb.ListRepliesResponse.FromString(raw)
        found += [tweet.tweet_id for tweet in page.tweets]
        token = page.next_page_token
        if not token:
            return found


async def test_replies_are_listed_and_counted(known: Known) -> None:
    """S001-43, S003-10."""
    tweets, _ = known
    root = (await tweets.create(status="root")).tweet_id
    direct = [await reply(tweets, root) for _ in range(8)]
    await reply(tweets, direct[0])
    assert await replies(tweets, root) == direct[::-1]
    assert (await tweets.get(root)).reply_count == 8
    await tweets.delete(direct[3], user=BOB)
    assert await replies(tweets, root) == [i for i in direct[::-1] if i != direct[3]]
    assert (await tweets.get(root)).reply_count == 7
    assert (await tweets.get(direct[0])).reply_count == 1


async def test_a_conversation_keeps_a_place_for_everything(known: Known) -> None:
    tweets, servicer = known
    root = (await tweets.create(status="root")).tweet_id
    first = await reply(tweets, root, CAROL)
    second = await reply(tweets, first, 1004)
    third = await reply(tweets, second)
    last = await reply(tweets, third)
    other = await reply(tweets, root)
    await tweets.delete(first, user=CAROL)
    servicer._hidden = {(CAROL, 1004): VisibilityRule.VISIBILITY_RULE_AUTHOR_BLOCKED}
    page = await thread(tweets, tweet_id=last)
    assert [tweet.tweet_id for tweet in page.tweets] == [root, third, last, other]
    assert [tweet.tweet_id for tweet in page.ancestors] == [root, third]
    assert {(one.tweet_id, one.in_reply_to_tweet_id, one.reason) for one in page.unavailable} == {
        (first, root, DELETED), (second, first, HIDDEN),
    }  # fmt: skip
    assert {user.user_id for user in page.users} == {ALICE, BOB}
    seen: list[int] = []
    token = ""
    while True:
        part = await thread(tweets, tweet_id=last, page_size=2, page_token=token)
        assert bool(part.ancestors) == (not token)
        seen += [tweet.tweet_id for tweet in part.tweets]
        token = part.next_page_token
        if not token:
            break
    assert seen == [root, third, last, other]
    await tweets.delete(root)
    page = await thread(tweets, tweet_id=last)
    assert (root, 0, DELETED) in {
        (one.tweet_id, one.in_reply_to_tweet_id, one.reason) for one in page.unavailable
    }


async def test_threads_of_what_is_not_there(known: Known) -> None:
    tweets, servicer = known
    root = (await tweets.create(status="root")).tweet_id
    servicer._hidden = {(CAROL, ALICE): VisibilityRule.VISIBILITY_RULE_AUTHOR_PROTECTED}
    for tweet_id in (987, root):
        with pytest.raises(Refused) as refused:
            await thread(tweets, tweet_id=tweet_id)
        assert refused.value.reason == "TWEET_NOT_FOUND"
        with pytest.raises(Refused) as refused:
            await replies(tweets, tweet_id)
        assert refused.value.reason == "TWEET_NOT_FOUND"


async def test_quotes_are_counted(known: Known) -> None:
    tweets, _ = known
    root = (await tweets.create(status="root")).tweet_id
    quote = await tweets.create(user=BOB, status="see", quote_tweet_id=root)
    assert (await tweets.get(root)).quote_count == 1
    await tweets.delete(quote.tweet_id, user=BOB)
    assert (await tweets.get(root)).quote_count == 0


async def test_imported_replies_are_counted_too(known: Known) -> None:
    tweets, _ = known
    root = (await tweets.create(status="root")).tweet_id
    batch = [
        pb.IngestTweet(user_id=BOB, status=f"{n}", in_reply_to_tweet_id=root) for n in range(5)
    ]
    (ids,) = await tweets.ingest(pb.IngestTweetsRequest(tweets=batch))
    assert await replies(tweets, root) == list(ids)[::-1]
    assert (await tweets.get(root)).reply_count == 5
