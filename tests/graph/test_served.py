"""The service behind a real server, by its own client."""

import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
import pytest

from aviary.graph.v1 import follow_pb2
from aviary.graph.v1.visibility_pb2 import SURFACE_HOME_TIMELINE, SURFACE_SEARCH
from aviary.timeline.v1 import timeline_service_pb2
from clients.context import Origin, current
from clients.errors import PeerError
from clients.graph import GraphClient
from clients.relations import Subject
from services.chassis.config import Settings
from services.chassis.hosts.grpcio import listen
from services.chassis.server import open_server
from services.graph.main import compose
from tests.ports import free_port

from .world import PASSWORD, stream

SERVICE = "/aviary.graph.v1.GraphService"


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[GraphClient]:
    address = f"127.0.0.1:{free_port()}"
    async with open_server("graph", compose, settings) as server:
        listener = await listen(server, address)
        async with GraphClient(address) as client:
            yield client
        server.drain()
        await listener.stop(1.0)


def act_as(user_id: int) -> None:
    current.set(Origin(metadata=(("x-aviary-user-id", str(user_id)),)))


async def test_the_whole_facade(client: GraphClient) -> None:
    ada = await client.create_user("ada", PASSWORD, display_name="Ada", request_id="r1")
    assert await client.create_user("ada", PASSWORD, display_name="Ada", request_id="r1") == ada
    assert await client.lookup("ADA") == ada
    session = await client.create_session("ada", PASSWORD)
    assert (await client.refresh_session(session.refresh_token)).user == ada
    replies = client.import_users(stream([[f"u{n}" for n in range(130)]]))
    ids = [i async for reply in replies for i in reply.user_ids]
    pairs = b"".join(struct.pack(">qq", i, ada.user_id) for i in ids)
    created = [r.created_count async for r in client.import_follows(stream([pairs]))]
    assert created == [130]
    act_as(ada.user_id)
    follow = (await client.follow(ids[3])).follow
    assert (follow.user_id, follow.target_user_id) == (ada.user_id, ids[3])
    assert (await client.get_user()).followers_count == 130
    assert [u.user_id async for u in client.followers(page_size=50)] == ids[::-1]
    assert [u.user_name async for u in client.following()] == ["u3"]
    assert await client.following_ids(ada.user_id) == struct.pack(">q", ids[3])
    lists = await client.follower_pages(dict.fromkeys([ada.user_id, ids[3], ids[4]], 0))
    assert lists[ada.user_id] == (struct.pack(">130q", *sorted(ids)), 130, 0)
    assert lists[ids[3]].follower_ids == struct.pack(">q", ada.user_id)
    assert lists[ids[4]] == (b"", 0, 0)
    counted = await client.follower_pages({ada.user_id: 0}, maximum_followers_count=100)
    assert counted == {ada.user_id: (b"", 130, 0)}
    await client.unfollow(ids[3])
    assert [u async for u in client.following()] == []
    await client.delete_session(session.session_id)


async def test_relations_by_their_facade(client: GraphClient) -> None:
    replies = client.import_users(stream([["ada", "bob", "eve", "cat"]]))
    ada, bob, eve, cat = [i async for reply in replies for i in reply.user_ids]
    act_as(bob)
    await client.follow(cat)
    act_as(ada)
    assert (await client.set_protected(protected=True)).protected
    await client.follow(bob)
    assert not (await client.update_follow(bob, show_retweets=False)).follow.show_retweets
    act_as(bob)
    assert (await client.follow(ada)).follow.state == follow_pb2.FOLLOW_STATE_REQUESTED
    act_as(ada)
    assert [u.user_id async for u in client.follow_requests(page_size=1)] == [bob]
    await client.reject(eve)
    assert (await client.accept(bob)).follow.state == follow_pb2.FOLLOW_STATE_FOLLOWING
    until = datetime(2100, 1, 1, tzinfo=UTC)
    mute = await client.mute(bob, surfaces=[SURFACE_SEARCH], expire_time=until)
    assert mute.expire_time.ToDatetime(UTC) == until
    await client.block(eve)
    assert [u.user_id async for u in client.blocks()] == [eve]
    assert [m.user.user_id async for m in client.mutes()] == [bob]
    found = await client.viewer_rules(
        [ada, bob, *range(1, 130)], surface=SURFACE_SEARCH, mutual=True
    )
    assert len(found) == 131
    assert found[ada].hidden_ids == struct.pack(">2q", *sorted([bob, eve]))
    assert found[ada].following_ids == found[ada].mutual_ids == struct.pack(">q", bob)
    assert found[ada].expire_time == mute.expire_time
    home = (await client.viewer_rules([ada], surface=SURFACE_HOME_TIMELINE))[ada]
    assert home.hidden_retweeter_ids == struct.pack(">q", bob)
    subjects = [Subject(author_user_id=ada), Subject(author_user_id=bob)] * 700
    verdicts = await client.check_visibility(eve, SURFACE_SEARCH, subjects)
    assert [verdict.visible for verdict in verdicts] == [False, True] * 700
    (suggestion,) = (await client.suggestions(page_size=5)).suggestions
    assert (suggestion.user.user_id, suggestion.reason) == (cat, "followed by bob")
    await client.dismiss_suggestion(cat)
    assert not (await client.suggestions()).suggestions
    await client.unmute(bob)
    await client.unblock(eve)
    assert [m async for m in client.mutes()] == [u async for u in client.blocks()] == []


