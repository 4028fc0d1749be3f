"""Photo tags (S003-12): who is tagged, where that shows, and how one takes it off."""

import asyncio
from typing import Any

import pytest

from aviary.events.v1 import payload_pb2
from aviary.graph.v1.user_pb2 import MentionPolicy
from aviary.graph.v1.visibility_pb2 import VisibilityRule
from aviary.tweet.v1 import tweet_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.config import Settings

from . import samples
from .graph import GraphServicer
from .harness import ALICE, BOB, Refused, Tweets
from .media_rig import MediaRig, ids

CAROL = 1003


@pytest.fixture
async def rig(known: tuple[Tweets, GraphServicer], config: Settings) -> MediaRig:
    """Media of the service that asks a Graph."""
    made = MediaRig(known[0], config)
    made.clear()
    return made


@pytest.fixture
async def photo(rig: MediaRig) -> dict[str, Any]:
    """What a post says that shows a photo."""
    return {"media_ids": ids(await rig.upload(samples.picture(size=(40, 30))))}


async def untag(tweets: Tweets, tweet_id: int, user: int, **fields: str) -> None:
    request = pb.RemoveMediaTagRequest(tweet_id=tweet_id, **fields)
    await tweets.call("RemoveMediaTag", request, user=user, edge=True)


def tags_of(tweet: pb.CreateTweetResponse | pb.GetTweetResponse | Tweet) -> list[tuple[int, str]]:
    return [(tag.user_id, tag.user_name) for tag in tweet.entities.media_tags]


async def mentions(tweets: Tweets, user: int) -> list[int]:
    return [tweet.tweet_id for tweet in (await tweets.mentions(user_id=user)).tweets]


async def test_tags_stand_in_the_tweet_everywhere(rig: MediaRig, photo: dict[str, Any]) -> None:
    """S003-12: by id, by name, each once; stored, cached and told alike; nothing of the text."""
    tweets = rig.tweets
    named = ["@Bob", "1003", "bob", "1002", " ", "alice"]
    made = await tweets.create(status="x" * 280, media_tags=named, **photo)
    assert tags_of(made) == [(BOB, "bob"), (CAROL, "u1003"), (ALICE, "alice")]
    assert [entity.start for entity in made.entities.media] == [280]
    raw = made.SerializeToString()
    for _ in ("from SQL or the cache", "from the cache"):
        assert (await tweets.get(made.tweet_id)).SerializeToString() == raw
    assert (await tweets.page(user_id=ALICE)).tweets[0].SerializeToString() == raw
    ((payload,),) = await tweets.sql("SELECT payload FROM events")
    assert payload_pb2.TweetCreated.FromString(payload).tweet.SerializeToString() == raw
    for user in (ALICE, BOB, CAROL):
        assert await mentions(tweets, user) == [made.tweet_id]


async def test_a_mention_and_a_tag_are_one_entry(rig: MediaRig, photo: dict[str, Any]) -> None:
    made = await rig.tweets.create(status="with @bob", media_tags=["bob"], **photo)
    assert tags_of(made) == [(BOB, "bob")]
    assert [mention.user_id for mention in made.entities.user_mentions] == [BOB]
    assert await mentions(rig.tweets, BOB) == [made.tweet_id]


async def test_whoever_does_not_want_it_is_left_out(
    rig: MediaRig, known: tuple[Tweets, GraphServicer], photo: dict[str, Any]
) -> None:
    """S003-12: tagging can be limited, and a block in either direction prevents it."""
    tweets, servicer = known
    servicer._policies = {
        CAROL: MentionPolicy.MENTION_POLICY_NOBODY,
        1004: MentionPolicy.MENTION_POLICY_FOLLOWING,
    }
    servicer._hidden = {
        (1005, ALICE): VisibilityRule.VISIBILITY_RULE_AUTHOR_BLOCKED,
        (1006, BOB): VisibilityRule.VISIBILITY_RULE_BLOCKED_BY_AUTHOR,
        (1007, ALICE): VisibilityRule.VISIBILITY_RULE_AUTHOR_PROTECTED,
    }
    everybody = ["1003", "1004", "1005", "1006", "1007"]
    for author, tagged in ((ALICE, [1006, 1007]), (BOB, [1004, 1005, 1007]), (CAROL, None)):
        shown = ids(await rig.upload(samples.picture(size=(50, 30)), user=author))
        made = await tweets.create(user=author, media_ids=shown, media_tags=everybody)
        found = [user for user, _ in tags_of(made)]
        assert found == (tagged or [1003, 1005, 1006, 1007]), author
        assert (1004 in found) == (await mentions(tweets, 1004) == [made.tweet_id])


