"""The methods of SearchService that are about trends."""

from aviary.search.v1 import search_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError

from ..domain_trends import MAX_TRENDS, Kind, Term
from ..trends.history import TrendHistory
from ..trends.reader import TrendReader
from ..trends.store import MAX_KEY

DEFAULT_LIMIT = 20


class TrendMethods:
    """ListTrends and UpdateTrend."""

    def __init__(self, reader: TrendReader, history: TrendHistory) -> None:
        self._reader = reader
        self._history = history

    async def list_trends(self, request: pb.ListTrendsRequest, call: Call) -> pb.ListTrendsResponse:
        """Answer what trends; of one kind, ranked among themselves."""
        if request.user_id:
            call.any_user_id(request.user_id)
        if request.limit < 0:
            raise InvalidFieldError(field="limit", problem=f"is {request.limit}; 0 or more")
        if request.kind and request.kind not in {kind.value for kind in Kind}:
            raise InvalidFieldError(field="kind", problem=f"is {request.kind}, no kind of trend")
        ranking = await self._reader.ranking()
        answer = pb.ListTrendsResponse()
        answer.as_of.CopyFrom(ranking.as_of)
        limit = min(request.limit or DEFAULT_LIMIT, MAX_TRENDS)
        wanted = [t for t in ranking.trends if request.kind in (0, t.kind)]
        for rank, trend in enumerate(wanted[:limit], 1):
            answer.trends.add().CopyFrom(trend)
            answer.trends[-1].rank = rank
        return answer

    async def update_trend(
        self, request: pb.UpdateTrendRequest, _call: Call
    ) -> pb.UpdateTrendResponse:
        """Hide a trend, or show it again."""
        if request.kind not in {kind.value for kind in Kind}:
            raise InvalidFieldError(field="kind", problem="must be HASHTAG, TOPIC or SEARCH")
        kind = Kind(request.kind)
        key = request.name.strip().casefold()
        if kind is Kind.HASHTAG:
            key = key.removeprefix("#")
        if not 1 <= len(key.encode()) <= MAX_KEY:
            raise InvalidFieldError(field="name", problem=f"must be 1 to {MAX_KEY} bytes long")
        await self._history.hide([Term(kind, key)], request.hidden)
        return pb.UpdateTrendResponse(kind=request.kind, name=request.name, hidden=request.hidden)
