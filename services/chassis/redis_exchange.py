"""Ready commands to Redis and their replies: over one server's connections, or a cluster's.

Why not redis-py's pipelines: they pack each argument of each command and set up a timeout for each
reply, some 10 us a command; here it is under 1 us. A cluster costs another microsecond a command,
for the slot of its key.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import hiredis
import redis.asyncio.connection
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from .redis_client import Redis

READ_BYTES = 1 << 16
NOT_HERE = ("READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "MOVED", "ASK ", "CLUSTERDOWN")
"""Refusals of a server that is not, or not yet, the one that takes this."""
_MORE = object()
Answers: TypeAlias = tuple[list[Any], list[ResponseError]]
"""All replies in order, and those of them that are refusals."""


class Exchange(Protocol):
    """Sends packed commands. Raises redis' ConnectionError, after which they may be done or not."""

    async def __call__(self, commands: bytes, count: int) -> Answers:
        """The replies to `count` commands, each of one key or of none."""


def exchange_over(client: Redis) -> Exchange:
    """The way to a client's server or servers."""
    if isinstance(client, RedisCluster):
        return ClusterExchange(client)
    return ServerExchange(client)


class ServerExchange:
    """To the one server that a client is connected to."""

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool

    async def __call__(self, commands: bytes, count: int) -> Answers:
        """Send and read on one connection."""
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            return await _exchange(connection, commands, count)
        finally:
            await self._pool.release(connection)


class ClusterExchange:
    """To the servers of a cluster, each its own part of the commands, all at once."""

    def __init__(self, client: RedisCluster) -> None:
        self._client = client
        self._nodes = client.nodes_manager

    async def __call__(self, commands: bytes, count: int) -> Answers:
        """Send each command to the server of its key; the replies are in the commands' order."""
        await self._client.initialize()
        parts: dict[str, list[int]] = {}
        pieces = split(commands, count)
        places: dict[str, ClusterNode] = {}
        for at, (_, key) in enumerate(pieces):
            node = self._nodes.get_node_from_slot(key_slot(key) if key else 0)
            places[node.name] = node
            parts.setdefault(node.name, []).append(at)
        try:
            answers = await asyncio.gather(
                *(self._part(places[name], pieces, own) for name, own in parts.items())
            )
        except RedisError:
            await self._look_again()
            raise
        replies: list[Any] = [None] * count
        for own, (found, _) in zip(parts.values(), answers, strict=True):
            for at, reply in zip(own, found, strict=True):
                replies[at] = reply
        return replies, [refusal for _, refusals in answers for refusal in refusals]

    async def _part(
        self, node: ClusterNode, pieces: Sequence[tuple[bytes, bytes]], own: Sequence[int]
    ) -> Answers:
        connection = node.acquire_connection()
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            return await _exchange(connection, b"".join(pieces[at][0] for at in own), len(own))
        finally:
            node.release(connection)

    async def _look_again(self) -> None:
        """Ask the servers anew who has which keys."""
        try:
            await self._nodes.initialize()
        except (RedisError, OSError):
            return


def split(commands: bytes, count: int) -> list[tuple[bytes, bytes]]:
    """Packed commands one by one, each with its key; the key of one without arguments is empty."""
    found: list[tuple[bytes, bytes]] = []
    start = 0
    for _ in range(count):
        end = commands.index(b"\r\n", start)
        arguments = int(commands[start + 1 : end])
        at, key = end + 2, b""
        for number in range(arguments):
            end = commands.index(b"\r\n", at)
            size = int(commands[at + 1 : end])
            if number == 1:
                key = commands[end + 2 : end + 2 + size]
            at = end + 4 + size
        found.append((commands[start:at], key))
        start = at
    return found


async def _exchange(
    connection: redis.asyncio.connection.AbstractConnection, commands: bytes, count: int
) -> Answers:
    answered = False
    try:
        await connection.send_packed_command(commands)
        answers = await _read(connection, count)
        # Who has become the server for this is asked when a client connects.
        refused = next((r for r in answers[1] if str(r).startswith(NOT_HERE)), None)
        if refused is not None:
            raise RedisConnectionError(f"the server does not take this now: {refused}")
        answered = True
    except OSError as error:  # what the system says of a connection that broke
        raise RedisConnectionError(str(error)) from error
    else:
        return answers
    finally:
        if not answered:  # the rest would be read as the answers to somebody else's commands
            await connection.disconnect(nowait=True)


async def _read(connection: redis.asyncio.connection.AbstractConnection, count: int) -> Answers:
    # redis-py has no public way to read replies in bulk; tests/chassis/test_redis_pipeline.py would
    # show a version in which this attribute has gone.
    stream: asyncio.StreamReader | None = connection._reader  # noqa: SLF001
    if stream is None:
        raise RedisConnectionError("the connection was closed")
    refusals: list[ResponseError] = []

    def refuse(message: str) -> ResponseError:
        refusals.append(ResponseError(message))
        return refusals[-1]

    parser = hiredis.Reader(replyError=refuse, notEnoughData=_MORE)
    replies: list[Any] = []
    append, gets = replies.append, parser.gets
    while len(replies) < count:
        received = await stream.read(READ_BYTES)
        if not received:
            raise RedisConnectionError("Redis closed the connection")
        parser.feed(received)
        while (reply := gets()) is not _MORE:
            append(reply)
    return replies, refusals