async def test_a_repeated_post_has_the_same_tags(
    rig: MediaRig, known: tuple[Tweets, GraphServicer], photo: dict[str, Any]
) -> None:
    """Also when one of them is gone since; with other tags the key is taken."""
    fields: dict[str, Any] = {"status": "once", "media_tags": ["bob", "1003"], "key": "k", **photo}
    first = await rig.tweets.create(**fields)
    known[1]._gone = {CAROL}
    assert await rig.tweets.create(**fields) == first
    with pytest.raises(Refused) as caught:
        await rig.tweets.create(**{**fields, "media_tags": ["bob"]})
    assert caught.value.reason == "IDEMPOTENCY_MISMATCH"


async def test_one_takes_the_own_tag_off(rig: MediaRig, photo: dict[str, Any]) -> None:
    """Gone from tweet, cache and mentions; others keep theirs; told once; may be repeated."""
    tweets = rig.tweets
    made = await tweets.create(status="hi #tag @alice", media_tags=["bob", "1003"], **photo)
    retweet = await tweets.retweet(made.tweet_id, CAROL)
    await tweets.get(made.tweet_id)
    for tweet_id in (retweet.tweet_id, made.tweet_id):
        await untag(tweets, tweet_id, BOB)
    shown = await tweets.get(made.tweet_id)
    assert tags_of(shown) == [(CAROL, "u1003")]
    assert (await tweets.get(retweet.tweet_id)).retweeted_status.entities == shown.entities
    del made.entities.media_tags[:]
    del shown.entities.media_tags[:]
    assert shown.entities == made.entities
    assert await mentions(tweets, BOB) == []
    assert await mentions(tweets, CAROL) == [made.tweet_id]
    ((payload,),) = await tweets.sql("SELECT payload FROM events WHERE kind = 'MediaTagRemoved'")
    assert payload_pb2.MediaTagRemoved.FromString(payload) == payload_pb2.MediaTagRemoved(
        tweet_id=made.tweet_id, user_id=BOB, author_user_id=ALICE
    )


async def test_all_take_theirs_off_at_once(rig: MediaRig, photo: dict[str, Any]) -> None:
    users = range(2001, 2011)
    made = await rig.tweets.create(media_tags=map(str, users), **photo)
    await asyncio.gather(*(untag(rig.tweets, made.tweet_id, user) for user in users))
    assert tags_of(await rig.tweets.get(made.tweet_id)) == []
    assert [await mentions(rig.tweets, user) for user in users] == [[]] * 10


async def test_whom_the_text_mentions_stays_mentioned(rig: MediaRig, photo: dict[str, Any]) -> None:
    made = await rig.tweets.create(status="with @bob", media_tags=["bob"], **photo)
    await untag(rig.tweets, made.tweet_id, BOB, user_id="me")
    shown = await rig.tweets.get(made.tweet_id)
    assert (tags_of(shown), len(shown.entities.user_mentions)) == ([], 1)
    assert await mentions(rig.tweets, BOB) == [made.tweet_id]
    ((payload,),) = await rig.tweets.sql(
        "SELECT payload FROM events WHERE kind = 'MediaTagRemoved'"
    )
    assert payload_pb2.MediaTagRemoved.FromString(payload).mentioned


async def test_a_deleted_tweet_takes_its_tags_along(rig: MediaRig, photo: dict[str, Any]) -> None:
    made = await rig.tweets.create(media_tags=["bob"], **photo)
    await rig.tweets.delete(made.tweet_id)
    assert await mentions(rig.tweets, BOB) == []
    with pytest.raises(Refused) as caught:
        await untag(rig.tweets, made.tweet_id, BOB)
    assert caught.value.reason == "TWEET_NOT_FOUND"


