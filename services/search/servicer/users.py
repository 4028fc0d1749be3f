"""SearchUsers and Suggest."""

from aviary.search.v1 import search_service_pb2 as pb
from aviary.search.v1 import suggestion_pb2
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.paging import decode_key, encode_page_token, page_size_of

from ..analysis import Kind, analyze, without_markup
from ..errors import QueryInvalidError
from ..query import bounds
from ..users.directory import UserDirectory
from ..users.found import UserPages
from ..users.suggestions import Suggestions

MAX_QUERY = 100
MAX_FOUND = 1_000
"""Users that one list goes through; whom one looks for is among the most followed of them."""
DEFAULT_LIMIT, MAX_LIMIT = 10, 20
MAX_USERS_SUGGESTED = 5


class UserMethods:
    """SearchUsers, Suggest."""

    def __init__(
        self, directory: UserDirectory, pages: UserPages, suggestions: Suggestions
    ) -> None:
        self._directory = directory
        self._user_pages = pages
        self._suggestions = suggestions

    async def search_users(
        self, request: pb.SearchUsersRequest, call: Call
    ) -> pb.SearchUsersResponse:
        """Answer a page of users; who has exactly that name comes first."""
        size = page_size_of(request.page_size)
        bounds.check(request.query, maximum=MAX_QUERY)
        plain = without_markup(request.query)
        words = [t.term for t in analyze(plain) if t.kind in (Kind.WORD, Kind.MENTION)]
        if not words:
            raise QueryInvalidError("holds no word of a name")
        start = decode_key(request.page_token, "search_users", request.query, first=0)
        found = [
            *self._directory.named(plain.strip().removeprefix("@")),
            *self._directory.matching(words[: bounds.MAX_TERMS], MAX_FOUND),
        ]
        ids = list(dict.fromkeys(match.user_id for match in found))
        reply = pb.SearchUsersResponse(
            users=await self._user_pages.shown(ids[start : start + size], call.caller.user_id)
        )
        if start + size < len(ids):
            reply.next_page_token = encode_page_token([start + size], "search_users", request.query)
        return reply

    async def suggest(self, request: pb.SuggestRequest, call: Call) -> pb.SuggestResponse:
        """Answer how a prefix may go on."""
        if request.limit < 0:
            raise InvalidFieldError(field="limit", problem=f"is {request.limit}; 0 or more")
        if len(request.prefix) > MAX_QUERY:
            problem = f"is {len(request.prefix)} characters long, at most {MAX_QUERY} are allowed"
            raise QueryInvalidError(problem, "prefix")
        limit = min(request.limit or DEFAULT_LIMIT, MAX_LIMIT)
        ids, hashtags, queries = self._suggestions.suggest(request.prefix.strip(), limit)
        alone = request.prefix.strip().startswith("@")
        most = limit if alone else MAX_USERS_SUGGESTED
        users = await self._user_pages.shown(ids[:most], call.caller.user_id) if ids else []
        reply = pb.SuggestResponse()
        for query in queries:
            reply.suggestions.add(kind=suggestion_pb2.SUGGESTION_KIND_QUERY, text=query)
        for user in users:
            reply.suggestions.add(
                kind=suggestion_pb2.SUGGESTION_KIND_USER, text=f"@{user.user_name}", user=user
            )
        for tag in hashtags:
            reply.suggestions.add(kind=suggestion_pb2.SUGGESTION_KIND_HASHTAG, text=tag)
        del reply.suggestions[limit:]
        return reply
