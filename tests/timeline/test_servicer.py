"""Requests and answers, bad ones too, in process and over gRPC."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from aviary.timeline.v1 import timeline_service_pb2 as pb
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.errors import PeerError
from clients.timeline import TimelineClient
from services.chassis.call import Caller
from services.chassis.errors import (
    ActingForOtherUserError,
    InvalidFieldError,
    NegativePageSizeError,
    PageTokenError,
    ServiceError,
    UnauthenticatedError,
)
from services.chassis.guard import Gate
from services.chassis.handlers import build_table
from services.chassis.hosts.grpcio import TableHandler
from services.chassis.policy import Policy
from services.chassis.telemetry import RpcMetrics
from services.chassis.visibility import UserNotFoundError
from services.timeline.servicer.timeline import DESCRIPTOR
from tests.ports import free_port

from .rig import Rig, call_by
from .world import World

VIEWER, AUTHOR = 10, 20


@pytest.fixture(autouse=True)
def tweets(world: World) -> list[Tweet]:
    world.follow(VIEWER, AUTHOR)
    return [world.post(AUTHOR) for _ in range(50)]


async def user_page(rig: Rig, caller: int = 0, **fields: Any) -> pb.GetUserTimelineResponse:
    request = pb.GetUserTimelineRequest(**fields)
    raw = await rig.servicer.get_user_timeline(request, call_by(caller))
    return pb.GetUserTimelineResponse.FromString(raw)


async def test_a_page_holds_tweets_authors_viewer_and_token(rig: Rig, world: World) -> None:
    original = world.post(30)
    retweet = world.post(AUTHOR, retweeted_status=original)
    page = await rig.home(VIEWER, page_size=3)
    assert page.tweets[0] == retweet
    assert page.tweets[1].status
    assert sorted(user.user_id for user in page.users) == [AUTHOR, 30]
    assert page.HasField("viewer")
    assert page.next_page_token


async def test_me_and_nothing_and_the_own_id_are_the_caller(rig: Rig) -> None:
    pages = [await rig.home(VIEWER, user_id=name) for name in ("", "me", str(VIEWER))]
    assert pages[0] == pages[1] == pages[2]
    assert len(pages[0].tweets) == 20


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"user_id": "11"}, ActingForOtherUserError),
        ({"user_id": "x"}, InvalidFieldError),
        ({"page_size": -1}, NegativePageSizeError),
        ({"page_token": "nonsense"}, PageTokenError),
        ({"since_id": -1}, InvalidFieldError),
        ({"max_id": -1}, InvalidFieldError),
        ({"ranking": "best"}, InvalidFieldError),
    ],
)
async def test_bad_requests(rig: Rig, fields: dict[str, Any], error: type[ServiceError]) -> None:
    with pytest.raises(error):
        await rig.home(VIEWER, **fields)


async def test_a_home_timeline_needs_a_caller(rig: Rig) -> None:
    with pytest.raises(UnauthenticatedError):
        await rig.home(0)


async def test_large_pages_are_cut(rig: Rig, world: World) -> None:
    for _ in range(100):
        world.post(AUTHOR)
    assert len((await rig.home(VIEWER, page_size=1000)).tweets) == 100
    assert len((await user_page(rig, user_id=str(AUTHOR), page_size=1000)).tweets) == 100


async def test_a_token_is_bound_to_its_call(rig: Rig, world: World) -> None:
    world.follow(11, AUTHOR)
    token = (await rig.home(VIEWER, page_size=5)).next_page_token
    assert (await rig.home(VIEWER, page_size=7, page_token=token)).tweets
    other_calls: list[Callable[[], Awaitable[object]]] = [
        lambda: rig.home(11, page_token=token),
        lambda: rig.home(VIEWER, page_token=token, since_id=1),
        lambda: rig.home(VIEWER, page_token=token, max_id=1 << 62),
        lambda: rig.home(VIEWER, page_token=token, include_replies="none"),
        lambda: user_page(rig, user_id=str(VIEWER), page_token=token),
    ]
    for call in other_calls:
        with pytest.raises(PageTokenError):
            await call()


@pytest.mark.parametrize("size", [1, 7, 50, 100])
async def test_user_timelines_are_walked_by_anybody(
    rig: Rig, tweets: list[Tweet], size: int
) -> None:
    found, token = [], ""
    while True:
        page = await user_page(rig, user_id=str(AUTHOR), page_size=size, page_token=token)
        assert [user.user_id for user in page.users] == [AUTHOR]
        found += [tweet.tweet_id for tweet in page.tweets]
        token = page.next_page_token
        if not token:
            break
    assert found == [tweet.tweet_id for tweet in reversed(tweets)]


async def test_user_timelines_have_bounds(rig: Rig, tweets: list[Tweet]) -> None:
    ids = [tweet.tweet_id for tweet in reversed(tweets)]
    page = await user_page(rig, user_id=str(AUTHOR), since_id=ids[9], max_id=ids[2])
    assert [tweet.tweet_id for tweet in page.tweets] == ids[2:9]
    assert page.next_page_token == ""
    assert not (await user_page(rig, VIEWER)).tweets
    with pytest.raises(UserNotFoundError):
        await user_page(rig, user_id="999")
    with pytest.raises(UnauthenticatedError):
        await user_page(rig)


async def test_over_grpc(rig: Rig, tweets: list[Tweet]) -> None:
    """Through the policy, the wrapper and grpcio, with the project's own client."""
    metrics = RpcMetrics(CollectorRegistry())
    table = build_table(
        {DESCRIPTOR: rig.servicer}, policy=Policy.load(), metrics=metrics, gate=Gate(100)
    )
    port = free_port()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((TableHandler(table),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    metadata = (("x-aviary-user-id", str(VIEWER)),)
    try:
        async with TimelineClient(f"127.0.0.1:{port}") as client:
            home = client.unary(
                f"/{DESCRIPTOR.full_name}/GetHomeTimeline", pb.GetHomeTimelineResponse
            )
            page = await home(pb.GetHomeTimelineRequest(), metadata=metadata)
            assert [t.tweet_id for t in page.tweets] == [t.tweet_id for t in tweets[:-21:-1]]
            assert (await client.user(str(AUTHOR), page_size=1)).tweets[0] == tweets[-1]
            for call, reason in (
                (client.home(), "UNAUTHENTICATED"),
                (client.user("999"), "USER_NOT_FOUND"),
                (client.rebuild(VIEWER), "UNAUTHENTICATED"),
            ):
                with pytest.raises(PeerError) as caught:
                    await call
                assert caught.value.reason == reason
    finally:
        await server.stop(1)


async def test_operators_rebuild(rig: Rig) -> None:
    call = call_by(1)
    call.caller = Caller(user_id=1, scopes=frozenset({"operator"}))
    request = pb.RebuildHomeTimelineRequest(user_id=VIEWER)
    reply = await rig.servicer.rebuild_home_timeline(request, call)
    assert (reply.user_id, reply.entry_count) == (VIEWER, 50)
    with pytest.raises(UserNotFoundError):
        await rig.servicer.rebuild_home_timeline(pb.RebuildHomeTimelineRequest(user_id=999), call)
