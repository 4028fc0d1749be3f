"""The Graph service in this process, on real stores, and short ways to use it."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from aviary.events.v1 import payload_pb2
from aviary.graph.v1 import follow_pb2, user_pb2, visibility_pb2
from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.call import Call, Caller
from services.chassis.config import Settings
from services.chassis.errors import ServiceError
from services.chassis.server import Runtime
from services.chassis.stores import Pool, Redis, open_pool, open_redis
from services.graph.main import compose
from services.graph.servicer.graph import DESCRIPTOR, GraphServicer

PASSWORD = "correct horse"
LISTS: dict[str, tuple[Callable[..., Any], str]] = {
    "followers": (pb.ListFollowersRequest, "list_followers"),
    "following": (pb.ListFollowingRequest, "list_following"),
    "requests": (pb.ListFollowRequestsRequest, "list_follow_requests"),
    "blocks": (pb.ListBlocksRequest, "list_blocks"),
    "mutes": (pb.ListMutesRequest, "list_mutes"),
}
"""By short name: the class of the request and the method."""


@dataclass
class World:
    """The servicer, and direct ways to its stores for looking behind it."""

    graph: GraphServicer
    registry: CollectorRegistry
    pool: Pool
    redis: Redis

    async def sign_up(self, name: str, password: str = PASSWORD) -> user_pb2.User:
        request = pb.CreateUserRequest(user_name=name, password=password)
        raw = await self.graph.create_user(request, call())
        return pb.CreateUserResponse.FromString(raw).user

    async def users(self, *names: str) -> list[int]:
        """Users without passwords: quick to make."""
        async for reply in self.graph.import_users(
            stream([pb.ImportUsersRequest(user_names=names)]), call()
        ):
            return list(reply.user_ids)
        raise AssertionError

    async def follow(
        self, user_id: int, target: int, notify: bool | None = None
    ) -> pb.FollowResponse:
        request = pb.FollowRequest(target_user_id=target, notify=notify)
        return await self.graph.follow(request, call(user_id))

    async def unfollow(self, user_id: int, target: int) -> None:
        await self.graph.unfollow(pb.UnfollowRequest(target_user_id=target), call(user_id))

    async def update_follow(self, user_id: int, target: int, *, show_retweets: bool) -> None:
        request = pb.UpdateFollowRequest(target_user_id=target, show_retweets=show_retweets)
        await self.graph.update_follow(request, call(user_id))

    async def protect(self, user_id: int, *, protected: bool = True) -> user_pb2.User:
        request = pb.UpdateUserRequest(protected=protected)
        return (await self.graph.update_user(request, call(user_id))).user

    async def accept(self, user_id: int, requester: int) -> follow_pb2.Follow:
        request = pb.AcceptFollowRequestRequest(requester_user_id=requester)
        return (await self.graph.accept_follow_request(request, call(user_id))).follow

    async def reject(self, user_id: int, requester: int) -> None:
        request = pb.RejectFollowRequestRequest(requester_user_id=requester)
        await self.graph.reject_follow_request(request, call(user_id))

    async def block(self, user_id: int, target: int) -> None:
        await self.graph.block(pb.BlockRequest(target_user_id=target), call(user_id))

    async def unblock(self, user_id: int, target: int) -> None:
        await self.graph.unblock(pb.UnblockRequest(target_user_id=target), call(user_id))

    async def mute(self, user_id: int, target: int, **fields: Any) -> visibility_pb2.Mute:
        request = pb.MuteRequest(target_user_id=target, **fields)
        return (await self.graph.mute(request, call(user_id))).mute

    async def unmute(self, user_id: int, target: int) -> None:
        await self.graph.unmute(pb.UnmuteRequest(target_user_id=target), call(user_id))

    async def import_follows(self, pairs: Iterable[tuple[int, int]]) -> int:
        requests = [pb.ImportFollowsRequest(pairs=pack_pairs(pairs))]
        async for reply in self.graph.import_follows(stream(requests), call()):
            return reply.created_count
        raise AssertionError

    async def get(self, user_id: int) -> user_pb2.User:
        request = pb.GetUserRequest(user_id=str(user_id))
        return (await self.graph.get_user(request, call())).user

    async def batch(self, *user_ids: int) -> list[user_pb2.User]:
        raw = await self.graph.batch_get_users(pb.BatchGetUsersRequest(user_ids=user_ids), call())
        return list(pb.BatchGetUsersResponse.FromString(raw).users)

    async def follower_ids(self, *user_ids: int) -> dict[int, list[int]]:
        request = pb.BatchGetFollowerIdsRequest(
            queries=[pb.FollowerIdsQuery(user_id=user_id) for user_id in user_ids]
        )
        reply = await self.graph.batch_get_follower_ids(request, call())
        return {result.user_id: unpack(result.follower_ids) for result in reply.results}

    async def page(
        self, name: str, user_id: int, size: int, token: str = ""
    ) -> tuple[list[int], str]:
        """A page of a list, read by its owner: ids and the next token."""
        request_class, method = LISTS[name]
        request = request_class(user_id=str(user_id), page_size=size, page_token=token)
        raw = await getattr(self.graph, method)(request, call(user_id))
        if isinstance(raw, pb.ListMutesResponse):
            return [mute.user.user_id for mute in raw.mutes], raw.next_page_token
        reply = pb.ListFollowersResponse.FromString(raw)
        return [user.user_id for user in reply.users], reply.next_page_token

    async def whole(self, name: str, user_id: int, size: int = 100) -> list[int]:
        """A list, page by page to its end."""
        found: list[int] = []
        token = ""
        while True:
            page, token = await self.page(name, user_id, size, token)
            found += page
            if not token:
                return found

    async def events(self) -> list[tuple[str, int, int]]:
        """What happened between users, in order: kind and the two ids."""
        rows = await self.sql("SELECT kind, payload FROM events ORDER BY xid, seq")
        return [
            (kind, payload.user_id, payload.target_user_id)
            for kind, payload in ((k, payload_pb2.UserFollowed.FromString(p)) for k, p in rows)
            if kind not in ("UserCreated", "UserUpdated")
        ]

    async def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            rows = await connection.execute(statement.encode(), values)
            return await rows.fetchall() if rows.description else []

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def call(user_id: int = 0, *scopes: str, **headers: str) -> Call:
    made = Call(
        "/aviary.graph.v1.GraphService/Test",
        {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()},
        None,
    )
    made.caller = Caller(user_id, frozenset(scopes))
    return made


async def stream(items: Sequence[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


def pack_pairs(pairs: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack(">qq", *pair) for pair in pairs)


def unpack(packed: bytes) -> list[int]:
    return [i for (i,) in struct.iter_unpack(">q", packed)]


@contextlib.contextmanager
def refused(reason: str, **metadata: str) -> Iterator[None]:
    """What is called inside is refused for this reason, with at least this metadata."""
    with pytest.raises(ServiceError) as caught:
        yield
    assert caught.value.reason == reason
    assert metadata.items() <= caught.value.metadata.items()


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[World]:
    """A replica's inside, composed as in production."""
    runtime = Runtime("graph", settings, CollectorRegistry(), asyncio.Event())
    async with (
        compose(runtime) as service,
        open_pool(settings.graph_dsn, size=2, name="test") as pool,
        open_redis(settings.redis_url) as redis,
    ):
        graph = service.servicers[DESCRIPTOR]
        assert isinstance(graph, GraphServicer)
        yield World(graph, runtime.registry, pool, redis)
