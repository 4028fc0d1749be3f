"""What tests do to a running mesh: users, posts, pages, and the truth from SQL."""

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import httpx
import psycopg

from clients.graph import GraphClient
from services.chassis.tokens import TokenSigner
from services.local.mesh import Mesh

AT_ONCE = 24
_names = itertools.count()


class World:
    """The mesh as its users see it; tokens are minted, so no password is hashed."""

    def __init__(self, mesh: Mesh, api: httpx.AsyncClient, signer: TokenSigner) -> None:
        self.mesh = mesh
        self.api = api
        self._signer = signer

    def token(self, user_id: int, **claims: Any) -> str:
        return self._signer.sign(user_id, **{"plan": "unlimited", **claims})

    def auth(self, user_id: int) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(user_id)}"}

    async def new_users(self, count: int) -> list[int]:
        """Users with names of their own."""
        names = [f"t{next(_names)}" for _ in range(count)]

        async def batches() -> AsyncIterator[Sequence[str]]:
            yield names

        async with GraphClient(self.mesh.address("graph")) as graph:
            return [one async for reply in graph.import_users(batches()) for one in reply.user_ids]

    async def follow(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Make follows: (follower, followed)."""

        async def batches() -> AsyncIterator[bytes]:
            yield b"".join(struct.pack(">qq", *pair) for pair in pairs)

        async with GraphClient(self.mesh.address("graph")) as graph:
            async for _ in graph.import_follows(batches()):
                pass

    async def act(
        self, user_id: int, verb: str, path: str, body: Any = None, *, operator: bool = False
    ) -> dict[str, Any]:
        """Any call over REST, which must succeed."""
        claims = {"scopes": ("operator",)} if operator else {}
        headers = {"authorization": f"Bearer {self.token(user_id, **claims)}"}
        reply = await self.api.request(verb, path, json=body, headers=headers)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    async def post(self, user_id: int, status: str, **fields: Any) -> dict[str, Any]:
        """Post over REST."""
        body = {"user_id": str(user_id), "status": status, **fields}
        reply = await self.api.post("/api/v1/tweet", json=body, headers=self.auth(user_id))
        assert reply.status_code == 200, reply.text
        tweet: dict[str, Any] = reply.json()
        return tweet

    async def post_all(self, user_ids: Sequence[int], text: str) -> None:
        """One post by each user, some at once."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(user_id: int) -> None:
            async with slots:
                await self.post(user_id, f"{text} by {user_id}")

        await asyncio.gather(*(one(user_id) for user_id in user_ids))

    async def home(self, user_id: int, page_size: int = 100) -> list[int]:
        """A home timeline's tweet ids, read page by page to the end."""
        return await self.walk("/api/v1/home_timeline", user_id, page_size)

    async def walk(self, path: str, user_id: int, page_size: int, **query: Any) -> list[int]:
        """All tweet ids of a timeline."""
        ids: list[int] = []
        token = ""
        while True:
            params = {"user_id": str(user_id), "page_size": str(page_size), **query}
            reply = await self.api.get(
                path, params={**params, "page_token": token}, headers=self.auth(user_id)
            )
            assert reply.status_code == 200, reply.text
            page = reply.json()
            ids += [int(tweet["tweet_id"]) for tweet in page["tweets"]]
            token = page["next_page_token"]
            if not token:
                return ids

    async def homes(self, user_ids: Sequence[int]) -> dict[int, list[int]]:
        """The home timelines of many users."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(user_id: int) -> list[int]:
            async with slots:
                return await self.home(user_id)

        pages = await asyncio.gather(*(one(user_id) for user_id in user_ids))
        return dict(zip(user_ids, pages, strict=True))

    async def truth(self, user_ids: Sequence[int]) -> dict[int, list[int]]:
        """What the home timelines must be, from the databases alone."""
        follows = await self.sql("graph", "SELECT user_id, target_user_id FROM follows")
        tweets = await self.sql(
            "tweet", "SELECT author_id, tweet_id FROM tweets WHERE delete_time IS NULL"
        )
        by_author: dict[int, list[int]] = {}
        for author, tweet in tweets:
            by_author.setdefault(author, []).append(tweet)
        sources: dict[int, set[int]] = {user_id: {user_id} for user_id in user_ids}
        for follower, followed in follows:
            if follower in sources:
                sources[follower].add(followed)
        return {
            user_id: sorted((t for a in authors for t in by_author.get(a, ())), reverse=True)
            for user_id, authors in sources.items()
        }

    async def sql(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """Rows straight from a service's database, if the query has any."""
        async with await psycopg.AsyncConnection.connect(self.mesh.dsn(database)) as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description else []
