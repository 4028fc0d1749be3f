"""Search: a page of the tweets that match a query."""

from aviary.search.v1 import search_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.paging import page_size_of

from ..finding import Finder
from ..pages import Pages, Place, place_of
from ..query.understanding import understand
from ..recent_pages import First, RecentPages
from ..trends.searches import SearchCounter

SORTS = ("top", "latest")


class TweetMethods:
    """Search."""

    def __init__(self, finder: Finder, pages: Pages, searches: SearchCounter) -> None:
        self._finder = finder
        self._pages = pages
        self._searches = searches
        self._recent_pages = RecentPages()

    async def search(self, request: pb.SearchRequest, call: Call) -> bytes:
        """Answer a page."""
        size = page_size_of(request.page_size)
        sort = request.sort or SORTS[0]
        if sort not in SORTS:
            raise InvalidFieldError(field="sort", problem=f"is {sort[:20]!r}, not top or latest")
        viewer = call.caller.user_id
        if viewer or request.page_token:
            return (await self._page(request, size, sort, viewer))[0]
        first = First(request.query, size, sort, request.exact)
        known = self._recent_pages.get(first)
        if known is None:
            known, until = await self._page(request, size, sort, viewer)
            self._recent_pages.put(first, known, until)
        return known

    async def _page(
        self, request: pb.SearchRequest, size: int, sort: str, viewer: int
    ) -> tuple[bytes, float]:
        """A page, and until when it may be given to others."""
        understood = understand(request.query)
        shape = ("search", understood.plain, sort, request.exact)
        place = place_of(request.page_token, shape) or Place.first(ranked=sort == "top")
        if not request.exact:
            understood = await self._finder.correct(understood)
        page = await self._pages.page(understood.tree, place, size, viewer)
        if not request.page_token and page.tweets:
            self._searches.note(viewer, understood.corrected_query or request.query)
        return page.message(shape, understood.corrected_query), page.until
