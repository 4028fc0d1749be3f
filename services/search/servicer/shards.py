"""The methods about shards: what other replicas ask of this one, and the operators' list."""

from collections.abc import Sequence

from aviary.search.v1 import search_service_pb2 as pb
from aviary.search.v1 import shard_pb2
from clients.errors import PeerError
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError

from ..index.snapshot import Question
from ..shards.replica import LocalReplica, Replica
from ..shards.scatter import Scatter
from ..tree_messages import node_of

MAX_HITS = 1_000
MAX_TERMS = 5_000


class ShardMethods:
    """SearchShard, GetShardStatistics, ListShards."""

    def __init__(self, scatter: Scatter, local: LocalReplica, shard: int) -> None:
        self._all_shards = scatter.shards
        self._local = local
        self._shard = shard

    async def search_shard(
        self, request: pb.SearchShardRequest, _call: Call
    ) -> pb.SearchShardResponse:
        """Answer the newest hits of this shard."""
        self._check_shard(request.shard)
        try:
            tree = node_of(request.tree)
        except (ValueError, IndexError) as error:
            raise InvalidFieldError(field="tree", problem=str(error)) from None
        question = Question(
            tree,
            min(request.limit, MAX_HITS),
            request.before_tweet_id,
            {each.term: each.weight for each in request.weights} or None,
            request.now_ms,
        )
        ids, scores, searched_to = await self._local.search(question)
        return pb.SearchShardResponse(
            tweet_ids=ids, scores=scores, searched_to_tweet_id=searched_to
        )

    async def get_shard_statistics(
        self, request: pb.GetShardStatisticsRequest, _call: Call
    ) -> pb.GetShardStatisticsResponse:
        """Say how common terms are in this shard."""
        self._check_shard(request.shard)
        if len(request.terms) > MAX_TERMS:
            problem = f"holds {len(request.terms)} terms; at most {MAX_TERMS} are allowed"
            raise InvalidFieldError(field="terms", problem=problem)
        found, status = await self._local.statistics(request.terms)
        reply = pb.GetShardStatisticsResponse(status=status)
        for term, count in found.items():
            reply.statistics.add(term=term, document_frequency=count)
        return reply

    async def list_shards(
        self, _request: pb.ListShardsRequest, _call: Call
    ) -> pb.ListShardsResponse:
        """List every replica of every shard."""
        reply = pb.ListShardsResponse()
        for number, replicas in enumerate(self._all_shards):
            for replica in replicas:
                reply.shards.append(await _status(number, replica))
        return reply

    def _check_shard(self, shard: int) -> None:
        if shard != self._shard:
            raise InvalidFieldError(field="shard", problem=f"is {shard}; this is {self._shard}")


async def _status(number: int, replica: Replica) -> shard_pb2.Shard:
    nothing: Sequence[str] = ()
    try:
        return (await replica.statistics(nothing)).status
    except PeerError:
        return shard_pb2.Shard(shard=number, address=replica.address)