async def test_users_are_spliced_into_another_message(client: GraphClient) -> None:
    replies = client.import_users(stream([[f"u{n}" for n in range(230)]]))
    ids = [i async for reply in replies for i in reply.user_ids]
    assert [u.user_id for u in await client.get_users([*ids, 77, ids[0]])] == ids
    raw = await client.batch_get_users_raw(ids[:5], field=2)
    page = timeline_service_pb2.GetHomeTimelineResponse.FromString(b"".join(raw.values()))
    assert [user.user_id for user in page.users] == ids[:5] == list(raw)
    assert [user.user_name for user in page.users] == ["u0", "u1", "u2", "u3", "u4"]


async def test_errors_carry_their_reason(client: GraphClient) -> None:
    with pytest.raises(PeerError) as caught:
        await client.lookup("nobody")
    assert (caught.value.reason, caught.value.code) == (
        "USER_NOT_FOUND",
        grpc.StatusCode.NOT_FOUND,
    )
    (ada,) = [i async for r in client.import_users(stream([["ada"]])) for i in r.user_ids]
    act_as(ada)
    with pytest.raises(PeerError) as caught:
        await client.follow(ada)
    assert (caught.value.reason, caught.value.code) == (
        "SELF_FOLLOW",
        grpc.StatusCode.INVALID_ARGUMENT,
    )
    assert [field for field, _ in caught.value.violations] == ["target_user_id"]
    with pytest.raises(PeerError) as caught:
        await client.create_user("ADA", PASSWORD)
    assert (caught.value.reason, caught.value.code) == (
        "USER_NAME_TAKEN",
        grpc.StatusCode.ALREADY_EXISTS,
    )


async def test_followers_come_page_by_page(client: GraphClient) -> None:
    replies = client.import_users(stream([[f"u{n}" for n in range(30)]]))
    ids = [i async for reply in replies for i in reply.user_ids]
    pairs = b"".join(struct.pack(">qq", i, ids[0]) for i in ids[1:])
    pairs += struct.pack(">qq", ids[0], ids[1])
    assert [r.created_count async for r in client.import_follows(stream([pairs]))] == [30]
    found: dict[int, list[int]] = {ids[0]: [], ids[1]: [], 77: []}
    waiting, counts = dict.fromkeys(found, 0), {ids[0]: 29, ids[1]: 1, 77: 0}
    while waiting:
        pages = await client.follower_pages(waiting, limit=7)
        assert pages.keys() == waiting.keys()
        assert {user: page.followers_count for user, page in pages.items()} == {
            user: counts[user] for user in waiting
        }
        for user, page in pages.items():
            found[user] += struct.unpack(f">{len(page.follower_ids) // 8}q", page.follower_ids)
        waiting = {u: p.next_after_user_id for u, p in pages.items() if p.next_after_user_id}
    assert found == {ids[0]: sorted(ids[1:]), ids[1]: [ids[0]], 77: []}
    counted = await client.follower_pages({ids[0]: 0}, limit=1, maximum_followers_count=1)
    assert counted == {ids[0]: (b"", 29, 0)}
