"""The users of a drill: some who post and follow each other, some who are only followed.

Where it is about what is cached, a crowd reads beside them: a handful is warm again at once.
"""

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from clients.graph import GraphClient
from services.chassis.tokens import TokenSigner
from services.local.drills.edges import Edges
from services.local.drills.target import NothingToDrillError

AUTHORS, TARGETS = 8, 12
AT_ONCE = 16
"""Readers of a crowd who read for the first time together."""
PASSWORD = "only for drills"  # noqa: S105 - nobody logs in with it


@dataclass(frozen=True, slots=True)
class Cast:
    """User ids, and a token for each author and reader."""

    run: str
    authors: list[int]
    targets: list[int]
    tokens: dict[int, str]
    readers: list[int]
    """Whose home timelines are read: the authors', or a crowd's."""


async def sign_up(edges: Edges, signer: TokenSigner) -> Cast:
    """Make new users, so that what they see is known in full; every author follows every other."""
    run = secrets.token_hex(3)
    users = [await _user(edges, f"drill_{run}_{number}") for number in range(AUTHORS + TARGETS)]
    authors, targets = users[:AUTHORS], users[AUTHORS:]
    tokens = {user: _token(signer, user) for user in authors}
    for user in authors:
        for other in authors:
            if other != user:
                path = f"/api/v1/users/{user}/following/{other}"
                await _must(edges, "PUT", path, tokens[user])
    return Cast(run, authors, targets, tokens, authors)


async def sign_up_crowd(edges: Edges, signer: TokenSigner, graph: str, count: int) -> Cast:
    """The same with so many readers, who follow all authors and have read their timelines.

    They are imported straight at the Graph service: they need no passwords.
    """
    cast = await sign_up(edges, signer)
    async with GraphClient(graph) as client:
        readers = await _imported(client, [f"c_{cast.run}_{number}" for number in range(count)])
        await _following(client, [(reader, one) for reader in readers for one in cast.authors])
    tokens = {user: _token(signer, user) for user in readers}
    slots = asyncio.Semaphore(AT_ONCE)

    async def read(user: int) -> None:
        async with slots:
            await _must(edges, "GET", "/api/v1/home_timeline?page_size=10", tokens[user])

    await asyncio.gather(*map(read, readers))
    return replace(cast, readers=readers, tokens=cast.tokens | tokens)


async def _imported(client: GraphClient, names: Sequence[str]) -> list[int]:
    async def batches() -> AsyncIterator[Sequence[str]]:
        yield names

    return [one async for reply in client.import_users(batches()) for one in reply.user_ids]


async def _following(client: GraphClient, pairs: Sequence[tuple[int, int]]) -> None:
    async def batches() -> AsyncIterator[bytes]:
        yield b"".join(struct.pack(">qq", *pair) for pair in pairs)

    async for _ in client.import_follows(batches()):
        pass


def _token(signer: TokenSigner, user: int) -> str:
    return signer.sign(user, plan="unlimited", lifetime=7_200)


async def _user(edges: Edges, name: str) -> int:
    body = {"user_name": name, "password": PASSWORD}
    answer = await edges.rest("POST", "/api/v1/users", "", body)
    if answer.status != 200:
        raise NothingToDrillError(f"a user cannot be made: {answer.status} {answer.body}")
    return int(answer.body["user"]["user_id"])


async def _must(edges: Edges, verb: str, path: str, token: str) -> None:
    answer = await edges.rest(verb, path, token, None if verb == "GET" else {})
    if answer.status != 200:
        raise NothingToDrillError(f"{verb} {path}: {answer.status} {answer.body}")
