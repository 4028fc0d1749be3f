"""SearchService whole, from the parts that serve it."""

from aviary.search.v1 import search_service_pb2 as pb

from ..finding import Finder
from ..pages import Pages
from ..shards.replica import LocalReplica
from ..shards.scatter import Scatter
from ..trends.history import TrendHistory
from ..trends.reader import TrendReader
from ..trends.searches import SearchCounter
from ..users.directory import UserDirectory
from ..users.found import UserPages
from ..users.suggestions import Suggestions
from .parsing import ParsingMethods
from .shards import ShardMethods
from .trends import TrendMethods
from .tweets import TweetMethods
from .users import UserMethods

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["SearchService"]


class SearchServicer(TweetMethods, ParsingMethods, UserMethods, TrendMethods, ShardMethods):
    """Every method of the service."""

    def __init__(
        self,
        *,
        finder: Finder,
        pages: Pages,
        searches: SearchCounter,
        directory: UserDirectory,
        user_pages: UserPages,
        suggestions: Suggestions,
        trends: TrendReader,
        history: TrendHistory,
        scatter: Scatter,
        local: LocalReplica,
        shard: int,
    ) -> None:
        TweetMethods.__init__(self, finder, pages, searches)
        ParsingMethods.__init__(self, finder)
        UserMethods.__init__(self, directory, user_pages, suggestions)
        TrendMethods.__init__(self, trends, history)
        ShardMethods.__init__(self, scatter, local, shard)
