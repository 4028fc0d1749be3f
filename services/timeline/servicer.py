"""`aviary.timeline.v1.TimelineService`: requests to timelines and back."""

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError, NotImplementedYetError, PageTokenError
from services.chassis.paging import decode_page_token, encode_page_token, page_size_of

from . import rules
from .domain import NOTHING_PROVEN, Span
from .errors import UserNotFoundError
from .home import HomeTimelines
from .hydrate import Hydrator
from .present import page
from .rebuild import Builds
from .user_timeline import UserTimelines

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["TimelineService"]


class TimelineServicer:
    """Home and user timelines; the rest of the contract comes later."""

    def __init__(
        self, home: HomeTimelines, users: UserTimelines, hydrator: Hydrator, builds: Builds
    ) -> None:
        self._home = home
        self._users = users
        self._hydrator = hydrator
        self._builds = builds

    async def get_home_timeline(self, request: pb.GetHomeTimelineRequest, call: Call) -> bytes:
        """A page of the caller's home timeline."""
        viewer = call.own_user_id(request.user_id)
        size = page_size_of(request.page_size)
        _check_ranking(request.ranking, call)
        bounds = _bounds(request)
        binding = ("home", viewer, *bounds)
        last, depth = _position(request.page_token, 2, binding) or (0, 0)
        without = rules.excluded_flags(include_replies=bounds[2])
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
        bounds = _bounds(request)
        binding = ("user", user_id, *bounds)
        (last,) = _position(request.page_token, 1, binding) or (0,)
        found = await self._users.page(
            user_id, Span(_before(request.max_id, last), request.since_id, size), replies=bounds[2]
        )
        token = encode_page_token((found.last_id,), *binding) if found.last_id else ""
        return page(found.tweets, found.users, token, call)

    async def rebuild_home_timeline(
        self, request: pb.RebuildHomeTimelineRequest, _call: Call
    ) -> pb.RebuildHomeTimelineResponse:
        """Build a list anew; that the caller is an operator has been checked by the policy."""
        if not await self._hydrator.users([request.user_id]):
            raise UserNotFoundError(user_id=request.user_id)
        count = await self._builds.anew(request.user_id)
        return pb.RebuildHomeTimelineResponse(user_id=request.user_id, entry_count=count)


def _check_ranking(ranking: str, call: Call) -> None:
    if ranking == "top":
        raise NotImplementedYetError(method=f"{call.method} with ranking=top")
    if ranking not in ("", "latest"):
        raise InvalidFieldError(field="ranking", problem="must be 'latest' or 'top'")


def _bounds(
    request: pb.GetHomeTimelineRequest | pb.GetUserTimelineRequest,
) -> tuple[int, int, bool]:
    """What shapes the list beside its user: since_id, max_id and whether replies are in it."""
    for field, value in (("since_id", request.since_id), ("max_id", request.max_id)):
        if value < 0:
            raise InvalidFieldError(field=field, problem=f"is {value}; it must be 0 or more")
    replies = request.include_replies if request.HasField("include_replies") else True
    return request.since_id, request.max_id, replies


def _position(token: str, parts: int, binding: tuple[object, ...]) -> tuple[int, ...]:
    position = decode_page_token(token, *binding)
    if position and (len(position) != parts or min(position) < 0):
        raise PageTokenError
    return position


def _before(max_id: int, last: int) -> int:
    """The id below which a page begins: behind the page before, and from `max_id` on."""
    return last or (max_id + 1 if 0 < max_id < NOTHING_PROVEN else NOTHING_PROVEN)
