"""Pages of home and user timelines: requests to them and back."""

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError, NotImplementedYetError, PageTokenError
from services.chassis.paging import decode_page_token, encode_page_token, page_size_of

from .. import rules
from ..domain import NOTHING_PROVEN, Span
from ..home import HomeTimelines
from ..present import page
from ..user_timeline import UserTimelines


class PageMethods:
    """What answers pages of tweets."""

    def __init__(self, home: HomeTimelines, users: UserTimelines) -> None:
        self._home = home
        self._users = users

    async def get_home_timeline(self, request: pb.GetHomeTimelineRequest, call: Call) -> bytes:
        """A page of the caller's home timeline."""
        viewer = call.own_user_id(request.user_id)
        size = page_size_of(request.page_size)
        _check_ranking(request.ranking, call)
        replies = _replies(request.include_replies)
        binding = ("home", viewer, *_bounds(request), replies)
        last, depth = _position(request.page_token, 2, binding) or (0, 0)
        without = rules.excluded_flags(include_replies=replies != "none")
        span = Span(_before(request.max_id, last), request.since_id, size, without)
        found = await self._home.page(viewer, span, depth)
        token = ""
        if found.last_id:
            token = encode_page_token((found.last_id, depth + size), *binding)
        return page(found.tweets, found.users, token, call)

    async def get_user_timeline(self, request: pb.GetUserTimelineRequest, call: Call) -> bytes:
        """A page of anybody's own tweets."""
        user_id = call.any_user_id(request.user_id)
        size = page_size_of(request.page_size)
        replies = request.include_replies if request.HasField("include_replies") else True
        binding = ("user", user_id, *_bounds(request), replies)
        (last,) = _position(request.page_token, 1, binding) or (0,)
        found = await self._users.page(
            user_id, Span(_before(request.max_id, last), request.since_id, size), replies=replies
        )
        token = encode_page_token((found.last_id,), *binding) if found.last_id else ""
        return page(found.tweets, found.users, token, call)


def _check_ranking(ranking: str, call: Call) -> None:
    if ranking == "top":
        raise NotImplementedYetError(method=f"{call.method} with ranking=top")
    if ranking not in ("", "latest"):
        raise InvalidFieldError(field="ranking", problem="must be 'latest' or 'top'")


def _replies(text: str) -> str:
    if text not in ("", "following", "all", "none"):
        raise InvalidFieldError(
            field="include_replies", problem="must be 'following', 'all' or 'none'"
        )
    return text or "following"


def _bounds(request: pb.GetHomeTimelineRequest | pb.GetUserTimelineRequest) -> tuple[int, int]:
    """since_id and max_id, which shape the list."""
    for field, value in (("since_id", request.since_id), ("max_id", request.max_id)):
        if value < 0:
            raise InvalidFieldError(field=field, problem=f"is {value}; it must be 0 or more")
    return request.since_id, request.max_id


def _position(token: str, parts: int, binding: tuple[object, ...]) -> tuple[int, ...]:
    position = decode_page_token(token, *binding)
    if position and (len(position) != parts or min(position) < 0):
        raise PageTokenError
    return position


def _before(max_id: int, last: int) -> int:
    """The id below which a page begins: behind the page before, and from `max_id` on."""
    return last or (max_id + 1 if 0 < max_id < NOTHING_PROVEN else NOTHING_PROVEN)
