"""User and mention timelines: filters, paging, and what a viewer may not see."""

from typing import Any

import pytest

from aviary.graph.v1.visibility_pb2 import SURFACE_CONVERSATION, SURFACE_USER_TIMELINE
from aviary.timeline.v1 import timeline_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.errors import InvalidFieldError, PageTokenError, UnauthenticatedError
from services.chassis.visibility import UserNotFoundError, UserNotVisibleError

from .rig import Rig, call_by
from .world import World

VIEWER, AUTHOR, OTHER, CLOSED = 10, 20, 30, 40


async def own(rig: Rig, caller: int = 0, **fields: Any) -> pb.GetUserTimelineResponse:
    request = pb.GetUserTimelineRequest(**{"user_id": str(AUTHOR), **fields})
    raw = await rig.servicer.get_user_timeline(request, call_by(caller))
    return pb.GetUserTimelineResponse.FromString(raw)


async def mentions(rig: Rig, caller: int = 0, **fields: Any) -> pb.GetMentionTimelineResponse:
    request = pb.GetMentionTimelineRequest(**{"user_id": str(AUTHOR), **fields})
    raw = await rig.servicer.get_mention_timeline(request, call_by(caller))
    return pb.GetMentionTimelineResponse.FromString(raw)


def mention(world: World, author: int, user: int = AUTHOR) -> Tweet:
    tweet = world.post(author)
    tweet.entities.user_mentions.add(user_id=user, user_name=f"u{user}")
    return tweet


def ids(page: pb.GetUserTimelineResponse | pb.GetMentionTimelineResponse) -> list[int]:
    return [tweet.tweet_id for tweet in page.tweets]


@pytest.fixture(autouse=True)
def kinds(world: World) -> dict[str, int]:
    """One tweet of each kind, oldest first."""
    world.user(VIEWER)
    plain = world.post(AUTHOR)
    reply = world.post(AUTHOR, in_reply_to_tweet_id=plain.tweet_id, in_reply_to_user_id=AUTHOR)
    retweet = world.post(AUTHOR, retweeted_status=world.post(OTHER))
    media = world.post(AUTHOR, media=[{"media_id": 1}])
    made = {"plain": plain, "reply": reply, "retweet": retweet, "media": media}
    return {kind: tweet.tweet_id for kind, tweet in made.items()}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "media retweet reply plain"),
        ({"include_replies": True, "include_retweets": True}, "media retweet reply plain"),
        ({"include_replies": False}, "media retweet plain"),
        ({"include_retweets": False}, "media reply plain"),
        ({"include_replies": False, "include_retweets": False}, "media plain"),
        ({"only_media": True}, "media"),
    ],
    ids=str,
)
async def test_filters_reach_the_tweet_service(
    rig: Rig, kinds: dict[str, int], fields: dict[str, Any], expected: str
) -> None:
    wanted = [kinds[kind] for kind in expected.split()]
    found, token = [], ""
    while True:
        page = await own(rig, page_size=1, page_token=token, **fields)
        found += ids(page)
        token = page.next_page_token
        if not token:
            break
    assert found == wanted
    first = await own(rig, page_size=1)
    if fields and not all(fields.values()):
        with pytest.raises(PageTokenError):
            await own(rig, page_token=first.next_page_token, **fields)


async def test_an_empty_page_that_is_not_the_last_keeps_its_token(rig: Rig, world: World) -> None:
    world.first_pages_empty = True
    page = await own(rig, page_size=2)
    assert (ids(page), list(page.users), bool(page.next_page_token)) == ([], [], True)
    assert len(ids(await own(rig, page_size=2, page_token=page.next_page_token))) == 2


@pytest.mark.parametrize(
    ("blocks", "rule"),
    [((AUTHOR, VIEWER), "BLOCKED_BY_AUTHOR"), ((VIEWER, AUTHOR), "AUTHOR_BLOCKED")],
)
async def test_a_block_closes_the_timeline(
    rig: Rig, world: World, blocks: tuple[int, int], rule: str
) -> None:
    world.blocks.add(blocks)
    with pytest.raises(UserNotVisibleError) as refused:
        await own(rig, VIEWER)
    assert refused.value.metadata == {"user_id": str(AUTHOR), "rule": rule}
    assert world.calls["list"] == 0
    assert ids(await own(rig)), "others may"
    assert ids(await own(rig, AUTHOR))
    assert world.surfaces == {SURFACE_USER_TIMELINE}


