"""The ranking as servers answer it: read from Redis every other second, remembered without it."""

import time

import structlog
from redis.exceptions import RedisError

from aviary.search.v1 import search_service_pb2 as pb

from .store import TrendStore

FRESH_SECONDS = 2.0
log = structlog.get_logger()


class TrendReader:
    """The newest ranking that this process knows; `as_of` says how old it is."""

    def __init__(self, store: TrendStore) -> None:
        self._store = store
        self._ranking = pb.ListTrendsResponse()
        self._until = 0.0

    async def ranking(self) -> pb.ListTrendsResponse:
        """Every trend, by rank; nothing yet where none was ever made."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + FRESH_SECONDS  # at once: one asks, others take the old
            try:
                self._ranking = pb.ListTrendsResponse.FromString(
                    await self._store.published() or self._ranking.SerializeToString()
                )
            except (RedisError, OSError) as error:
                log.warning("trends not read", why=str(error))
        return self._ranking
