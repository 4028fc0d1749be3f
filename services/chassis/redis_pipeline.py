"""Redis commands as ready bytes, and their replies, by the ten thousand."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from .redis_client import Redis
from .redis_exchange import exchange_over


class Pipeline:
    """Sends whole pipelines over the client's own connections."""

    def __init__(self, client: Redis, *, seconds: float = 0.9) -> None:
        self._exchange = exchange_over(client)
        self._seconds = seconds

    async def ping(self) -> None:
        """Health check: Redis answers."""
        await self.execute(b"*1\r\n$4\r\nPING\r\n", 1)

    async def execute(self, commands: bytes, count: int) -> Sequence[Any]:
        """The replies to `count` packed commands: integers, bytes, lists, None.

        Raises redis' ConnectionError or TimeoutError, after which any part of the commands may have
        been carried out or may still be, and ResponseError for the first command that was refused,
        when all have been answered.
        """
        try:
            async with asyncio.timeout(self._seconds):
                replies, refusals = await self._exchange(commands, count)
        except TimeoutError:
            raise RedisTimeoutError("no answer in time to a pipeline") from None
        except OSError as error:
            raise RedisConnectionError(f"the connection broke in a pipeline: {error}") from error
        if refusals:
            raise refusals[0]
        return replies


def packed(*arguments: bytes) -> bytes:
    """One command as Redis takes it; its key is the second argument."""
    parts = b"".join([b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments])
    return b"*%d\r\n%b" % (len(arguments), parts)