async def test_a_protected_timeline_is_for_followers(rig: Rig, world: World) -> None:
    world.protected.add(AUTHOR)
    for caller in (0, VIEWER):
        with pytest.raises(UserNotVisibleError) as refused:
            await own(rig, caller)
        assert refused.value.metadata["rule"] == "AUTHOR_PROTECTED"
    world.follow(VIEWER, AUTHOR)
    assert len(ids(await own(rig, VIEWER))) == 4
    assert len(ids(await own(rig, AUTHOR, user_id="me"))) == 4


async def test_retweets_of_hidden_originals_are_left_out(
    rig: Rig, world: World, kinds: dict[str, int]
) -> None:
    world.protected.add(CLOSED)
    hidden = world.post(AUTHOR, retweeted_status=world.post(CLOSED)).tweet_id
    page = await own(rig, VIEWER)
    assert ids(page) == [kinds[kind] for kind in ("media", "retweet", "reply", "plain")]
    assert sorted(user.user_id for user in page.users) == [AUTHOR, OTHER]
    world.follow(VIEWER, CLOSED)
    assert ids(await own(rig, VIEWER))[0] == hidden
    world.blocks.add((OTHER, VIEWER))
    assert kinds["retweet"] not in ids(await own(rig, VIEWER))
    assert kinds["retweet"] in ids(await own(rig))


async def test_a_page_of_nothing_but_hidden_ones_goes_on(rig: Rig, world: World) -> None:
    world.protected.add(CLOSED)
    for _ in range(2):
        world.post(AUTHOR, retweeted_status=world.post(CLOSED))
    page = await own(rig, page_size=2)
    assert (ids(page), bool(page.next_page_token)) == ([], True)
    assert len(ids(await own(rig, page_size=10, page_token=page.next_page_token))) == 4


async def test_a_plain_page_asks_about_its_owner_only(rig: Rig, world: World) -> None:
    await own(rig, VIEWER, include_retweets=False)
    assert world.calls["visibility"] == 1
    await own(rig, AUTHOR, include_retweets=False)
    assert world.calls["visibility"] == 1, "one's own is not asked about"


async def test_mentions_with_their_writers(rig: Rig, world: World) -> None:
    first, second = mention(world, OTHER), mention(world, VIEWER)
    mention(world, OTHER, VIEWER)
    page = await mentions(rig)
    assert ids(page) == [second.tweet_id, first.tweet_id]
    assert page.tweets[0] == second
    assert [user.user_id for user in page.users] == [VIEWER, OTHER]
    assert page.HasField("viewer")
    assert page.next_page_token == ""
    assert ids(await mentions(rig, AUTHOR, user_id="me")) == ids(page)
    assert world.surfaces == {SURFACE_CONVERSATION}


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_mentions_are_walked(rig: Rig, world: World, size: int) -> None:
    truth = [mention(world, OTHER).tweet_id for _ in range(10)][::-1]
    found, token = [], ""
    while True:
        page = await mentions(rig, page_size=size, page_token=token)
        found += ids(page)
        token = page.next_page_token
        if not token:
            break
    assert found == truth
    bounds: dict[str, Any] = {"since_id": truth[7], "max_id": truth[2]}
    assert ids(await mentions(rig, **bounds)) == truth[2:7]
    token = (await mentions(rig, page_size=1)).next_page_token
    with pytest.raises(PageTokenError):
        await mentions(rig, page_token=token, **bounds)
    with pytest.raises(PageTokenError):
        await own(rig, page_token=token)


async def test_mentions_by_those_who_are_hidden_are_left_out(rig: Rig, world: World) -> None:
    shown, muted = mention(world, OTHER).tweet_id, mention(world, 50).tweet_id
    closed, blocker = mention(world, CLOSED).tweet_id, mention(world, 60).tweet_id
    world.protected.add(CLOSED)
    world.hidden.add((VIEWER, 50))
    world.blocks.add((60, VIEWER))
    assert ids(await mentions(rig, VIEWER)) == [shown]
    world.follow(VIEWER, CLOSED)
    page = await mentions(rig, VIEWER)
    assert ids(page) == [closed, shown]
    assert sorted(user.user_id for user in page.users) == [OTHER, CLOSED]
    assert ids(await mentions(rig, OTHER)) == [blocker, muted, shown]


async def test_bad_requests_for_mentions(rig: Rig) -> None:
    cases: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"user_id": "999"}, UserNotFoundError),
        ({"user_id": "x"}, InvalidFieldError),
        ({"user_id": "me"}, UnauthenticatedError),
        ({"since_id": -1}, InvalidFieldError),
        ({"page_token": "nonsense"}, PageTokenError),
    ]
    for fields, error in cases:
        with pytest.raises(error):
            await mentions(rig, **fields)