@pytest.mark.parametrize(
    ("tags", "reason", "metadata"),
    [
        ([str(n) for n in range(1, 12)], "MEDIA_TAG_LIMIT", {"count": "11", "maximum": "10"}),
        (["bob", "@nobody"], "USER_NOT_FOUND", {"user": "@nobody"}),
        (["4711"], "USER_NOT_FOUND", {"user": "4711"}),
        (["@4711"], "USER_NOT_FOUND", {"user": "@4711"}),
        (["-1"], "USER_NOT_FOUND", {"user": "-1"}),
        (["0"], "USER_NOT_FOUND", {"user": "0"}),
        (["9" * 19], "USER_NOT_FOUND", {"user": "9" * 19}),
        (["no such"], "USER_NOT_FOUND", {"user": "no such"}),
        (["b\u00f6b"], "USER_NOT_FOUND", {"user": "b\u00f6b"}),
        (["x" * 300], "USER_NOT_FOUND", {"user": "x" * 64}),
    ],
)
async def test_bad_tags(
    rig: MediaRig,
    known: tuple[Tweets, GraphServicer],
    photo: dict[str, Any],
    tags: list[str],
    reason: str,
    metadata: dict[str, str],
) -> None:
    known[1]._gone = {4711}
    with pytest.raises(Refused) as caught:
        await rig.tweets.create(status="x", media_tags=tags, **photo)
    assert (caught.value.reason, caught.value.fields) == (reason, ["media_tags"])
    assert caught.value.metadata.items() >= metadata.items()
    assert await rig.tweets.sql("SELECT tweet_id FROM tweets") == []


async def test_tags_need_a_photo(rig: MediaRig) -> None:
    film = await rig.upload(samples.mp4())
    without: tuple[dict[str, Any], ...] = ({}, {"media_ids": ids(film)})
    for fields in without:
        with pytest.raises(Refused) as caught:
            await rig.tweets.create(status="x", media_tags=["bob"], **fields)
        assert (caught.value.reason, caught.value.fields) == (
            "MEDIA_TAG_NEEDS_PHOTO",
            ["media_tags"],
        )


async def test_ten_tags_are_enough_and_none_is_none(rig: MediaRig, photo: dict[str, Any]) -> None:
    ten = [str(n) for n in range(2001, 2011)]
    made = await rig.tweets.create(media_tags=[*ten, ten[0]], **photo)
    assert [str(user) for user, _ in tags_of(made)] == ten
    assert tags_of(await rig.tweets.create(status="x", media_tags=["", " "])) == []


async def test_without_graph_nobody_is_tagged(
    rig: MediaRig, known: tuple[Tweets, GraphServicer], photo: dict[str, Any]
) -> None:
    """Posts without tags go on; one with tags can be sent again."""
    known[1]._away = True
    with pytest.raises(Refused) as caught:
        await rig.tweets.create(media_tags=["2001"], key="k", **photo)
    assert caught.value.reason == "UNAVAILABLE"
    assert tags_of(await rig.tweets.create(**photo)) == []
    known[1]._away = False
    made = await rig.tweets.create(media_tags=["2001"], key="k", **photo)
    assert tags_of(made) == [(2001, "u2001")]


async def test_a_tag_is_its_users(rig: MediaRig, photo: dict[str, Any]) -> None:
    """API1: not even the author takes off what is another's; strangers change nothing."""
    made = await rig.tweets.create(media_tags=["bob"], **photo)
    with pytest.raises(Refused) as caught:
        await untag(rig.tweets, made.tweet_id, ALICE, user_id=str(BOB))
    assert caught.value.reason == "ACTING_FOR_OTHER_USER"
    await untag(rig.tweets, made.tweet_id, CAROL)
    with pytest.raises(Refused) as caught:
        await untag(rig.tweets, 4711, BOB)
    assert caught.value.reason == "TWEET_NOT_FOUND"
    assert tags_of(await rig.tweets.get(made.tweet_id)) == [(BOB, "bob")]
    assert await rig.tweets.sql("SELECT 1 FROM events WHERE kind = 'MediaTagRemoved'") == []
