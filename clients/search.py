"""The Search service as its peers and the command line see it."""

from aviary.search.v1 import search_service_pb2 as pb

from .channel import Peer, bearer

_SERVICE = "/aviary.search.v1.SearchService"


class SearchClient(Peer):
    """Calls to the Search service; `token` acts for a user where the edge is in between."""

    def __init__(self, address: str, *, token: str = "") -> None:
        super().__init__("search", address)
        self._metadata = bearer(token)
        self._search = self.unary(f"{_SERVICE}/Search", pb.SearchResponse)
        self._parse = self.unary(f"{_SERVICE}/ParseQuery", pb.ParseQueryResponse)
        self._users = self.unary(f"{_SERVICE}/SearchUsers", pb.SearchUsersResponse)
        self._suggest = self.unary(f"{_SERVICE}/Suggest", pb.SuggestResponse)
        self._trends = self.unary(f"{_SERVICE}/ListTrends", pb.ListTrendsResponse)
        self._shards = self.unary(f"{_SERVICE}/ListShards", pb.ListShardsResponse)
        self._shard = self.unary(f"{_SERVICE}/SearchShard", pb.SearchShardResponse)
        self._statistics = self.unary(
            f"{_SERVICE}/GetShardStatistics", pb.GetShardStatisticsResponse
        )

    async def search(
        self,
        query: str,
        *,
        page_size: int = 0,
        page_token: str = "",
        sort: str = "",
        exact: bool = False,
    ) -> pb.SearchResponse:
        """A page of the tweets that match."""
        request = pb.SearchRequest(
            query=query, page_size=page_size, page_token=page_token, sort=sort, exact=exact
        )
        return await self._search(request, metadata=self._metadata)

    async def parse(self, query: str, *, exact: bool = False) -> pb.ParseQueryResponse:
        """How a query is understood."""
        request = pb.ParseQueryRequest(query=query, exact=exact)
        return await self._parse(request, metadata=self._metadata)

    async def search_users(
        self, query: str, *, page_size: int = 0, page_token: str = ""
    ) -> pb.SearchUsersResponse:
        """A page of users."""
        request = pb.SearchUsersRequest(query=query, page_size=page_size, page_token=page_token)
        return await self._users(request, metadata=self._metadata)

    async def suggest(self, prefix: str, *, limit: int = 0) -> pb.SuggestResponse:
        """How a prefix may go on."""
        request = pb.SuggestRequest(prefix=prefix, limit=limit)
        return await self._suggest(request, metadata=self._metadata)

    async def trends(self, *, limit: int = 0) -> pb.ListTrendsResponse:
        """What trends, by rank."""
        return await self._trends(pb.ListTrendsRequest(limit=limit), metadata=self._metadata)

    async def shards(self) -> pb.ListShardsResponse:
        """Every replica of every shard. For operators."""
        return await self._shards(pb.ListShardsRequest(), metadata=self._metadata)

    async def search_shard(self, request: pb.SearchShardRequest) -> pb.SearchShardResponse:
        """The newest hits of the shard of this replica."""
        return await self._shard(request)

    async def shard_statistics(
        self, request: pb.GetShardStatisticsRequest
    ) -> pb.GetShardStatisticsResponse:
        """How common terms are in the shard of this replica."""
        return await self._statistics(request)
