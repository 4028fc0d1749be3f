"""The Tweet service in this process, called through its handler table as a host would."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from prometheus_client import CollectorRegistry

from aviary.tweet.v1 import tweet_pb2
from aviary.tweet.v1 import tweet_service_pb2 as pb
from services.chassis.call import EDGE, SCOPES, USER_ID, Call
from services.chassis.config import Settings
from services.chassis.server import Runtime, Server, Service, open_server
from services.chassis.status import Failure
from services.local.keys import ensure_keys
from services.tweet.main import compose
from services.tweet.servicer.tweet import DESCRIPTOR

PATH = f"/{DESCRIPTOR.full_name}/"
ALICE, BOB = 1001, 1002


class Refused(Exception):  # noqa: N818
    """How a call failed, unpacked."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.code = failure.code
        status = status_pb2.Status.FromString(failure.details)
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        self.fields: list[str] = []
        for detail in status.details:
            if detail.Unpack(info):
                self.reason, self.metadata = info.reason, dict(info.metadata)
            elif detail.Unpack(bad):
                self.fields = [violation.field for violation in bad.field_violations]


class Tweets:
    """Calls of one running service."""

    def __init__(self, server: Server, dsn: str, registry: CollectorRegistry) -> None:
        self.server = server
        self.dsn = dsn
        self.registry = registry

    async def call(
        self,
        method: str,
        request: Message,
        *,
        user: int = 0,
        key: str = "",
        edge: bool = False,
        operator: bool = False,
    ) -> tuple[bytes, Call]:
        headers = {USER_ID: str(user).encode()} if user else {}
        if operator:
            headers[SCOPES] = b"operator"
        if edge:
            headers[EDGE] = b"1"
        if key:
            headers[b"idempotency-key"] = key.encode()
        call = Call(PATH + method, headers, None)
        serve = self.server.table[PATH + method].unary
        assert serve is not None
        try:
            return await serve(request.SerializeToString(), call), call
        except Failure as failure:
            raise Refused(failure) from None

    async def create(
        self, *, user: int = ALICE, key: str = "", **fields: Any
    ) -> pb.CreateTweetResponse:
        raw, _ = await self.call("CreateTweet", pb.CreateTweetRequest(**fields), user=user, key=key)
        return pb.CreateTweetResponse.FromString(raw)

    async def get(self, tweet_id: int, *, user: int = 0, edge: bool = False) -> pb.GetTweetResponse:
        request = pb.GetTweetRequest(tweet_id=tweet_id)
        raw, _ = await self.call("GetTweet", request, user=user, edge=edge)
        return pb.GetTweetResponse.FromString(raw)

    async def batch_get(
        self, tweet_ids: Iterable[int], *, user: int = 0, edge: bool = False
    ) -> list[tweet_pb2.Tweet]:
        request = pb.BatchGetTweetsRequest(tweet_ids=tweet_ids)
        raw, _ = await self.call("BatchGetTweets", request, user=user, edge=edge)
        return list(pb.BatchGetTweetsResponse.FromString(raw).tweets)

    async def delete(self, tweet_id: int, *, user: int = ALICE) -> None:
        await self.call("DeleteTweet", pb.DeleteTweetRequest(tweet_id=tweet_id), user=user)

    async def page(self, **fields: Any) -> pb.ListUserTweetsResponse:
        raw, _ = await self.call("ListUserTweets", pb.ListUserTweetsRequest(**fields))
        return pb.ListUserTweetsResponse.FromString(raw)

    async def mentions(self, **fields: Any) -> pb.ListMentionsResponse:
        raw, _ = await self.call("ListMentions", pb.ListMentionsRequest(**fields))
        return pb.ListMentionsResponse.FromString(raw)

    async def recent(self, **fields: Any) -> bytes:
        raw, _ = await self.call("ListRecentByAuthors", pb.ListRecentByAuthorsRequest(**fields))
        return pb.ListRecentByAuthorsResponse.FromString(raw).entries

    async def ingest(self, *batches: pb.IngestTweetsRequest) -> list[Sequence[int]]:
        async def raw() -> AsyncIterator[bytes]:
            for batch in batches:
                yield batch.SerializeToString()

        serve = self.server.table[PATH + "IngestTweets"].stream
        assert serve is not None
        call = Call(PATH + "IngestTweets", {}, None)
        try:
            replies = [reply async for reply in serve(raw(), call)]
        except Failure as failure:
            raise Refused(failure) from None
        return [pb.IngestTweetsResponse.FromString(reply).tweet_ids for reply in replies]

    async def favorite(self, tweet_id: int, user: int, *, wanted: bool = True) -> int:
        """How many favourite it then."""
        if wanted:
            request = pb.FavoriteTweetRequest(tweet_id=tweet_id)
            raw, _ = await self.call("FavoriteTweet", request, user=user, edge=True)
            return pb.FavoriteTweetResponse.FromString(raw).favorite_count
        undo = pb.UnfavoriteTweetRequest(tweet_id=tweet_id)
        raw, _ = await self.call("UnfavoriteTweet", undo, user=user, edge=True)
        return pb.UnfavoriteTweetResponse.FromString(raw).favorite_count

    async def retweet(self, tweet_id: int, user: int) -> tweet_pb2.Tweet:
        request = pb.RetweetRequest(tweet_id=tweet_id)
        raw, _ = await self.call("Retweet", request, user=user, edge=True)
        return pb.RetweetResponse.FromString(raw).tweet

    async def unretweet(self, tweet_id: int, user: int) -> None:
        await self.call("Unretweet", pb.UnretweetRequest(tweet_id=tweet_id), user=user, edge=True)

    async def people(self, method: str, tweet_id: int, page_size: int = 7) -> list[int]:
        """ListFavoriters or ListRetweeters, walked to the end."""
        found: list[int] = []
        token = ""
        while True:
            request = pb.ListFavoritersRequest(
                tweet_id=tweet_id, page_size=page_size, page_token=token
            )
            raw, _ = await self.call(method, request, edge=True)
            page = pb.ListFavoritersResponse.FromString(raw)
            found += [user.user_id for user in page.users]
            token = page.next_page_token
            if not token:
                return found

    async def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            cursor = await connection.execute(query.encode(), values or None)
            return await cursor.fetchall() if cursor.description else []


def settings(
    home: Path, dsn: str, redis_url: str, *, graph_address: str = "127.0.0.1:1"
) -> Settings:
    """Settings of a service under test; nobody listens on the default address of Graph."""
    made = Settings(
        home=home,
        tweet_dsn=dsn,
        redis_url=redis_url,
        graph_address=graph_address,
        public_url="http://aviary.test",
        log_level="error",
    )
    ensure_keys(made)
    return made


@asynccontextmanager
async def running(config: Settings) -> AsyncIterator[Tweets]:
    registries: list[CollectorRegistry] = []

    def noted(runtime: Runtime) -> AbstractAsyncContextManager[Service]:
        registries.append(runtime.registry)
        return compose(runtime)

    async with open_server("tweet", noted, config) as server:
        yield Tweets(server, config.tweet_dsn, registries[0])
