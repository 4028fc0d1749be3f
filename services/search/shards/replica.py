"""A replica of a shard, in this process or in another one."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from aviary.search.v1 import search_service_pb2 as pb
from aviary.search.v1 import shard_pb2
from clients.search import SearchClient

from ..domain_shards import Answer
from ..index.estimates import cost_of
from ..index.follower import Follower
from ..index.shard_index import ShardIndex
from ..index.snapshot import Question
from ..tree_messages import message_of

THREADS = 2
CHEAP = 50_000
"""Postings that are looked at within some 0.2 ms; only more are left to a thread, which waits up to
5 ms for the interpreter while the event loop is busy."""


class Statistics(NamedTuple):
    """How many tweets of a shard hold each term (`field:value`), and how the shard is."""

    frequencies: Mapping[str, int]
    status: shard_pb2.Shard


class Replica(Protocol):
    """What answers for a shard."""

    address: str

    async def search(self, question: Question) -> Answer:
        """The newest hits, with scores where the question has weights."""
        ...

    async def statistics(self, terms: Sequence[str]) -> Statistics:
        """How common terms are here."""
        ...


class LocalReplica:
    """The shard of this process; what takes long is read outside of the event loop."""

    address = ""

    def __init__(self, shard: int, index: ShardIndex, follower: Follower) -> None:
        self._shard = shard
        self._index = index
        self._follower = follower
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="search")

    async def search(self, question: Question) -> Answer:
        """The newest hits, with scores where the question has weights."""
        estimate = self._index.estimate(question.tree)
        if cost_of(question.tree, estimate) <= CHEAP:
            return self._index.search(question, estimate)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._index.search, question, estimate)

    async def statistics(self, terms: Sequence[str]) -> Statistics:
        """How common terms are here."""
        pairs = [(field, value) for field, _, value in (term.partition(":") for term in terms)]
        if len(pairs) > 100:
            loop = asyncio.get_running_loop()
            counts = await loop.run_in_executor(self._threads, self._index.frequencies, pairs)
        else:
            counts = self._index.frequencies(pairs)  # under a microsecond each
        found = {term: count for term, count in zip(terms, counts, strict=True) if count}
        return Statistics(found, self.status())

    def status(self) -> shard_pb2.Shard:
        """How this shard is."""
        status = shard_pb2.Shard(
            shard=self._shard,
            reachable=True,
            tweet_count=self._index.tweet_count,
            rebuilding=not self._follower.complete_time,
        )
        status.complete_time.FromMilliseconds(int(self._follower.complete_time * 1000))
        return status


class RemoteReplica:
    """A shard of another process."""

    def __init__(self, shard: int, client: SearchClient) -> None:
        self._shard = shard
        self._client = client
        self.address = client.address

    async def search(self, question: Question) -> Answer:
        """The newest hits, with scores where the question has weights."""
        request = pb.SearchShardRequest(
            shard=self._shard,
            tree=message_of(question.tree),
            limit=question.limit,
            before_tweet_id=question.before,
            now_ms=question.now_ms,
        )
        for term, weight in (question.weights or {}).items():
            request.weights.add(term=term, weight=weight)
        reply = await self._client.search_shard(request)
        return Answer(reply.tweet_ids, reply.scores, reply.searched_to_tweet_id)

    async def statistics(self, terms: Sequence[str]) -> Statistics:
        """How common terms are there."""
        request = pb.GetShardStatisticsRequest(shard=self._shard, terms=terms)
        reply = await self._client.shard_statistics(request)
        found = {each.term: each.document_frequency for each in reply.statistics}
        reply.status.address = self.address
        return Statistics(found, reply.status)
