"""GetHomeTimeline: requests for pages of the caller's home timeline and back."""

from collections.abc import Sequence

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError
from services.chassis.paging import decode_ranked_token, encode_page_token, page_size_of

from ..domain import Span
from ..home import HomeTimelines, Page
from ..parents import MAX_AWAITED
from ..present import page
from ..relations import Relations, RelationsCache
from ..rules import Replies, excluded_flags
from ..sources import pack_ids, unpack_ids
from ..top import RANKED, TopTimelines
from .spans import before_of, bounds_of, position_of

REPLIES = {"": Replies.FOLLOWING, **{replies.value: replies for replies in Replies}}


class HomeMethods:
    """Pages of home timelines."""

    def __init__(self, home: HomeTimelines, top: TopTimelines, relations: RelationsCache) -> None:
        self._home = home
        self._top = top
        self._relations = relations

    async def get_home_timeline(self, request: pb.GetHomeTimelineRequest, call: Call) -> bytes:
        """A page of the caller's home timeline."""
        viewer = await self._relations.get(call.own_user_id(request.user_id))
        size = page_size_of(request.page_size)
        replies = _replies(request.include_replies)
        bounds = bounds_of(request)
        if _is_top(request.ranking):
            return await self._by_score(request, call, viewer, size, replies)
        binding = home_binding(viewer.user_id, *bounds, replies)
        position = position_of(request.page_token, 2, 2 + MAX_AWAITED, binding) or (0, 0)
        last, depth, *awaited = position
        span = _span(request, last, size, replies)
        found = await self._home.page(viewer, span, depth, replies, tuple(awaited))
        return _answer(found, _token(found, depth + size, binding), call)

    async def _by_score(
        self,
        request: pb.GetHomeTimelineRequest,
        call: Call,
        viewer: Relations,
        size: int,
        replies: Replies,
    ) -> bytes:
        """The ranked tweets, and behind them on in the order of ids."""
        binding = ("top", *home_binding(viewer.user_id, *bounds_of(request), replies))
        position, snapshot = decode_ranked_token(request.page_token, *binding)
        if not position:
            span = _span(request, 0, size, replies)
            found, rest = await self._top.first(viewer, span, replies)
        elif snapshot:
            ranked = unpack_ids(snapshot)
            found, rest = await self._top.following(viewer, ranked, size, replies, position[0])
        else:
            last, depth, *awaited = position_of(request.page_token, 2, 2 + MAX_AWAITED, binding)
            span = _span(request, last, size, replies)
            found = await self._home.page(viewer, span, depth, replies, tuple(awaited))
            return _answer(found, _token(found, depth + size, binding), call)
        return _answer(found, _token(found, RANKED, binding, rest), call)


def _answer(found: Page, token: str, call: Call) -> bytes:
    return page(found.tweets, found.users, found.engaged, token, call)


def _token(found: Page, depth: int, binding: tuple[object, ...], rest: Sequence[int] = ()) -> str:
    if not (found.last_id or rest):
        return ""
    position = (found.last_id, depth, *found.awaited)
    return encode_page_token(position, *binding, snapshot=pack_ids(rest))


def _span(request: pb.GetHomeTimelineRequest, last: int, size: int, replies: Replies) -> Span:
    before = before_of(request.max_id, last)
    return Span(before, request.since_id, size, excluded_flags(replies))


def home_binding(
    viewer: int, since_id: int = 0, max_id: int = 0, replies: Replies = Replies.FOLLOWING
) -> tuple[object, ...]:
    """What a page token of a home timeline in the order of ids is bound to."""
    return "home", viewer, since_id, max_id, replies.value


def _is_top(ranking: str) -> bool:
    if ranking not in ("", "latest", "top"):
        raise InvalidFieldError(field="ranking", problem="must be 'latest' or 'top'")
    return ranking == "top"


def _replies(text: str) -> Replies:
    if text not in REPLIES:
        raise InvalidFieldError(
            field="include_replies", problem="must be 'following', 'all' or 'none'"
        )
    return REPLIES[text]
